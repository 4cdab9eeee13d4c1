"""Read a file of sessions page by page; what is not the very page that was written is refused."""

from collections.abc import Iterator
from typing import BinaryIO

from coatcheck.backup.layout import (
    END,
    FRAME,
    HEADER_LENGTH,
    MOST,
    NAME,
    PAGE,
    VERSION,
    SealedPages,
    place,
    unpack_end,
    unpack_page,
)
from coatcheck.errors import BackupRefused, Undecodable
from coatcheck.stores.protocol import Page

_PIECE = 1 << 20


class CutOff(BackupRefused):
    """The file ends before its end."""


class Reader:
    """Reads a file from its beginning.

    Args:
        name: of the file, for errors.

    Attributes:
        header: of the file.
        number: how many pages were read.
        sessions: how many sessions were in them.
        offset: where the last whole frame ended.
        is_whole: whether the end was read, and is the end.

    Raises:
        BackupRefused: it is no such file, or of another version.
    """

    def __init__(self, file: BinaryIO, sealed: SealedPages, name: str) -> None:
        self._file, self._sealed, self._name = file, sealed, name
        self.number = self.sessions = 0
        self.offset: int = 0
        self.is_whole = False
        self.header = self._take(HEADER_LENGTH)
        version = self.header[len(NAME) : -16]
        if not self.header.startswith(NAME):
            raise BackupRefused(f"{name} is no file that coatcheck exported")
        if version != VERSION:
            raise BackupRefused(f"{name} is of another version: use the coatcheck that made it")
        self.offset = HEADER_LENGTH

    def __iter__(self) -> Iterator[Page]:
        """Yield page after page, each once it is known to be what was written there.

        Raises:
            CutOff: the file ends too early.
            BackupRefused: what follows is damaged, forged or sealed by an unknown key.
        """
        while (page := self._next()) is not None:
            yield page

    def _next(self) -> Page | None:
        kind, length = FRAME.unpack(self._take(FRAME.size))
        if kind not in (PAGE, END) or length > MOST:
            raise self._damaged()
        content = self._open(self._take(length), kind)
        offset: int = self.offset + FRAME.size + length
        if kind == END:
            if unpack_end(content) != self.sessions or self._file.read(1):
                raise self._damaged()
            self.offset, self.is_whole = offset, True
            return None
        page, is_readable = unpack_page(content)
        if not is_readable:
            raise BackupRefused(
                f"{self._name}: page {self.number + 1} holds what this version cannot read: use "
                "the coatcheck that made it"
            )
        self.number += 1
        self.sessions += len(page.records)
        self.offset = offset
        return page

    def _open(self, sealed: bytes, kind: bytes) -> bytes:
        try:
            return self._sealed.unwrap(sealed, place(self.header, kind, self.number))
        except Undecodable:
            key = self._sealed.key_id(sealed)
            if key is None or self._sealed.knows(key):
                raise self._damaged() from None
            raise BackupRefused(
                f"{self._name}: page {self.number + 1} is sealed by key {key}, which is not among "
                "the keys given: give the one it was exported with"
            ) from None

    def _take(self, length: int) -> bytes:
        taken = bytearray()
        while len(taken) < length:  # in pieces, as the length itself is not to be trusted yet
            piece = self._file.read(min(_PIECE, length - len(taken)))
            if not piece:
                raise CutOff(
                    f"{self._name} is cut off after page {self.number}: take a whole copy of it"
                )
            taken += piece
        return bytes(taken)

    def _damaged(self) -> BackupRefused:
        return BackupRefused(
            f"{self._name}: page {self.number + 1} is damaged or forged: take a good copy of it"
        )
