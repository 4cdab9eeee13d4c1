"""`coatcheck export` and `coatcheck import`: exit codes, what is said, and nothing secret in it."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from coatcheck import Keyring, SQLiteStore, Store, store_from_url
from coatcheck.cli.commands import app
from coatcheck.core.record import Record
from coatcheck.testing.stores import HOUR, make_record
from tests.backup.filled import all_of, of_alice, order, put
from tests.doctor.conftest import coatcheck

KEYS, STORE = "COATCHECK_BACKUP_KEYS", "COATCHECK_STORE"


@pytest.fixture(scope="module")
def key() -> str:
    """A key of this setting alone: one key for two settings is refused."""
    return Keyring.new_key()


@pytest.fixture
def source(tmp_path: Path) -> str:
    """The URL of a store that holds three sessions of alice's and one that is over."""
    url = f"sqlite:///{tmp_path / 'source.db'}"
    fill(url, [*of_alice(3), make_record(seen_at=1, ends_at=HOUR)])
    return url


@pytest.fixture
def aim(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'aim.db'}"


def fill(url: str, records: Iterable[Record]) -> None:
    async def work(store: Store) -> None:
        await put(store, records)
        await store.close()

    asyncio.run(work(store_from_url(url)))


def held(url: str) -> dict[str, Record]:
    async def work(store: Store) -> dict[str, Record]:
        found = await all_of(store)
        await store.close()
        return found

    return asyncio.run(work(store_from_url(url)))


