"""The site under attack: its address, its store, its clock, and the browsers that visit it."""

import http.client
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from coatcheck import Event, Happened, Sessions
from coatcheck.testing import Clock
from coatcheck.testing.drivers import HOST, Reply
from coatcheck.web import GateOptions
from tests.attacks.applications import PROXY, Pause, Server
from tests.attacks.stored import Stored
from tests.web.jar import Jar

SID, ANON = "__Host-sid", "__Host-anon"
FIREFOX = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept-Language": "fi,en;q=0.5",
    "X-Forwarded-For": "198.51.100.7",
}


class Defence(StrEnum):
    """Whether the defence is in place; without it, the attack has to succeed."""

    ON = "on"
    OFF = "off"

    @property
    def is_off(self) -> bool:
        return self is Defence.OFF

    def without(
        self, removal: Callable[[], AbstractContextManager[object]]
    ) -> AbstractContextManager[object]:
        """Take a defence out of the library, if it is to be off."""
        return removal() if self.is_off else nullcontext()


class Browser:
    """Somebody's browser, whose jar follows the specification; or an attacker's, who need not."""

    def __init__(self, port: int, clock: Clock, host: str, headers: Mapping[str, str]) -> None:
        self.jar, self.host, self.headers = Jar(clock), host, {**FIREFOX, **headers}
        self._connection = http.client.HTTPConnection(PROXY, port, timeout=90)

    def get(self, path: str, *headers: tuple[str, str], **query: str) -> Reply:
        return self.send("GET", path, *headers, **query)

    def post(self, path: str, *headers: tuple[str, str], **query: str) -> Reply:
        return self.send("POST", path, *headers, **query)

    def send(self, method: str, path: str, *headers: tuple[str, str], **query: str) -> Reply:
        """Send a request; its `Cookie` is the jar's, unless there is one among the headers."""
        connection = self._connection
        connection.putrequest(
            method,
            f"{path}?{urlencode(query)}" if query else path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        for name, value in [*self.asks(*headers), ("Content-Length", "0")]:
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders()
        response = connection.getresponse()
        reply = Reply(response.status, response.getheaders(), response.read())
        for line in reply.all("set-cookie"):
            self.jar.store(line, host=self.host, path=path)
        return reply

    def asks(self, *headers: tuple[str, str]) -> list[tuple[str, str]]:
        """Return the headers that it sends with a request."""
        said = [("Host", self.host), ("X-Forwarded-Proto", "https"), *self.headers.items()]
        if not any(name == "Cookie" for name, _ in headers) and (cookie := self.cookie):
            said.append(("Cookie", cookie))
        return [*said, *headers]

    @property
    def cookie(self) -> str:
        return self.jar.header(host=self.host)

    @property
    def token(self) -> str:
        """The token of who is signed in."""
        token = self.jar.value(SID)
        assert token is not None, "nobody is signed in"
        return token

    @property
    def id(self) -> str:
        """The public id of the session."""
        return self.token.partition(".")[0]

    def hold(self, token: str, name: str = SID) -> "Browser":
        """Have a cookie, wherever it is from."""
        self.jar.store(f"{name}={token}; Path=/; Secure", host=self.host)
        return self

    def log_in(self, who: str = "alice") -> "Browser":
        own_page = ("Sec-Fetch-Site", "same-origin")
        assert self.post("/login", own_page, **{"as": who}).status == 200
        return self

    @property
    def user(self) -> str | None:
        """Who the application takes this browser for."""
        reply = self.get("/me")
        return reply.json()["subject"] if reply.status == 200 else None

    def close(self) -> None:
        self._connection.close()


@dataclass
class Site:
    """An application that is being served.

    Attributes:
        stored: what is in its store.
        events: what happened to its sessions.
        pause: where its page `/late` waits.
    """

    server: Server
    store_url: str
    stored: Stored
    clock: Clock = field(default_factory=Clock)
    events: list[Event] = field(default_factory=list[Event])
    pause: Pause = field(default_factory=Pause)
    sessions: Sessions = field(init=False)
    _running: list[Sessions] = field(default_factory=list[Sessions])
    _browsers: list[Browser] = field(default_factory=list[Browser])

    def __post_init__(self) -> None:
        self.sessions = self.deploy()

    def deploy(
        self,
        options: GateOptions | None = None,
        *,
        host: str = HOST,
        url: str | None = None,
        **parts: Any,
    ) -> Sessions:
        """Serve an application under `host`, in place of the one before.

        Args:
            options: of the gate.
            parts: of the sessions.
        """
        parts = {"clock": self.clock, "on_event": self.events.append, **parts}
        options = {"trusted_proxies": [PROXY], **(options or {})}
        url = self.store_url if url is None else url
        app, self.sessions = self.server.app(url, parts, self.pause, options)
        self.server.apps[host] = app
        self._running.append(self.sessions)
        return self.sessions

    def browser(self, token: str | None = None, *, host: str = HOST, **headers: str) -> Browser:
        """Return a new browser; with a token, one of a thief."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        browser = Browser(self.server.port, self.clock, host, named)
        self._browsers.append(browser)
        return browser if token is None else browser.hold(token)

    @contextmanager
    def late(self, token: str) -> Generator["Future[Reply]"]:
        """Begin a request that has loaded its session, and goes on when this is left."""
        with ThreadPoolExecutor(1) as pool:
            try:
                slow = pool.submit(self.browser(token).post, "/late")
                assert self.pause.arrived.wait(90)
                yield slow
            finally:
                self.pause.go_on()

    def happened(self, kind: Happened) -> int:
        return sum(event.kind is kind for event in self.events)

    def close(self) -> None:
        for browser in self._browsers:
            browser.close()
        for sessions in self._running:
            self.server.run(sessions.close)
        self.server.apps.clear()
