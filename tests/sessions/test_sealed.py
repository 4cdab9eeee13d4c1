"""Encryption: what is stored is read by nobody, changed by nobody, and survives new keys."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from redis.asyncio import Redis

from coatcheck import (
    BlockingSessions,
    Client,
    Compressed,
    Event,
    Happened,
    Keyring,
    MemoryStore,
    Sealed,
    Sessions,
    SQLiteStore,
    Standing,
    Store,
    Token,
    store_from_url,
)
from coatcheck.core.envelope import Checked, Envelope
from coatcheck.core.record import Record
from coatcheck.errors import ConfigurationError, Undecodable
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import Clock
from coatcheck.testing.stores import make_record

ABOUT = b"a record"
K1, K2, K3 = (Keyring.new_key() for _ in range(3))
SECRET = "chestnut-sparrow"
KINDS: dict[str, Callable[[Envelope], Envelope]] = {
    "sealed": lambda sealed: sealed,
    "compressed": lambda sealed: Compressed(sealed, above=64),
}


def ring(*keys: str) -> Sealed:
    return Sealed(Keyring(*keys))


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


# The envelope by itself


@given(st.binary(max_size=400), st.binary(max_size=60))
def test_what_is_sealed_comes_back(content: bytes, about: bytes) -> None:
    envelope = ring(K1)
    payload = envelope.wrap(content, about)
    assert envelope.unwrap(payload, about) == content
    assert len(payload) == len(content) + 33


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_it_comes_back_for_its_own_record_only(content: bytes, about: bytes, other: bytes) -> None:
    """R-014. Fails when `about` is neither in the key nor in the associated data."""
    assume(other != about)
    payload = ring(K1).wrap(content, about)
    with pytest.raises(Undecodable):
        ring(K1).unwrap(payload, other)


def test_no_bit_can_be_changed() -> None:
    """R-014: of format, key id, nonce, ciphertext and tag."""
    envelope = ring(K1, K2)
    payload = envelope.wrap(b"twelve bytes", ABOUT)
    for bit in range(len(payload) * 8):
        flipped = bytearray(payload)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Undecodable):
            envelope.unwrap(bytes(flipped), ABOUT)


def test_nothing_can_be_cut_off_or_put_behind() -> None:
    envelope = ring(K1)
    payload = envelope.wrap(b"data", ABOUT)
    for length in range(len(payload)):
        with pytest.raises(Undecodable):
            envelope.unwrap(payload[:length], ABOUT)
    with pytest.raises(Undecodable):
        envelope.unwrap(payload + b"\0", ABOUT)


@given(st.binary(max_size=80))
def test_what_was_not_sealed_is_refused(payload: bytes) -> None:
    """R-015. Fails when anything falls back to another way of reading."""
    for attempt in (
        payload,
        Checked().wrap(payload, ABOUT),
        ring(K1).wrap(b"", ABOUT)[:5] + payload,
    ):
        with pytest.raises(Undecodable):
            ring(K1).unwrap(attempt, ABOUT)


def test_the_key_id_is_not_a_hint_but_bound() -> None:
    """R-014: fails when the header is left out of the associated data and the keys are one."""
    payload = ring(K1).wrap(b"data", ABOUT)
    relabelled = payload[:1] + ring(K2).wrap(b"", ABOUT)[1:5] + payload[5:]
    with pytest.raises(Undecodable, match="forged"):
        ring(K1, K2).unwrap(relabelled, ABOUT)


def test_equal_data_is_sealed_differently_each_time() -> None:
    envelope = ring(K1)
    assert len({envelope.wrap(b"data", ABOUT) for _ in range(200)}) == 200


def test_an_unknown_key_opens_nothing_and_none_is_tried() -> None:
    """R-016: the error names the key by its id."""
    payload = ring(K1).wrap(b"data", ABOUT)
    with pytest.raises(Undecodable, match=Keyring(K1).ids[0]):
        ring(K2, K3).unwrap(payload, ABOUT)


def test_the_newest_key_seals_and_all_open() -> None:
    old, both, new = ring(K1), ring(K2, K1), ring(K2)
    assert both.unwrap(old.wrap(b"data", ABOUT), ABOUT) == b"data"
    assert new.unwrap(both.wrap(b"data", ABOUT), ABOUT) == b"data"
    announced = ring(K1, K2)  # for servers that are restarted one after the other
    assert old.unwrap(announced.wrap(b"data", ABOUT), ABOUT) == b"data"


# Settings


@pytest.mark.parametrize(
    ("setting", "make"),
    [
        ("keyring", lambda: Sealed(K1)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        ("envelope", lambda: Sessions(MemoryStore(), envelope=Sealed)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        ("envelope", lambda: BlockingSessions(MemoryStore(), envelope=Keyring(K1))),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        (
            "accept_plain_until",
            lambda: Sealed(Keyring(K1), accept_plain_until=True),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        ),
        (
            "accept_plain_until",
            lambda: Sealed(Keyring(K1), accept_plain_until=datetime(2030, 1, 1)),  # noqa: DTZ001
        ),
        (
            "accept_plain_until",
            lambda: Sealed(Keyring(K1), accept_plain_until=datetime(9999, 1, 1, tzinfo=UTC)),
        ),
    ],
    ids=["a key", "a class", "a keyring", "yes", "no offset", "for ever"],
)
def test_a_wrong_setting_is_named(setting: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        make()
    assert wrong.value.setting == setting
    assert K1 not in str(wrong.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(ConfigurationError, match=r"coatcheck\[encryption\] installed"):
        ring(K1)


# In sessions, over every store


class Site:
    """A store, and sessions that are set up anew over it, as after a deployment."""

    def __init__(self, store: Store, clock: Clock, kind: Callable[[Envelope], Envelope]) -> None:
        self.store, self.clock, self.kind = store, clock, kind
        self.events: list[Event] = []
        self.sessions = Sessions(store, clock=clock)

    def deploy(self, envelope: Envelope | None) -> None:
        envelope = envelope and self.kind(envelope)
        self.sessions = Sessions(
            self.store, clock=self.clock, envelope=envelope, on_event=self.events.append
        )

    async def sign_in(self, subject: str, **data: Any) -> Token:
        session = await self.sessions.open(None)
        session.sign_in(subject)
        session.update(data)
        token = (await self.sessions.commit(session)).token
        assert token is not None
        return token

    async def put(self, token: Token, **data: Any) -> None:
        session = await self.sessions.open(token)
        assert session.standing is Standing.CURRENT
        session.update(data)
        await self.sessions.commit(session)

    async def record(self, token: Token) -> Record:
        record = await self.store.load(token.id)
        assert isinstance(record, Record)
        return record

    async def key(self, token: Token) -> bytes:
        return (await self.record(token)).payload[:5]

    async def standing(self, token: Token) -> Standing:
        return (await self.sessions.open(token)).standing

    async def is_refused(self, token: Token) -> bool:
        """Tell whether a token opens nothing, and that was reported."""
        self.events.clear()
        session = await self.sessions.open(token)
        told = [event.kind for event in self.events]
        return (session.standing, session.subject, dict(session), told) == (
            Standing.UNREADABLE,
            None,
            {},
            [Happened.UNREADABLE],
        )


@pytest.fixture(params=list(KINDS))
def site(store: Store, clock: Clock, request: pytest.FixtureRequest) -> Site:
    site = Site(store, clock, KINDS[request.param])
    site.deploy(ring(K1))
    return site


async def test_keys_change_and_nobody_is_signed_out(site: Site) -> None:
    """R-016, M23: [K1], [K2, K1], [K2]."""
    token, idle = await site.sign_in("alice", likes=SECRET * 40), await site.sign_in("bob", n=1)
    first = await site.key(token)
    site.deploy(ring(K2, K1))
    session = await site.sessions.open(token)
    assert (session.subject, session.get("likes")) == ("alice", SECRET * 40)
    await site.sessions.commit(session)
    assert await site.key(token) == first, "a read writes nothing"
    await site.put(token, more=1)
    second = await site.key(token)
    assert second == b"\x02" + bytes.fromhex(Keyring(K2).ids[0]) != first
    site.deploy(ring(K2))
    session = await site.sessions.open(token)
    assert (session.subject, session["likes"], session["more"]) == ("alice", SECRET * 40, 1)
    assert await site.is_refused(idle)
    site.deploy(ring(K2, K1))
    assert await site.standing(idle) is Standing.CURRENT, "it was left where it is"


async def test_servers_change_to_a_new_key_one_after_the_other(site: Site) -> None:
    """Each opens what the others seal, if the new key was announced to all before it seals."""
    token = await site.sign_in("alice", n=0)
    rings = [(K1,), (K1, K2), (K1,), (K1, K2), (K2, K1), (K1, K2), (K2, K1), (K2,)]
    for n, keys in enumerate(rings):
        site.deploy(ring(*keys))
        await site.put(token, n=n)
    assert (await site.sessions.open(token))["n"] == len(rings) - 1


async def test_a_change_of_keys_is_told_once_for_each_old_key(site: Site) -> None:
    """R-106. Fails when each session tells of it, or a read does; no key is in it."""

    def told() -> list[tuple[object, ...]]:
        kinds = [event for event in site.events if event.kind is Happened.KEY_CHANGED]
        return [(e.id, e.subject, e.actor, dict(e.facts)) for e in kinds]

    ids = Keyring(K3, K2, K1).ids
    one, two = await site.sign_in("alice", n=1), await site.sign_in("bob", n=1)
    await site.put(one, n=2)
    assert told() == []
    site.deploy(ring(K2, K1))
    await site.sessions.commit(await site.sessions.open(one))
    assert told() == []
    for token in (one, two, one):
        await site.put(token, n=3)
    assert told() == [(one.id, "alice", "system", {"old_key": ids[2], "new_key": ids[1]})]
    site.events.clear()
    three = await site.sign_in("carol", n=1)
    site.deploy(ring(K1))
    four = await site.sign_in("dave", n=1)
    site.deploy(ring(K3, K2, K1))
    for token in (three, one, four):
        await site.put(token, n=4)
    assert [facts for *_, facts in told()] == [
        {"old_key": ids[1], "new_key": ids[0]},
        {"old_key": ids[2], "new_key": ids[0]},
    ]
    assert not any(key in repr(site.events) for key in (K1, K2, K3))


async def test_a_visitors_data_that_moves_to_a_new_key_tells_too(site: Site) -> None:
    session = await site.sessions.open(None)
    session["cart"] = 1
    token = (await site.sessions.commit(session)).token
    site.deploy(ring(K2, K1))
    session = await site.sessions.open(token)
    session.sign_in("alice")
    await site.sessions.commit(session)
    told = [event.facts for event in site.events if event.kind is Happened.KEY_CHANGED]
    assert told == [{"old_key": Keyring(K1).ids[0], "new_key": Keyring(K2).ids[0]}]


async def test_activity_rewrites_nothing(site: Site, clock: Clock) -> None:
    token = await site.sign_in("alice", n=1)
    before = (await site.record(token)).payload
    site.deploy(ring(K2, K1))
    clock.move(minutes=10)
    await site.sessions.commit(await site.sessions.open(token))
    await site.sessions.flush()
    after = await site.record(token)
    assert after.seen_at == clock()
    assert after.payload == before
    assert await site.standing(token) is Standing.CURRENT


async def test_a_payload_opens_in_its_own_record_only(site: Site) -> None:
    """R-014: not in another session, though of the same user."""
    victim, mine = await site.sign_in("alice", n=1), await site.sign_in("alice", n=2)
    theirs, own = await site.record(victim), await site.record(mine)
    await site.store.save(_following(own, payload=theirs.payload), own)
    assert await site.is_refused(mine)
    assert await site.standing(victim) is Standing.CURRENT


async def test_a_payload_of_before_a_privilege_change_opens_no_more(site: Site) -> None:
    token = await site.sign_in("alice", cart="cheap")
    earlier = (await site.record(token)).payload
    session = await site.sessions.open(token)
    session["cart"] = "dear"
    token = (await site.sessions.rotate(session)).token or token
    record = await site.record(token)
    await site.store.save(_following(record, payload=earlier), record)
    assert await site.is_refused(token)


@pytest.mark.parametrize(
    "change",
    [{"subject": "bob"}, {"assurance": 3}, {"ends_at": 2**42}, {"idle": 10**9}],
    ids=lambda change: next(iter(change)),
)
async def test_a_field_that_says_who_and_how_long_cannot_be_changed(
    site: Site, change: dict[str, Any]
) -> None:
    """R-014. Fails for what the payload is not bound to."""
    token = await site.sign_in("alice", n=1)
    record = await site.record(token)
    await site.store.save(_following(record, **change), record)
    assert await site.is_refused(token)


async def test_nobody_puts_a_token_of_their_own_into_a_record(site: Site) -> None:
    """Who can write to the store cannot take a session over. Fails without the lineage."""
    await site.sign_in("mallory", n=1)
    victim = await site.sign_in("alice", n=1)
    record = await site.record(victim)
    forged = Token(victim.id, "A" * 22, "A" * 43)
    lineage, digest = forged.digests()
    await site.store.save(_following(record, lineage_digest=lineage, digest=digest), record)
    assert await site.is_refused(forged)


async def test_plain_records_are_refused_where_encryption_is_on(site: Site) -> None:
    """R-015."""
    site.deploy(None)
    token = await site.sign_in("alice", n=1)
    site.deploy(ring(K1))
    assert await site.is_refused(token)
    site.deploy(Sealed(Keyring(K1), accept_plain_until=datetime.now(UTC) - timedelta(seconds=1)))
    assert await site.is_refused(token)


async def test_encryption_is_turned_on_and_nobody_is_signed_out(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain and sealed ones side by side for a while; what is written is sealed."""
    site.deploy(None)
    token, other = await site.sign_in("alice", n=1), await site.sign_in("bob", n=1)
    with caplog.at_level(logging.WARNING, "coatcheck"):
        site.deploy(Sealed(Keyring(K1), accept_plain_until=soon()))
    assert "not encrypted are accepted until" in caplog.text
    await site.put(token, n=2)
    told = [event.facts for event in site.events if event.kind is Happened.KEY_CHANGED]
    assert told == [{"old_key": "none", "new_key": Keyring(K1).ids[0]}]
    assert (await site.key(token))[:1] == b"\x02"
    assert await site.standing(other) is Standing.CURRENT
    site.deploy(ring(K1))
    assert await site.standing(token) is Standing.CURRENT
    assert await site.is_refused(other)