def run(
    *arguments: str | Path,
    keys: str | None = None,
    store: str | None = None,
    given: bytes | None = None,
) -> Result:
    """Run the command here; keys and store are in its environment."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(app, words, input=given, env={KEYS: keys, STORE: store})


def environ(key: str) -> dict[str, str]:
    """Of a process of its own."""
    source = str(Path(sys.modules["coatcheck"].__file__ or "").parents[1])
    return {**os.environ, KEYS: key, "PYTHONPATH": source}


def test_there_and_back(source: str, aim: str, path: Path, key: str) -> None:
    done = run("export", path, "--store", source, keys=key)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "3 sessions exported; expired and left out: 1\n"
    done = run("import", path, "--store", aim, keys=key)
    assert (done.exit_code, done.stdout) == (0, "")
    said = "{} sessions imported; there already: {}, ended since: 0, expired: 0\n"
    assert done.stderr == said.format(3, 0)
    assert held(aim) == {id: each for id, each in held(source).items() if each.subject}
    assert run("import", path, "--store", aim, keys=key).stderr == said.format(0, 3)


def test_streams_a_key_file_and_a_store_from_the_environment(
    source: str, aim: str, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"# ours\n{Keyring.new_key()}\n")
    done = run("export", "-", "--key-file", keys, store=source)
    assert done.exit_code == 0
    assert done.stdout_bytes.startswith(b"coatcheck sessions 1\n")
    given = done.stdout_bytes
    done = run("import", "-", "--key-file", keys, given=given, store=aim)
    assert (done.exit_code, len(held(aim))) == (0, 3)


def test_what_cannot_be_read_is_an_exit_code(source: str, path: Path, key: str) -> None:
    bad = next(id for id, each in held(source).items() if each.subject)
    store = SQLiteStore(source.removeprefix("sqlite:///"))
    damage = "UPDATE coatcheck_sessions SET record = x'3f' WHERE id = ?"
    store._file.run(lambda db: db.execute(damage, (bad,)), 1)  # pyright: ignore[reportPrivateUsage]
    done = run("export", path, "--store", source, keys=key)
    assert done.exit_code == 1
    assert f"1 sessions cannot be read and are not in the file: {bad}\n" in done.stderr
    assert path.exists()


def test_a_bad_file_is_refused_and_what_came_before_stays(
    source: str, aim: str, path: Path, key: str
) -> None:
    assert run("export", path, "--store", source, keys=key).exit_code == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    done = run("import", path, "--store", aim, keys=key)
    assert done.exit_code == 2
    assert done.stderr == (
        f"coatcheck import: {path} is cut off after page 1: take a whole copy of it\n"
    )
    assert len(held(aim)) == 3


@pytest.mark.parametrize(
    ("arguments", "keys", "said"),
    [
        (["export", "x", "--store", "SOURCE"], None, f"{KEYS}: holds no key; make one with"),
        (["export", "x", "--store", "SOURCE"], None, "or name a --key-file"),
        (["import", "x", "--store", "SOURCE"], None, f"{KEYS}: holds no key"),
        (["export", "x", "--store", "SOURCE"], "hunter2", "key 1 is none"),
        (
            ["export", "x", "--store", "SOURCE", "--key-file", "no"],
            None,
            ": no: there is no such file",
        ),
        (["export", "x", "--store", "memory:"], "KEY", "another memory"),
        (["import", "x", "--store", "memory:"], "KEY", "another memory"),
        (["export", "x", "--store", "sqlite:///no.db"], "KEY", "no.db is no file"),
        (["export", "x", "--store", "redis://:hunter2@127.0.0.1:1/0"], "KEY", "--resume"),
        (["import", "there", "--store", "redis://:hunter2@127.0.0.1:1/0"], "KEY", "is cut off"),
        (["import", "no", "--store", "SOURCE"], "KEY", ": no: there is no such file"),
        (["import", ".", "--store", "SOURCE"], "KEY", ": .: Is a directory"),
        (["export", "no/x", "--store", "SOURCE"], "KEY", ": no: there is no such folder"),
        (["export", "-", "--resume", "--store", "SOURCE"], "KEY", "--resume: what went"),
        (["export", "x", "--store", "mongo://hunter2"], "KEY", "names no known store"),
        (["export", "there", "--store", "SOURCE"], "KEY", "choose another name"),
    ],
)
def test_what_cannot_be_done_is_said_without_secrets(
    arguments: list[str],
    keys: str | None,
    said: str,
    source: str,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    words = [source if word == "SOURCE" else word for word in arguments]
    done = run(*words, keys=key if keys == "KEY" else keys)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "hunter2" not in done.stderr
    assert key not in done.stderr
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "no.db").exists()


def test_a_store_that_is_away_is_tried_again(source: str, path: Path, key: str) -> None:
    assert run("export", path, "--store", source, keys=key).exit_code == 0
    done = run("import", path, "--store", "redis://:hunter2@127.0.0.1:1/0", keys=key)
    assert done.exit_code == 2
    assert done.stderr.endswith("; to go on, run it again\n")
    assert "hunter2" not in done.stderr


def test_a_disk_that_is_full_is_no_success(source: str, key: str) -> None:
    words = [sys.executable, "-m", "coatcheck.cli", "export", "-", "--store", source]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            words, stdout=full, stderr=subprocess.PIPE, env=environ(key), check=False
        )
    assert done.returncode == 2
    assert b"No space left" in done.stderr


def test_keys_are_no_arguments(source: str, path: Path, key: str) -> None:
    """What stands on a command line is seen by everybody on the machine."""
    done = run("export", path, "--store", source, "--key", key)
    assert done.exit_code == 2
    assert not path.exists()


def test_an_interrupted_one_is_gone_on_with(source: str, path: Path, key: str) -> None:
    part = path.with_name(path.name + ".part")
    part.touch()
    done = run("export", path, "--store", source, keys=key)
    assert done.exit_code == 2
    assert "go on with it (--resume), or remove it" in done.stderr
    done = run("export", path, "--resume", "--store", source, keys=key)
    assert (done.exit_code, path.exists(), part.exists()) == (0, True, False)


def test_processes_of_their_own(source: str, aim: str, tmp_path: Path, key: str) -> None:
    given = {KEYS: key}
    done = coatcheck("export", "all.backup", "--store", source, cwd=tmp_path, **given)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "3 sessions exported; expired and left out: 1\n"
    assert (tmp_path / "all.backup").stat().st_mode & 0o077 == 0
    done = coatcheck("import", "all.backup", "--store", aim, cwd=tmp_path, **given)
    assert (done.returncode, done.stdout) == (0, "")
    alice = {id: each for id, each in held(source).items() if each.subject}
    assert held(aim) == alice
    ordered = sorted(alice.values(), key=lambda record: record.created_at)
    assert asyncio.run(order(store_from_url(aim), "alice")) == [each.id for each in ordered]


@pytest.mark.parametrize("command", ["export", "import"])
def test_a_terminal_gets_a_bar(command: str, source: str, path: Path, key: str, aim: str) -> None:
    """On standard error; and standard output is not for it."""
    if command == "import":
        assert run("export", path, "--store", source, keys=key).exit_code == 0
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "coatcheck.cli", command, str(path), "--store"]
    given = {**environ(key), "TERM": "xterm", "COLUMNS": "80"}
    words.append(source if command == "export" else aim)
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=theirs, env=given, check=True)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.stdout == b""
    assert f"{command}ing" in shown
    assert ("75%" if command == "export" else "100%") in shown  # one of four is over
    assert "3 sessions" in shown


def test_no_file_goes_to_a_terminal(source: str, key: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "coatcheck.cli", "export", "-", "--store", source]
    done = subprocess.run(
        words, stdout=theirs, stderr=subprocess.PIPE, env=environ(key), check=False, cwd=tmp_path
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert b"a terminal shows no file" in done.stderr


def test_it_needs_no_more_than_one_of_the_keys(source: str, aim: str, path: Path) -> None:
    old, new = Keyring.new_key(), Keyring.new_key()
    assert run("export", path, "--store", source, keys=old).exit_code == 0
    done = run("import", path, "--store", aim, keys=new)
    assert done.exit_code == 2
    assert "is not among the keys given: give the one it was exported with" in done.stderr
    assert run("import", path, "--store", aim, keys=f"{new} {old}").exit_code == 0


STOPPED = """
import os, signal, sys
from coatcheck import SQLiteStore
from coatcheck.backup import exporting
from coatcheck.cli.commands import app

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
exporting.PAGE, method, calls = 1, sys.argv.pop(1), [0]
original = getattr(SQLiteStore, method)

async def stopped(*arguments):
    calls[0] += 1
    if calls[0] == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return await original(*arguments)

setattr(SQLiteStore, method, stopped)
app(prog_name="coatcheck")
"""


def stopped(method: str, *words: str | Path, key: str) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process that gets a Ctrl-C as a store is called the second time."""
    return subprocess.run(
        [sys.executable, "-c", STOPPED, method, *map(str, words)],
        env=environ(key),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def test_ctrl_c_stops_it_and_it_goes_on(source: str, aim: str, path: Path, key: str) -> None:
    """Fails when a store that never waits lets nobody stop it."""
    done = stopped("page", "export", path, "--store", source, key=key)
    assert (done.returncode, done.stderr) == (
        130,
        "coatcheck export: stopped; go on with --resume\n",
    )
    assert not path.exists()
    done = stopped("close", "export", path, "--resume", "--store", source, key=key)
    assert done.returncode == 0
    done = stopped("enlist", "import", path, "--store", aim, key=key)
    assert (done.returncode, done.stderr) == (
        130,
        "coatcheck import: stopped; to go on, run it again\n",
    )
    assert len(held(aim)) < 3
    assert run("import", path, "--store", aim, keys=key).exit_code == 0
    assert len(held(aim)) == 3
