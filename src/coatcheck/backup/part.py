"""An export that is not whole yet: a file beside the place where it shall be, for its owner only.

It gets its name once it is whole and on the disk, so that what has the name is whole. One that was
interrupted stays, and is read and checked to its last whole page before it is gone on with.
"""

import os
from pathlib import Path
from typing import BinaryIO

from coatcheck.backup.layout import HEADER_LENGTH, SealedPages, new_header
from coatcheck.backup.reader import CutOff, Reader
from coatcheck.backup.report import Exported
from coatcheck.backup.writer import Writer
from coatcheck.core.token import is_id
from coatcheck.errors import BackupRefused

SUFFIX = ".part"


class Part:
    """What was exported so far.

    Args:
        resume: whether to go on with what is there, if something is.

    Attributes:
        writer: adds to it.
        exported: what is in it.
        after: where the listing goes on; `None`: at its beginning.
        is_listed: whether the listing is at its end.
        is_whole: whether the file is.

    Raises:
        BackupRefused: something is in the way, or what is there cannot be gone on with.
        OSError: it cannot be written there.
    """

    def __init__(self, path: Path, sealed: SealedPages, *, resume: bool) -> None:
        self._path = path
        self._part = part = path.with_name(path.name + SUFFIX)
        if os.path.lexists(path):
            raise BackupRefused(f"{path} is there already: choose another name, or remove it")
        is_there = os.path.lexists(part)
        if is_there and not resume:
            raise BackupRefused(
                f"{part} is there, from an export that was interrupted: go on with it (--resume), "
                "or remove it"
            )
        self.exported = Exported()
        self.after: str | None = None
        self.is_listed = self.is_whole = False
        self._file = _opened(part, is_new=not is_there)
        try:
            self.writer = self._found(sealed) or self._new(sealed)
        except BaseException:
            self._file.close()
            raise

    def finish(self) -> None:
        """Give it its name, once all of it is on the disk."""
        os.fsync(self._file.fileno())
        self._part.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of the file. It stays, unless there is nothing in it to go on with."""
        if self._file.seek(0, os.SEEK_END) <= HEADER_LENGTH:
            self._part.unlink()
        self._file.close()

    def _new(self, sealed: SealedPages) -> Writer:
        self._file.seek(0)
        self._file.truncate()
        header = new_header()
        self._file.write(header)
        return Writer(self._file, sealed, header)

    def _found(self, sealed: SealedPages) -> Writer | None:
        """Check what is there, and go on behind it; what was begun of one page more goes.

        Only an id is a place in a listing that is still one later. A place of another kind, such as
        a cursor of Redis, means nothing to a server that was restarted, and sessions would be
        missed without a word: `None`, the export begins anew.
        """
        if self._file.seek(0, os.SEEK_END) < HEADER_LENGTH:
            return None
        self._file.seek(0)
        reader = Reader(self._file, sealed, str(self._part))
        exported, after, is_listed = self.exported, self.after, self.is_listed
        try:
            for page in reader:
                exported = exported.plus(page)
                after, is_listed = page.next, page.next is None
        except CutOff:
            self._file.seek(reader.offset)
            self._file.truncate()
        if after is not None and not is_id(after):
            return None
        self.exported, self.after, self.is_listed = exported, after, is_listed
        self.is_whole = reader.is_whole  # where the last page was empty, the end alone tells
        self.is_listed |= self.is_whole
        return Writer(self._file, sealed, reader.header, reader.number)


def _opened(path: Path, *, is_new: bool) -> BinaryIO:
    try:
        import fcntl  # noqa: PLC0415 - a backup can be read without
    except ImportError:  # on Windows
        needs = "needs a system with POSIX's locks, such as Linux or macOS"
        refusal = f"an export into a file {needs}; one to standard output (-) does not"
        raise BackupRefused(refusal) from None
    how = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.fdopen(os.open(path, how | (os.O_CREAT | os.O_EXCL if is_new else 0), 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not is_new:
            os.fchmod(file.fileno(), 0o600)
    except BlockingIOError:
        file.close()
        raise BackupRefused(f"{path} is being written by another export: let it end") from None
    return file
