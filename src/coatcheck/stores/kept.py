"""Records that were read lately: a value that comes again, byte for byte, is not decoded again."""

from collections.abc import Callable

from coatcheck.core.record import Record

MOST, LARGEST = 1_000, 4_096
"""How many records are kept, and how long their values may be, in bytes: 10 MB at the most."""


class Kept:
    """Decodes what a store reads each time, and keeps the records. Not for threads at once.

    A record is kept beside all that it was decoded from, and given out for nothing else. So it
    cannot be out of date, whoever wrote to the store.

    Args:
        decode: makes a record of an id, a value and the activity that is kept beside it.
    """

    def __init__(self, decode: Callable[[str, bytes, int], Record]) -> None:
        self._decode = decode
        self._records: dict[str, tuple[bytes, int, Record]] = {}

    def read(self, id: str, value: bytes, seen_at: int) -> Record:
        """Return the record.

        Raises:
            Undecodable: it is damaged.
        """
        kept = self._records.get(id)
        if kept is not None and kept[0] == value and kept[1] == seen_at:
            return kept[2]
        record = self._decode(id, value, seen_at)
        if len(value) <= LARGEST:
            if len(self._records) >= MOST:
                self._records.clear()
            self._records[id] = value, seen_at, record
        return record
