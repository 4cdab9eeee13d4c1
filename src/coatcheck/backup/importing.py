"""Put the sessions of a file into a store, a page at a time."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from coatcheck.backup.layout import SealedPages
from coatcheck.backup.progress import Progress, nobody
from coatcheck.backup.reader import Reader
from coatcheck.backup.report import Imported
from coatcheck.backup.restore import Fate, restore
from coatcheck.core.record import Record
from coatcheck.keyring import Keyring
from coatcheck.stores.protocol import Page, Store
from coatcheck.waiting import Kind, pause

AT_ONCE = 32
"""Users whose sessions are put into a store for asyncio at the same time."""


async def import_sessions(
    store: Store,
    source: str | os.PathLike[str] | BinaryIO,
    keyring: Keyring,
    *,
    on_progress: Progress | None = None,
) -> Imported:
    """Put the sessions of a file into a store, where nothing is overwritten or revived.

    They keep their tokens, data and times. One that is there already stays as it is there; one that
    ended there stays ended, as does one of a user whose sessions were all ended after it was begun,
    for the day that a store remembers. A user's sessions get their order from when they were begun.

    After an interruption, run it again: it does what is left. For a process of its own, and with
    any kind of store, as `export_sessions` is.

    Args:
        source: the path of the file, or a stream.
        keyring: holds the key that it was exported with.
        on_progress: is told how many bytes are read, after each page.

    Raises:
        BackupRefused: the file is cut off, damaged, forged, of another version, or sealed by
            another key. The pages before are in the store, nothing of the bad one is.
        StoreUnavailable: the store did not answer; some of the sessions may be in it.
        ConfigurationError: `coatcheck[encryption]` is not installed, or `keyring` is none.
        OSError: it cannot be read.
    """
    sealed, tell = SealedPages(keyring), on_progress or nobody
    fates = Counter[Fate]()
    with _opened(source) as (file, name):
        reader = Reader(file, sealed, name)
        for page in reader:
            fates.update(await _put(store, page))
            tell(reader.offset)
            await pause(0)  # to others, and to a Ctrl-C
        tell(reader.offset)
    return Imported(**{fate.value: fates[fate] for fate in Fate})


async def _put(store: Store, page: Page) -> list[Fate]:
    """Put a page's records into the store, those of one user one after the other."""
    now = await store.time()
    groups: dict[str, list[Record]] = {}
    for record in page.records:
        whose = f"visitor {record.id}" if record.subject is None else f"user {record.subject}"
        groups.setdefault(whose, []).append(record)
    waiting = (restore(store, group, now) for group in groups.values())
    fates: list[Fate] = []
    while some := list(islice(waiting, AT_ONCE if store.kind is Kind.ASYNCIO else 1)):
        for done in await _all(some):
            fates += done
    return fates


async def _all(some: Sequence[Awaitable[list[Fate]]]) -> list[list[Fate]]:
    """Wait for all, to the end of each; raise what one of them raised."""
    if len(some) == 1:
        return [await some[0]]
    done = await asyncio.gather(*some, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    return [each for each in done if not isinstance(each, BaseException)]


@contextmanager
def _opened(source: str | os.PathLike[str] | BinaryIO) -> Generator[tuple[BinaryIO, str]]:
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            yield file, os.fspath(source)
    else:
        yield source, "the stream"
