"""Defences that are no setting, each taken out of the library by a small patch while it serves.

What `tools.removals` takes out of the source, these take out of the running process.
"""

import json
import pickle
import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from importlib import import_module
from itertools import count
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import unquote

import msgspec

from coatcheck import Sessions
from coatcheck.codec import MessagePackCodec
from coatcheck.core import change as core_change
from coatcheck.core.change import Change
from coatcheck.core.draft import following, promoted
from coatcheck.core.envelope import Checked
from coatcheck.core.intents import SignIn
from coatcheck.core.presented import Presented
from coatcheck.core.record import Record, Stored
from coatcheck.core.session import Session
from coatcheck.core.standing import Standing, judge
from coatcheck.core.state import State
from coatcheck.core.ticket import take_out
from coatcheck.core.token import Digests, Token
from coatcheck.core.unseen import Unseen
from coatcheck.core.verdict import Verdict, decide
from coatcheck.creation import Created
from coatcheck.errors import Undecodable
from coatcheck.parts import Parts
from coatcheck.sealed import Sealed
from coatcheck.stores.packed import RECORD, pack, unpack
from coatcheck.stores.redis import RedisStore
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.web.answers import Answer
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.exchange import Exchange
from coatcheck.web.transport import Headers

Removal = AbstractContextManager[object]

HEADER = 25
"""Bytes of a stored record before what is packed: its tag, version, stamp and last activity."""


@contextmanager
def no_rotation_at_sign_in() -> Generator[None]:
    """Let a visitor's session become the user's as it is (P1, P2)."""

    async def stay(parts: Parts, state: State, change: Change, sign_in: SignIn) -> Created:
        base, settings = change.base, parts.settings
        record = base._replace(
            version=base.version + 1,
            subject=sign_in.subject,
            assurance=sign_in.assurance,
            authenticated_at=change.now,
        )
        record = settings.filled(record, change.content)
        await parts.store.save(record, base)
        assert state.token is not None
        return Created(record, state.token, change.content, ())

    with patch("coatcheck.commit.move", stay):
        yield


def no_rotation_at_step_up() -> Removal:
    """Let the token from before be as good as the one from after (P1)."""

    def keep(record: Record, *how: Any) -> Record:
        after = promoted(record, *how)
        return after._replace(lineage_digest=record.lineage_digest, digest=record.digest)

    return patch("coatcheck.core.change.promoted", keep)


@contextmanager
def no_strictness() -> Generator[None]:
    """Begin a session under whatever token was presented, issued or not (R-002)."""
    presented: ContextVar[Token | None] = ContextVar("presented")
    admit, mint = Sessions.admit, Parts.mint

    def adopt(self: Parts, id: str | None = None, lineage: str | None = None) -> Token:
        return (id is None and presented.get()) or mint(self, id, lineage)

    async def remember(self: Sessions, found: Sequence[Presented], **more: Any) -> Session:
        presented.set(found[0].token if found else None)
        return await admit(self, found, **more)

    with patch.object(Sessions, "admit", remember), patch.object(Parts, "mint", adopt):
        yield


