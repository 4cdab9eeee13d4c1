"""Write a file of sessions, a frame at a time."""

from typing import BinaryIO

from coatcheck.backup.layout import END, FRAME, MOST, PAGE, SealedPages, pack_end, pack_page, place
from coatcheck.errors import BackupRefused
from coatcheck.stores.protocol import Page


class Writer:
    """Adds frames to a file that has its header.

    Args:
        number: how many pages are in it already.
    """

    def __init__(self, file: BinaryIO, sealed: SealedPages, header: bytes, number: int = 0) -> None:
        self._file, self._sealed, self._header, self._number = file, sealed, header, number

    def write(self, page: Page) -> None:
        """Add a page.

        Raises:
            BackupRefused: it is too large to be read again.
            OSError: it cannot be written.
        """
        self._add(PAGE, pack_page(page))
        self._number += 1

    def end(self, sessions: int) -> None:
        """Add the end, and see that all is written."""
        self._add(END, pack_end(sessions))

    def _add(self, kind: bytes, content: bytes) -> None:
        sealed = self._sealed.wrap(content, place(self._header, kind, self._number))
        if len(sealed) > MOST:
            raise BackupRefused(f"sessions {MOST} bytes large do not fit into one page of a file")
        self._file.write(FRAME.pack(kind, len(sealed)) + sealed)
        self._file.flush()
