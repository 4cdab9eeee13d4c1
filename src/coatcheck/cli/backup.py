"""`coatcheck export` and `coatcheck import`: what they say, and their exit codes."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, BinaryIO, NoReturn
from urllib.parse import unquote, urlsplit

import typer

from coatcheck.backup import export_sessions, import_sessions
from coatcheck.cli.progress import Bar
from coatcheck.config import store_from_url, without_driver
from coatcheck.errors import CoatcheckError, ConfigurationError, StoreUnavailable
from coatcheck.keyring import Keyring
from coatcheck.stores.protocol import Store

KEYS = "COATCHECK_BACKUP_KEYS"
STREAM = "-"
_AGAIN = {"export": "go on with --resume", "import": "to go on, run it again"}

_File = Annotated[str, typer.Argument(metavar="FILE", help="path of the file, or -")]
_Store = Annotated[str, typer.Option(envvar="COATCHECK_STORE", help="URL of the store")]
_KeyFile = Annotated[
    Path | None,
    typer.Option(help=f"file with keys as `coatcheck key` prints them; by default {KEYS} is read"),
]
_Resume = Annotated[bool, typer.Option("--resume", help="go on with an interrupted export")]


def export(file: _File, store: _Store, key_file: _KeyFile = None, resume: _Resume = False) -> None:
    """Write the sessions of a store into an encrypted file.

    Exits with 0 if all are in it, 1 if some could not be read, 2 if it could not be done.
    """

    async def work(store: Store, keyring: Keyring) -> int:
        to = _standard_output(resume) if file == STREAM else file
        with Bar("exporting") as bar:
            if bar.is_shown:
                bar.expect(await store.count(None))
            done = await export_sessions(store, to, keyring, resume=resume, on_progress=bar)
        _say(f"{done.sessions} sessions exported; expired and left out: {done.expired}")
        if done.unreadable:
            more = ", ..." if done.unreadable > len(done.unreadable_ids) else ""
            ids = ", ".join(done.unreadable_ids) + more
            _say(f"{done.unreadable} sessions cannot be read and are not in the file: {ids}")
        return int(done.unreadable > 0)

    _run("export", store, key_file, work, is_read=True)


def import_(file: _File, store: _Store, key_file: _KeyFile = None) -> None:
    """Put the sessions of a file into a store; what is there already stays as it is.

    Exits with 0 if that was done to all, 2 if not. Then run it again: it does what is left.
    """

    async def work(store: Store, keyring: Keyring) -> int:
        source = sys.stdin.buffer if file == STREAM else file
        with Bar("importing", _size(file)) as bar:
            done = await import_sessions(store, source, keyring, on_progress=bar)
        _say(
            f"{done.imported} sessions imported; there already: {done.there}, ended since: "
            f"{done.ended}, expired: {done.expired}"
        )
        return 0

    _run("import", store, key_file, work)


def _run(
    command: str,
    url: str,
    key_file: Path | None,
    work: Callable[[Store, Keyring], Awaitable[int]],
    *,
    is_read: bool = False,
) -> NoReturn:
    """Do it with the store and the keys; exit, and say why where it failed."""

    async def run() -> int:
        keyring = _keyring(key_file)
        store = _opened(url, is_read=is_read)
        try:
            return await work(store, keyring)
        finally:
            await store.close()

    try:
        code = asyncio.run(run())
    except KeyboardInterrupt:
        _say(f"coatcheck {command}: stopped; {_AGAIN[command]}")
        code = 130
    except StoreUnavailable as error:
        _say(f"coatcheck {command}: {error}; {_AGAIN[command]}")
        code = 2
    except CoatcheckError as error:
        _say(f"coatcheck {command}: {error}")
        code = 2
    except OSError as error:
        _say(f"coatcheck {command}: {_of_file(error)}")
        code = 2
    except Exception as error:  # its text may hold anything
        at = extract_tb(error.__traceback__)[-1]
        said = f"failed by {type(error).__name__} in {at.name}, {at.filename}:{at.lineno}"
        _say(f"coatcheck {command}: {said}")
        code = 2
    raise typer.Exit(code)


def _of_file(error: OSError) -> str:
    """Say what is wrong with a file, whose name comes first; it may be in a folder that is none."""
    if error.filename is None:
        return str(error)
    path = Path(error.filename)
    if not isinstance(error, FileNotFoundError):
        return f"{path}: {error.strerror}"
    if path.parent.is_dir():
        return f"{path}: there is no such file"
    return f"{path.parent}: there is no such folder"


def _keyring(key_file: Path | None) -> Keyring:
    if key_file is not None:
        return Keyring.parse(key_file.read_text(encoding="utf-8"), setting=str(key_file))
    try:
        return Keyring.from_env(KEYS)
    except ConfigurationError as error:
        raise ConfigurationError(KEYS, f"{error.problem}; or name a --key-file") from None


def _opened(url: str, *, is_read: bool) -> Store:
    """Return the store; one that is read has to be there already.

    Raises:
        ConfigurationError: it is not, or the URL names none that outlives this command.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        raise ConfigurationError("--store", "memory: is another memory in each process")
    if is_read and parts.scheme == "sqlite" and not Path(unquote(parts.path[1:])).is_file():
        raise ConfigurationError("--store", f"{unquote(parts.path[1:])} is no file")
    return store_from_url(without_driver(url))


def _standard_output(resume: bool) -> BinaryIO:
    if resume:
        raise ConfigurationError("--resume", "what went to standard output cannot be gone on with")
    if sys.stdout.isatty():
        raise ConfigurationError("FILE", "a terminal shows no file: redirect standard output")
    return sys.stdout.buffer


def _size(file: str) -> int | None:
    return None if file == STREAM else Path(file).stat().st_size


def _say(text: str) -> None:
    typer.echo(text, err=True)