async def test_a_plain_record_that_is_damaged_is_refused_while_they_are_accepted(
    site: Site,
) -> None:
    site.deploy(None)
    token = await site.sign_in("alice", n=1)
    site.deploy(Sealed(Keyring(K1), accept_plain_until=soon()))
    record = await site.record(token)
    await site.store.save(_following(record, subject="bob"), record)
    assert await site.is_refused(token)


async def test_concurrent_edits_merge_as_ever(site: Site) -> None:
    token = await site.sign_in("alice", n=0)
    one, other = await site.sessions.open(token), await site.sessions.open(token)
    one["one"], other["other"] = "1" * 100, "2" * 100
    for session in (one, other):
        session.edit(lambda data: data.update(n=data["n"] + 1))
        await site.sessions.commit(session)
    session = await site.sessions.open(token)
    assert (session["one"], session["other"], session["n"]) == ("1" * 100, "2" * 100, 2)
    session.privilege_changed()
    rotated = (await site.sessions.commit(session)).token
    assert (await site.sessions.open(rotated))["n"] == 2


@pytest.mark.parametrize("is_sealed", [True, False])
async def test_a_dump_of_the_store_shows_no_data(
    store_url: str, clock: Clock, tmp_path: Path, is_sealed: bool
) -> None:
    """M23. Who the user is, and where from, is shown; that is what listing and ending need."""
    store = store_from_url(store_url)
    envelope = ring(K1) if is_sealed else None
    sessions = Sessions(store, clock=clock, envelope=envelope)
    session = await sessions.open(None, client=Client("192.0.2.7", "Firefox on Linux"))
    session.sign_in("user-4711")
    session.update(favourite=SECRET, address={"street": "Elm Street 7"})
    await sessions.commit(session)
    dumped = await dump(store, store_url, tmp_path)
    shown = [word for word in (SECRET, "Elm Street", "favourite") if word.encode() in dumped]
    assert shown == ([] if is_sealed else [SECRET, "Elm Street", "favourite"])
    for readable in ("user-4711", "192.0.2.7", "Firefox on Linux"):
        assert readable.encode() in dumped
    await sessions.close()


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def dump(store: Store, url: str, folder: Path) -> bytes:
    """Return all bytes that a store has."""
    if isinstance(store, MemoryStore):
        return repr([tuple(each) for each in store._stored.values()]).encode()  # pyright: ignore[reportPrivateUsage]
    if isinstance(store, SQLiteStore):
        return contents(folder)
    if isinstance(store, SQLStore):
        rows = (await store.page(None, None, 100)).records
        return repr([tuple(each) for each in rows]).encode()
    server, _, prefix = url.partition("?prefix=")
    client: Any = Redis.from_url(server)  # pyright: ignore[reportUnknownMemberType]
    found = b""
    async for key in client.scan_iter(f"{prefix}:*"):
        is_text = await client.type(key) == b"string"
        value = await (client.get(key) if is_text else client.zrange(key, 0, -1))
        found += key + b" " + (value if is_text else b" ".join(value)) + b"\n"
    await client.aclose()
    return found


def _following(record: Record, **fields: Any) -> Record:
    return record._replace(version=record.version + 1, stamp=make_record().stamp, **fields)
