"""Secrets are reported or refused before they are stored, and shown by nobody."""

import logging
from typing import Any, cast

import pytest

from coatcheck import BlockingSessions, Event, Happened, MemoryStore, Policy, Secrets, Sessions
from coatcheck.errors import ConfigurationError, SecretInSession
from coatcheck.testing import Clock
from coatcheck.web.wsgi import SessionMiddleware as Wsgi
from coatcheck.web.wsgi import session_of as session_in
from tests.web.app import shop
from tests.web.client import Client

SECRET = "correct horse battery staple"
REFUSE = Policy(secrets=Secrets.REFUSE)


class Watched:
    """Sessions, and what was told."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.events: list[Event] = []
        self.sessions = Sessions(
            MemoryStore(), clock=Clock(), policy=policy, on_event=self.events.append
        )

    async def put(self, **data: Any) -> None:
        session = await self.sessions.open(None)
        session.update(data)
        await self.sessions.commit(session)

    @property
    def told(self) -> list[tuple[object, object]]:
        return [
            (event.facts["key"], event.cause)
            for event in self.events
            if event.kind is Happened.SECRET_STORED
        ]


async def test_by_default_nobody_looks() -> None:
    watched = Watched()
    await watched.put(password=SECRET)
    assert watched.told == []


async def test_a_report_names_the_key_once(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched(Policy(secrets=Secrets.REPORT))
    for _ in range(3):
        await watched.put(password=SECRET, profile={"api_key": "k3" * 20}, language="en")
    assert await watched.sessions.count() == 3
    assert watched.told == [("password", "a password")]
    warnings = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert sum("session key password holds what looks like a password" in w for w in warnings) == 1
    assert SECRET not in caplog.text + str(watched.events)


@pytest.mark.parametrize(("development", "told"), [(True, ["password"]), (False, [])])
async def test_in_development_it_is_reported(development: bool, told: list[str]) -> None:
    watched = Watched()
    client = Client(
        shop(watched.sessions, development=development), scheme="http", peer="127.0.0.1"
    ) if development else Client(shop(watched.sessions))  # fmt: skip
    assert (await client.get("/write?password=hunter2")).status == 200
    assert [key for key, _ in watched.told] == told


@pytest.mark.parametrize("action", [None, Secrets.OFF])
def test_in_development_of_wsgi_too_unless_it_is_off(action: Secrets | None) -> None:
    events: list[Event] = []
    sessions = BlockingSessions(
        MemoryStore(), policy=Policy(secrets=action), on_event=events.append
    )

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        session_in(environ)["password"] = SECRET
        start("200 OK", [])
        return [b""]

    def nothing(*_: object) -> None:
        pass

    wrapped = cast("Any", Wsgi(app, sessions=sessions, development=True))
    environ = {
        "REQUEST_METHOD": "GET", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "PATH_INFO": "/",
    }  # fmt: skip
    list(wrapped(environ, nothing))
    told = [event.kind for event in events]
    assert (Happened.SECRET_STORED in told) is (action is None)


async def test_a_refusal_stores_nothing_and_shows_nothing() -> None:
    """Fails when the commit goes on after the scan."""
    watched = Watched(REFUSE)
    with pytest.raises(SecretInSession, match=r"profile\.password holds what looks like") as raised:
        await watched.put(profile={"password": SECRET}, cart=1)
    assert raised.value.found == {"profile.password": "a password"}
    assert SECRET not in repr(raised.value)
    assert (await watched.sessions.count(), watched.events) == (0, [])


async def test_a_refusal_leaves_the_stored_session_as_it_is() -> None:
    watched = Watched(REFUSE)
    session = await watched.sessions.open(None)
    session["cart"] = 1
    outcome = await watched.sessions.commit(session)
    late = await watched.sessions.open(outcome.token)
    late["password"] = SECRET
    late.sign_in("alice")
    with pytest.raises(SecretInSession):
        await watched.sessions.commit(late)
    again = await watched.sessions.open(outcome.token)
    assert (again.subject, dict(again)) == (None, {"cart": 1})


async def test_what_an_edit_puts_in_is_looked_at() -> None:
    watched = Watched(REFUSE)
    session = await watched.sessions.open(None)
    session.edit(lambda data: data.update(password=SECRET))
    with pytest.raises(SecretInSession):
        await watched.sessions.commit(session)


async def test_only_what_changes_is_looked_at() -> None:
    """So that a stricter policy locks nobody out whose session is stored already."""
    store, clock = MemoryStore(), Clock()
    session = await (before := Sessions(store, clock=clock)).open(None)
    session.update(password=SECRET, cart=1)
    token = (await before.commit(session)).token
    after = Sessions(store, clock=clock, policy=REFUSE)
    session = await after.open(token)
    session["cart"] = 2
    await after.commit(session)
    session = await after.open(token)
    session["password"] += "!"
    with pytest.raises(SecretInSession):
        await after.commit(session)


async def test_a_key_can_be_allowed() -> None:
    watched = Watched(Policy(secrets=Secrets.REFUSE, secrets_allowed={"password"}))
    await watched.put(password=SECRET)
    assert await watched.sessions.count() == 1


def test_a_wrong_setting_stops_the_start() -> None:
    anything: Any = "refuse"
    with pytest.raises(ConfigurationError, match=r"Policy\.secrets"):
        Policy(secrets=anything)
    with pytest.raises(ConfigurationError, match=r"Policy\.secrets_allowed"):
        Policy(secrets_allowed="password")
