"""The commands of the page on backups say what the page says, and its program runs."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from coatcheck import Keyring, store_from_url
from coatcheck.core.record import Record
from coatcheck.testing.stores import make_record
from tests.backup.filled import all_of, of_alice, put
from tests.docs.test_examples import load
from tests.doctor.conftest import coatcheck

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "backup.md").read_text()
SHOWN = re.findall(r"```\n\$ (.*)\n(.*)\n```", PAGE)
SESSIONS = [*of_alice(3), make_record(seen_at=1, ends_at=2)]


def fill(url: str, records: Iterable[Record]) -> None:
    asyncio.run(put(store_from_url(url), records))


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill("sqlite:///shop.db", SESSIONS)
    (tmp_path / "backup.key").write_text(coatcheck("key", cwd=tmp_path).stdout)
    assert len(SHOWN) == 3
    for command, said in SHOWN:
        done = coatcheck(*command.split()[1:], cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{said}\n")


def test_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COATCHECK_BACKUP_KEYS", Keyring.new_key())
    fill("sqlite:///sessions.db", SESSIONS)
    load("backup").main()
    assert capsys.readouterr().out == "3\n"
    restored = asyncio.run(all_of(store_from_url("sqlite:///restored.db")))
    assert set(restored) == {record.id for record in SESSIONS[:3]}
