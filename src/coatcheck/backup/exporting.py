"""Write the sessions of a store into a file, a page at a time."""

import os
from pathlib import Path
from typing import BinaryIO

from coatcheck.backup.layout import SealedPages, new_header
from coatcheck.backup.part import Part
from coatcheck.backup.progress import Progress, nobody
from coatcheck.backup.report import Exported
from coatcheck.backup.writer import Writer
from coatcheck.keyring import Keyring
from coatcheck.stores.protocol import Store
from coatcheck.waiting import pause

PAGE = 250
"""Sessions asked for at once, and held in memory."""


async def export_sessions(
    store: Store,
    to: str | os.PathLike[str] | BinaryIO,
    keyring: Keyring,
    *,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> Exported:
    """Write all sessions of a store that are not over into an encrypted file (R-014).

    For a process of its own: it gives way to others after each page only. With any kind of store,
    `asyncio.run(export_sessions(...))` does. What changes meanwhile is in the file as it was before
    or after.

    Args:
        to: the path of a file that is not there yet, or a stream. A path gets its name once it is
            whole; until then it is beside it, with `.part` at its end, for its owner only.
        keyring: its newest key seals. It may be that of the application.
        resume: go on with a `.part` that is there. Where a position of the store means nothing
            later (Redis), it begins anew.
        on_progress: is told how many sessions are written, after each page.

    Raises:
        BackupRefused: something is in the way, or what is there cannot be gone on with.
        StoreUnavailable: the store did not answer; what was written so far stays.
        ConfigurationError: `coatcheck[encryption]` is not installed, or `keyring` is none.
        OSError: it cannot be written.
    """
    sealed = SealedPages(keyring)
    tell = on_progress or nobody
    await store.time()  # before anything is written, as it may not be there
    if not isinstance(to, str | os.PathLike):
        header = new_header()
        to.write(header)
        return await _export(store, Writer(to, sealed, header), Exported(), None, tell)
    part = Part(Path(to), sealed, resume=resume)
    try:
        exported = part.exported
        if not part.is_listed:
            exported = await _export(store, part.writer, exported, part.after, tell)
        elif not part.is_whole:
            part.writer.end(exported.sessions)
        part.finish()
    finally:
        part.close()
    return exported


async def _export(
    store: Store,
    writer: Writer,
    exported: Exported,
    after: str | None,
    tell: Progress,
) -> Exported:
    while True:
        now = await store.time()
        page = await store.page(None, after, PAGE)
        live = page._replace(records=[each for each in page.records if now < each.expires_at])
        if live.records or live.unreadable:
            writer.write(live)
        exported = exported.plus(live, len(page.records) - len(live.records))
        tell(exported.sessions)
        await pause(0)  # to others, and to a Ctrl-C
        if (after := page.next) is None:
            writer.end(exported.sessions)
            return exported
