"""A Flask application over a store that fails on demand, for tests of the adapter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from coatcheck import BlockingSessions, Event, Policy
from coatcheck.core.events import Happened
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock
from coatcheck.web.flask import SessionInterface


class Store(MemoryStore):
    """Is away on demand, for those who read and for those who write."""

    is_away = is_read_only = False
    loads = 0

    async def load(self, id: str, /) -> Stored:
        self.loads += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().load(id)

    async def save(self, record: Record, base: Record | None, /) -> None:
        if self.is_away or self.is_read_only:
            raise StoreUnavailable("away")
        await super().save(record, base)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        if self.is_away or self.is_read_only:
            raise StoreUnavailable("away")
        return await super().end(tombstone, base)


@dataclass
class Site:
    """An application, its sessions, and what happened to them."""

    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    policy: Policy = field(default_factory=Policy)
    before: Callable[[Flask], object] = bool
    store: Store = field(default_factory=Store)
    clock: Clock = field(default_factory=Clock)
    events: list[Event] = field(default_factory=list[Event])
    app: Flask = field(init=False)
    sessions: BlockingSessions = field(init=False)

    def __post_init__(self) -> None:
        self.app = Flask("shop")
        basic = {"PREFERRED_URL_SCHEME": "https", "SECRET_KEY": "for flask-login"}
        for name, value in {**basic, **self.settings}.items():
            self.app.config[name] = value
        self.before(self.app)
        self.sessions = BlockingSessions(
            self.store, policy=self.policy, clock=self.clock, on_event=self.events.append
        )
        self.app.session_interface = SessionInterface(self.app, self.sessions)

    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def subjects(self) -> list[str | None]:
        """Who is stored."""
        return [info.subject for info in self.sessions.page()[0]]

    @property
    def kinds(self) -> list[Happened]:
        return [event.kind for event in self.events]


def token(client: FlaskClient, name: str = "__Host-sid") -> str | None:
    cookie = client.get_cookie(name)
    return None if cookie is None else cookie.value


def copy(client: FlaskClient, site: Site) -> FlaskClient:
    """Return a thief with the same session cookies."""
    thief = site.client()
    for name in ("__Host-sid", "__Host-anon"):
        if (value := token(client, name)) is not None:
            thief.set_cookie(name, value)
    return thief


def json(response: TestResponse) -> Any:
    return response.json


def lines(response: TestResponse) -> tuple[list[str], list[str], list[str]]:
    headers = response.headers
    cookies = [line for line in headers.getlist("Set-Cookie") if line.startswith("__")]
    return cookies, headers.getlist("Vary"), headers.getlist("Cache-Control")


NOTHING = list[str](), list[str](), list[str]()
READ = list[str](), ["Cookie"], ["private"]
