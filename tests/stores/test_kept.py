"""What was decoded is given out again for the same bytes alone, and not all of it is kept."""

import pytest

from coatcheck.core.record import Record
from coatcheck.errors import Undecodable
from coatcheck.stores import kept
from coatcheck.stores.kept import Kept
from coatcheck.testing import make_record

RECORD = make_record(id="a")


class Decoder:
    """Notes what it decodes."""

    def __init__(self) -> None:
        self.decoded: list[tuple[str, bytes, int]] = []
        self.kept = Kept(self.decode)

    def decode(self, id: str, value: bytes, seen_at: int) -> Record:
        self.decoded.append((id, value, seen_at))
        if value == b"damaged":
            raise Undecodable("damaged")
        return RECORD._replace(id=id, payload=value, seen_at=seen_at)

    def read(self, id: str, value: bytes, seen_at: int) -> Record:
        """Read, and see that it is what decoding anew would give."""
        record = self.kept.read(id, value, seen_at)
        assert (record.id, record.payload, record.seen_at) == (id, value, seen_at)
        return record


@pytest.fixture
def decoder() -> Decoder:
    return Decoder()


def test_the_same_bytes_are_decoded_once(decoder: Decoder) -> None:
    assert decoder.read("a", b"1", 5) is decoder.read("a", bytes([49]), 5)
    assert len(decoder.decoded) == 1


def test_anything_else_is_decoded_anew(decoder: Decoder) -> None:
    """Fails when an id, a value or the last activity is not compared."""
    for read in (("a", b"1", 5), ("a", b"2", 5), ("a", b"2", 6), ("b", b"2", 6), ("a", b"1", 5)):
        decoder.read(*read)
    assert len(decoder.decoded) == 5


def test_what_is_damaged_is_damaged_each_time(decoder: Decoder) -> None:
    decoder.read("a", b"1", 5)
    for _ in range(2):
        with pytest.raises(Undecodable):
            decoder.read("a", b"damaged", 5)


def test_neither_many_nor_large_ones_fill_the_memory(
    decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when all that a server ever read stays in its memory."""
    monkeypatch.setattr(kept, "MOST", 10)
    records = [decoder.read(str(number), b"1", 5) for number in range(25)]
    again = [decoder.read(record.id, b"1", 5) for record in records]
    assert sum(new is old for new, old in zip(again, records, strict=True)) <= 10
    large = bytes(kept.LARGEST + 1)
    assert decoder.read("a", large, 5) is not decoder.read("a", large, 5)
