"""What the page on doctor shows is what doctor prints, but for figures and the width of columns."""

import re
import shutil
import sqlite3
from contextlib import closing
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from coatcheck.doctor import checks
from tests.doctor.conftest import coatcheck
from tests.servers import redis_server

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "doctor.md").read_text()


def rows(text: str) -> list[str]:
    """The text of each row of a table, and of the line below it, however they are wrapped."""
    said: list[list[str]] = [[]]
    for line in text.splitlines():
        if line[:1] == "│":
            cells = [cell.strip() for cell in line.strip("│").split("│")]
            last = said[-1]
            said[-1] = [f"{a} {b}" for a, b in zip(last, cells, strict=True)] if last else cells
        else:
            said.append([line] if line[:1] not in ("├", "└", "┏", "┃", "┡") else [])
    return [re.sub(r"\s+", " ", re.sub(r"[\d.]+", "0", " | ".join(row))) for row in said if row]


def shown(command: str) -> list[str]:
    """The rows that the page shows below a command."""
    block = re.search(rf"```\n\$ {re.escape(command)}\n(.*?)\n```", PAGE, re.DOTALL)
    assert block is not None
    return rows(block[1])


def run(command: str, cwd: Path, **changed: str) -> tuple[int, list[str]]:
    words = [changed.get(word, word) for word in command.split()[1:]]
    done = coatcheck(*words, cwd=cwd, COLUMNS="100")
    return done.returncode, rows(done.stdout)


def test_an_application(tmp_path: Path) -> None:
    shutil.copy(DOCS / "examples" / "hello.py", tmp_path)
    command = "coatcheck doctor hello:app --login-url /login --logout-url /logout --page /me"
    assert run(command, tmp_path) == (1, shown(command))  # for `development=True`
    with closing(sqlite3.connect(tmp_path / "hello.db")) as database:
        grouped = "SELECT subject, count(*) FROM coatcheck_sessions GROUP BY subject"
        owners = database.execute(grouped).fetchall()
    assert "about\nten sessions of visitors" in PAGE
    assert owners == [(None, 10)]


def test_a_store(tmp_path: Path) -> None:
    command = "coatcheck doctor --store redis://localhost:6379"
    with redis_server("--appendonly", "no", "--maxmemory-policy", "allkeys-lru") as redis:
        url = {"redis://localhost:6379": f"redis://localhost:{redis.port}"}
        assert run(command, tmp_path, **url) == (1, shown(command))


def test_every_check_is_in_the_table() -> None:
    names = {
        import_module(f"{checks.__name__}.{m.name}").NAME for m in iter_modules(checks.__path__)
    }
    assert set(re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)) == names
