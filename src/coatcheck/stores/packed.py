"""How a record is one string of bytes: a header of fixed width, then MessagePack.

The header is all that Redis's scripts and SQLite's conditions look at: a tag, version, stamp, and
the last activity, in 1, 8, 8 and 8 bytes. A tombstone is a tag of its own and MessagePack.
"""

import struct
from collections.abc import Mapping

import msgspec

from coatcheck.core.record import Client, Record, Stored, Tombstone
from coatcheck.errors import Undecodable
from coatcheck.stores.protocol import Page

RECORD, TOMBSTONE = b"R", b"T"
FOREIGN = b"?"
"""What stands for a value that is no string of bytes, so that no store of ours wrote it."""
_HEADER = struct.Struct(">cQ8sQ")


class _Body(msgspec.Struct, array_like=True, frozen=True):
    """What follows a record's header. Fields are only ever added at the end."""

    id: str
    subject: str | None
    lineage_digest: bytes
    digest: bytes
    former_digest: bytes | None
    former_until: int | None
    renew_nonce: bytes | None
    renewed_at: int
    created_at: int
    authenticated_at: int | None
    assurance: int
    idle: int
    ends_at: int
    address: str | None
    agent: str | None
    payload: bytes
    platform: str | None = None
    languages: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(_Body).decode
_decode_tombstone = msgspec.msgpack.Decoder(tuple[str, str, int, str | None, int]).decode


def expected(base: Record | None) -> bytes:
    """Return how the string must start for `base` to be what is stored; empty for nothing."""
    return b"" if base is None else RECORD + struct.pack(">Q8s", base.version, base.stamp)


def pack(record: Record) -> bytes:
    """Return the string of a record."""
    header = _HEADER.pack(RECORD, record.version, record.stamp, record.seen_at)
    return header + _encode(
        _Body(
            record.id,
            record.subject,
            record.lineage_digest,
            record.digest,
            record.former_digest,
            record.former_until,
            record.renew_nonce,
            record.renewed_at,
            record.created_at,
            record.authenticated_at,
            record.assurance,
            record.idle,
            record.ends_at,
            record.client.address,
            record.client.agent,
            record.payload,
            record.client.platform,
            record.client.languages,
        )
    )


def pack_tombstone(tombstone: Tombstone) -> bytes:
    """Return the string of a tombstone."""
    return TOMBSTONE + _encode(tombstone)


def unpack(id: str, value: bytes | None, touched_at: int = 0) -> Stored:
    """Return what `value` is, and that it is what was asked for (R-019).

    Args:
        touched_at: activity that is kept beside the value.

    Raises:
        Undecodable: it is damaged or belongs to another id.
    """
    if value is None:
        return None
    try:
        if value[:1] == TOMBSTONE:
            stored: Record | Tombstone = Tombstone(*_decode_tombstone(value[1:]))
        else:
            tag, version, stamp, seen_at = _HEADER.unpack_from(value)
            if tag != RECORD:
                raise Undecodable(f"value of session {id} is of an unknown kind")
            b = _decode_body(memoryview(value)[_HEADER.size :])
            seen_at = max(seen_at, touched_at)
            stored = Record(
                b.id, version, stamp, b.subject, b.lineage_digest, b.digest, b.former_digest,
                b.former_until, b.renew_nonce, b.renewed_at, b.created_at, b.authenticated_at,
                b.assurance, seen_at, b.idle, b.ends_at,
                Client(b.address, b.agent, b.platform, b.languages), b.payload,
            )  # fmt: skip
    except (msgspec.MsgspecError, struct.error, ValueError) as error:
        raise Undecodable(f"value of session {id} is damaged") from error
    if stored.id != id:
        raise Undecodable(f"value of session {id} belongs to another session")
    return stored


def page_of(found: Mapping[str, bytes], next: str | None) -> Page:
    """Return the records among the values, and the ids of what cannot be read, not tombstones."""
    records: list[Record] = []
    unreadable: list[str] = []
    for id, value in found.items():
        try:
            stored = unpack(id, value or None)
        except Undecodable:
            if value != FOREIGN:
                unreadable.append(id)
            continue
        if isinstance(stored, Record):
            records.append(stored)
    return Page(records, next, unreadable)