@contextmanager
def unconditional_saves() -> Generator[None]:
    """Save without a look at what is stored by now (S1)."""

    async def in_sqlite(self: Any, record: Record, base: Record | None) -> None:
        del base
        row = (
            record.id, record.subject, record.seen_at, record.idle, record.ends_at,
            record.expires_at, pack(record),
        )  # fmt: skip
        statement = (
            "INSERT OR REPLACE INTO coatcheck_sessions "
            "(id, subject, seen_at, idle, ends_at, due, record) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )

        def write(db: sqlite3.Connection) -> None:
            db.execute(statement, row)

        await self._run(write)

    async def in_redis(self: Any, record: Record, base: Record | None) -> None:
        del base
        await self._send("SET", self._key(record.id), pack(record))

    with (
        patch.object(SQLiteStore, "save", in_sqlite),
        patch.object(RedisStore, "save", in_redis),
    ):
        yield


def ends_in_the_browser_alone() -> Removal:
    """Delete cookies, and leave the store as it is."""

    async def end(*_: object) -> bool:
        return True

    return patch("coatcheck.writes.end", end)


def expired_sessions_count() -> Removal:
    """Let in whose session is over (T4)."""

    def lenient(token: Token, stored: Stored, now: int) -> Standing:
        standing = judge(token, stored, now)
        return Standing.CURRENT if standing is Standing.EXPIRED else standing

    return patch("coatcheck.door.judge", lenient)


@contextmanager
def each_save_grants_a_new_lifetime() -> Generator[None]:
    """Let the absolute end move on, as if the session began with each save."""

    def granted(stored: Record, seen_at: int, *more: Any) -> Record:
        record = following(stored, seen_at, *more)
        return record._replace(ends_at=seen_at + stored.ends_at - stored.created_at)

    # The end is part of what the data is bound to.
    with patch("coatcheck.core.change.following", granted), payloads_fit_anywhere():
        yield


def no_headers_for_caches() -> Removal:
    """Tell caches nothing."""
    return patch("coatcheck.web.exchange.protect", _as_they_are)


def _as_they_are(headers: Headers, **_: object) -> Headers:
    return list(headers)


@contextmanager
def looks_that_nobody_notices() -> Generator[None]:
    """Let `in` and `len` be no look, as they once were in Flask (CVE-2026-27205)."""

    def contains(self: Session, key: object) -> bool:
        return key in (self.state.unseen or {})

    def length(self: Session) -> int:
        return len(self.state.unseen or {})

    with (
        patch.object(Unseen, "__contains__", contains),
        patch.object(Unseen, "__len__", length),
    ):
        yield


@contextmanager
def data_that_runs() -> Generator[None]:
    """Decode what others decode: objects of any class, and pickles in extension types."""
    decode = MessagePackCodec.decode

    def trusting(self: MessagePackCodec, content: bytes) -> Any:
        if content.startswith(b"\x80\x04"):
            return pickle.loads(content)  # noqa: S301 - that is the hole
        if content.startswith(b"{"):
            return _revive(content)
        return decode(self, content)

    with (
        patch.object(MessagePackCodec, "decode", trusting),
        patch.dict("coatcheck.codec._READERS", {99: pickle.loads}),
    ):
        yield


def _revive(content: bytes) -> Any:
    """Read JSON whose `py/reduce` names a function and its arguments, as jsonpickle has it."""

    def call(found: dict[str, Any]) -> Any:
        if "py/reduce" not in found:
            return found
        name, arguments = found["py/reduce"]
        module, _, function = name.rpartition(".")
        return getattr(import_module(module), function)(*arguments)

    return json.loads(content, object_hook=call)


def published_keys_count() -> Removal:
    """Start with the documentation's key (R-017)."""
    return patch("coatcheck.keyring._PUBLISHED", set[bytes]())


def falling_back_to_plain() -> Removal:
    """Read as plain what cannot be decrypted, as rack-session did (CVE-2026-39324)."""
    unwrap = Sealed.unwrap

    def lenient(self: Sealed, payload: bytes, about: bytes) -> bytes:
        try:
            return unwrap(self, payload, about)
        except Undecodable:
            return Checked().unwrap(payload, about)

    return patch.object(Sealed, "unwrap", lenient)


def payloads_fit_anywhere() -> Removal:
    """Bind data to nothing (R-014)."""

    def nothing(_: Record) -> bytes:
        return b""

    return patch.object(Record, "bound_to", nothing)


@contextmanager
def records_fit_anywhere() -> Generator[None]:
    """Take what is under an id for what was asked for, and whoever asks for its owner (R-019)."""

    inside = msgspec.msgpack.Decoder(list[Any])

    def trusting(id: str, value: bytes | None, *more: Any) -> Stored:
        if value is not None and value[:1] == RECORD:
            id = inside.decode(memoryview(value)[HEADER:])[0]
        return unpack(id, value, *more)

    def anybody(token: Token, stored: Stored, now: int) -> Standing:
        return Standing.CURRENT if isinstance(stored, Record) else judge(token, stored, now)

    with (
        patch("coatcheck.stores.sqlite.unpack", trusting),
        patch("coatcheck.stores.redis.store.unpack", trusting),
        patch("coatcheck.door.judge", anybody),
    ):
        yield


def nameless_cookies_are_named() -> Removal:
    """Read `=name=value` as `name=value`, as Werkzeug did (CVE-2023-23934)."""
    return _reading(lambda value: value.replace(b"=__Host-", b"__Host-"))


def quotes_hide_what_is_in_them() -> Removal:
    """Take semicolons in quotes for a part of the value, as Python's `SimpleCookie` does."""
    return _reading(lambda value: b"".join(value.split(b'"')[::2]))


def _reading(change: Callable[[bytes], bytes]) -> Removal:
    read = CookieTransport.read

    def changed(
        self: CookieTransport, headers: Iterable[tuple[bytes, bytes]]
    ) -> Sequence[Presented]:
        return read(self, [(n, change(value) if n == b"cookie" else value) for n, value in headers])

    return patch.object(CookieTransport, "read", changed)


def one_of_two_counts() -> Removal:
    """Choose between two cookies of one name by their order (R-058)."""

    def chosen(holder: Any, *values: bytes) -> Presented:
        tokens = [Token.parse(value.decode("latin-1")) for value in values]
        return Presented(max(filter(None, tokens), key=Token.reveal, default=None), holder)

    return patch("coatcheck.web.cookie._presented", chosen)


def cookies_of_any_size() -> Removal:
    """Read a `Cookie` header whatever its length (R-063)."""
    return patch.multiple("coatcheck.web.cookie", MAX_HEADER=1 << 30, MAX_PAIRS=1 << 30)


def a_record_for_everybody() -> Removal:
    """Store a session for a visitor who left nothing (R-080)."""
    begin = State.__init__

    def wanted(state: State, *arguments: Any, **more: Any) -> None:
        begin(state, *arguments, **more)
        state.is_wanted = True

    return patch.object(State, "__init__", wanted)


def any_form_token_counts() -> Removal:
    """Ask whether there is a token, not whose it is (R-065, R-066)."""

    def any_token(_: str, token: object) -> bool:
        return isinstance(token, str)

    return patch("coatcheck.core.state.fits", any_token)


@contextmanager
def tokens_from_a_counter(sessions: Sessions) -> Generator[None]:
    """Draw tokens from a counter in place of the system's generator (R-001)."""
    numbers = count(1)
    inside: Any = sessions
    parts, settings = inside._parts, inside._settings
    random = parts.random

    def counted(size: int) -> bytes:
        return next(numbers).to_bytes(size)

    def put(source: Any) -> None:
        for each in (parts, settings):
            object.__setattr__(each, "random", source)

    put(counted)
    try:
        yield
    finally:
        put(random)


def tokens_in_the_store() -> Removal:
    """Store the secrets themselves, no digests (R-010)."""

    def plain(self: Token) -> Digests:
        return Digests(self.lineage.encode(), self.secret.encode())

    return patch.object(Token, "digests", plain)


def one_factor_is_enough() -> Removal:
    """Take who gave a password, or forgot one, for signed in (R-074)."""

    def anybody(self: Session) -> Any:
        pending = self.pending
        return self.state.subject or (pending and pending.subject) or self.get("user")

    return patch.object(Session, "subject", property(anybody))


def lineages_do_not_matter() -> Removal:
    """Let edits of before a privilege change in (S2, R-025)."""

    def lenient(base: Record, privilege: Any, stored: Stored) -> Verdict:
        return Verdict.APPLY if isinstance(stored, Record) else decide(base, privilege, stored)

    return patch.object(core_change, "decide", lenient)


def answers_that_tell() -> Removal:
    """Say with a 401 what was wrong with the token (R-081)."""
    answer = Exchange.answer

    def telling(self: Exchange, error: Exception) -> Answer | None:
        given = answer(self, error)
        said = self.session.state.standing.value.encode()
        return given and given._replace(
            headers=[h for h in given.headers if h[0] != b"content-length"]
            + [(b"content-length", b"%d" % len(said))],
            body=said,
        )

    return patch.object(Exchange, "answer", cast("Any", telling))


def tickets_open_twice() -> Removal:
    """Look at a ticket, and leave it where it is (R-110)."""

    def look(data: dict[str, Any], *ticket: Any) -> None:
        take_out(dict(data), *ticket)

    return patch("coatcheck.tickets.take_out", look)


def users_are_not_followed() -> Removal:
    """Have Django tell nobody that a user was disabled, deleted, or got a password (R-039)."""
    return patch("coatcheck.web.django.users._end_all")


def tokens_in_any_spelling() -> Removal:
    """Be generous about how a token is spelled (R-004)."""
    parse = Token.parse

    def generous(text: str) -> Token | None:
        text = unquote(text).strip('"=')
        return parse(text) or parse(text.swapcase())

    return patch.object(Token, "parse", staticmethod(generous))


def sockets_stay_open() -> Removal:
    """Look at the session of a WebSocket once, at the handshake (R-109)."""
    return patch.object(Sessions, "watch", return_value=None)
