"""The core decides only, and compares secrets in one place: read from the source itself."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import coatcheck

SOURCE = Path(coatcheck.__file__).parent
CORE = sorted((SOURCE / "core").glob("*.py"))


def names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_needs_the_standard_library_only_and_never_waits(path: Path) -> None:
    for name in names(path):
        top = name.partition(".")[0]
        ours = name.startswith("coatcheck.core") or name in ("coatcheck.errors", "coatcheck.core")
        assert ours or (top in sys.stdlib_module_names and top != "coatcheck"), name
    waits = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, waits) for node in ast.walk(ast.parse(path.read_text())))


def test_digests_are_compared_in_constant_time_only() -> None:
    """R-011: by `same`, and that by `compare_digest`. Fails when one is compared by `==`."""
    token = (SOURCE / "core" / "token.py").read_text()
    assert "return compare_digest(left, right)" in token
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and not _asks_for_none(node):
                compared = ast.unparse(node)
                assert "digest" not in compared, f"{path.name}: {compared}"
                assert ".secret" not in compared, f"{path.name}: {compared}"


def _asks_for_none(node: ast.Compare) -> bool:
    """Tell whether it only asks if something is there at all."""
    return all(isinstance(operator, ast.Is | ast.IsNot) for operator in node.ops)
