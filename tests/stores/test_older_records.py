"""What an older version stored is read, and what is new in it is not known."""

import struct

import msgspec

from coatcheck import Client
from coatcheck.core.record import Record
from coatcheck.stores.packed import pack, unpack
from coatcheck.testing import make_record


def fields_of(value: bytes) -> list[object]:
    fields: list[object] = msgspec.msgpack.decode(value[HEADER:])
    return fields


HEADER = struct.calcsize(">cQ8sQ")
FIRST = 16
"""Fields of a record in the first version."""


def test_a_record_without_hints_is_one_of_a_client_that_nobody_asked() -> None:
    client = Client("192.0.2.1", "Chrome on Windows", "Windows", "de,en")
    record = make_record(subject="alice", client=client)
    value = pack(record)
    older = value[:HEADER] + msgspec.msgpack.encode(fields_of(value)[:FIRST])
    read = unpack(record.id, older)
    assert isinstance(read, Record)
    assert read == record._replace(client=Client("192.0.2.1", "Chrome on Windows", None, None))


def test_the_first_version_finds_its_fields_where_they_were() -> None:
    """It ignores what follows them: both versions may run while one takes the other's place."""
    record = make_record(client=Client("192.0.2.1", "curl", "", "de"), payload=b"data")
    fields = fields_of(pack(record))
    assert (fields[0], fields[13:FIRST]) == (record.id, ["192.0.2.1", "curl", b"data"])
    assert len(pack(record)) < 250
