"""The table of security requirements is complete, and names tests that there are.

That they also run and pass is checked at the end of `make test`, by tools/matrix.py.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tools.matrix import PAGE, Row, rows, unshown

ROOT = Path(__file__).parents[2]
ACCESS = {*(f"R-{number:03}" for number in range(84, 93)), "R-101"}
LATER = {"R-044", "R-045", "R-075", *(f"R-{number:03}" for number in range(93, 106))} - ACCESS
ALL = {f"R-{number:03}" for number in range(1, 111)}
TEST = "tests/test_it.py::test_it"


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def table() -> list[Row]:
    return rows((ROOT / PAGE).read_text())


def names(of: Iterable[Row]) -> list[str]:
    return [row.requirement for row in of]


def test_every_requirement_is_there_once_and_in_its_order() -> None:
    others = sorted(ALL - ACCESS - LATER)
    assert names(table()) == others + sorted(ACCESS) + sorted(LATER)


def test_no_row_is_without_a_verdict() -> None:
    for row in table():
        assert re.match(r"(met|partly|not|not yet|later)($|[:;,] \S| by | for )", row.verdict), row
        assert row.verdict.startswith("later") is (row.requirement in LATER), row
        if row.verdict.startswith(("met", "partly")):
            assert row.tests, row


def test_each_test_that_is_named_is_collected() -> None:
    claims = [row for row in table() if row.verdict.startswith(("met", "partly"))]
    named = dict.fromkeys(test for row in claims for test in row.tests)
    done = run_pytest(ROOT, "--collect-only", "-q", *named)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (Row("R-001", "met", [TEST]), None),
        (Row("R-001", "met", [f"{TEST}_not"]), "did not run"),
        (Row("R-001", "met", [TEST, "tests/test_it.py::test_skipped"]), "did not pass"),
        (Row("R-001", "partly: a reason", ["tests/test_it.py::test_half"]), "did not pass"),
        (Row("R-001", "met", []), "names no test"),
        (Row("R-001", "not: a reason", [f"{TEST}_not"]), None),
        (Row("R-001", "later: a reason", []), None),
    ],
)
def test_a_row_claims_what_passed_and_no_more(row: Row, complaint: str | None) -> None:
    """Fails for a row of a test that is misspelled, skipped, or fails with one parameter."""
    passed = {
        f"{TEST}[1]": True,
        f"{TEST}[2]": True,
        "tests/test_it.py::test_skipped": False,
        "tests/test_it.py::test_half[1]": True,
        "tests/test_it.py::test_half[2]": False,
    }
    wrong = unshown([row], passed)
    assert [line for line in wrong if complaint and complaint in line] == wrong
    assert bool(wrong) is (complaint is not None)


@pytest.mark.parametrize(
    ("name", "said", "processes"),
    [
        ("test_it", None, 0),
        ("test_it", None, 2),
        ("test_skipped", "did not pass", 0),
        ("test_skipped", "did not pass", 2),
        ("test_gone", "did not run", 0),
        ("test_expected_to_fail", "did not pass", 0),
        ("test_deselected", "did not run", 0),
    ],
)
def test_a_run_fails_for_a_row_that_it_does_not_show(
    tmp_path: Path, name: str, said: str | None, processes: int
) -> None:
    (tmp_path / PAGE).parent.mkdir(parents=True)
    (tmp_path / PAGE).write_text(f"| R-001 | it | own | met | `test_it.py::{name}` |\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_it(): pass\n"
        "def test_deselected(): pass\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
        "@pytest.mark.xfail\n"
        "def test_expected_to_fail(): assert False\n"
    )
    without = ("--deselect", "test_it.py::test_deselected", f"--numprocesses={processes}")
    done = run_pytest(tmp_path, "-p", "tools.matrix", *without, "test_it.py")
    assert done.returncode == (1 if said else 0), done.stdout
    assert f"{PAGE} claims too much" in done.stdout if said else "claims" not in done.stdout
    assert not said or f"R-001 names a test that {said}: test_it.py::{name}" in done.stdout
