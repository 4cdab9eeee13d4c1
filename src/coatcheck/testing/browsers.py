"""The journey of a browser, with the same lines in every framework.

    class TestMyAdapter(BrowserContract):
        def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
            return WsgiDriver(make_app(pages, BlockingSessions(**parts)))

where `make_app` makes an application that leads each request to `pages.answer(path, query, get)`
and turns what comes back into a response.
"""

import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coatcheck.blocking import BlockingSessions
from coatcheck.core.events import Event, Happened
from coatcheck.core.record import Stored
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing.clock import Clock
from coatcheck.testing.drivers import Driver, Reply
from coatcheck.testing.pages import Pages

SIGNED_IN, VISITOR = "__Host-sid", "__Host-anon"
_KEEP = "{}=<token>; Path=/; Secure; HttpOnly; SameSite=Lax"
_DELETE = (
    "{}=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly; SameSite=Lax"
)
_TOKEN = re.compile(r"=[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43};")
_AT_ONCE = 8


class _Store(MemoryStore):
    """Fails on demand."""

    is_away = False

    async def load(self, id: str, /) -> Stored:
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().load(id)


@dataclass
class Site:
    """An application that is being driven, and its sessions as an administrator sees them."""

    driver: Driver
    store: _Store
    clock: Clock
    events: list[Event]
    pages: Pages
    admin: BlockingSessions = field(init=False)

    def __post_init__(self) -> None:
        self.admin = BlockingSessions(self.store, clock=self.clock, on_event=self.events.append)

    @property
    def kinds(self) -> list[Happened]:
        """What happened."""
        return [event.kind for event in self.events]


@dataclass
class Browser:
    """Keeps cookies by name, as they all go to one host."""

    site: Site
    jar: dict[str, str] = field(default_factory=dict[str, str])

    def get(self, path: str) -> Reply:
        """Send a GET, and keep what cookies come back."""
        reply = self.site.driver.send("GET", path, self.headers)
        for line in reply.all("set-cookie"):
            name, _, rest = line.partition("=")
            if value := rest.partition(";")[0]:
                self.jar[name] = value
            else:
                self.jar.pop(name, None)
        return reply

    @property
    def headers(self) -> dict[str, str]:
        """What it sends along."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return {"Cookie": cookies} if cookies else {}

    def copy(self) -> "Browser":
        """Return a thief with the same cookies."""
        return Browser(self.site, dict(self.jar))


def lines(reply: Reply) -> tuple[list[str], list[str], list[str]]:
    """Return what the session says in the headers: `Set-Cookie`, `Vary`, `Cache-Control`.

    Tokens are written as `<token>`.
    """
    cookies = [_TOKEN.sub("=<token>;", line) for line in reply.all("set-cookie")]
    return sorted(cookies), reply.all("vary"), reply.all("cache-control")


NOTHING = list[str](), list[str](), list[str]()
READ = list[str](), ["Cookie"], ["private"]
"""A response that depends on the session."""


def hands_over(*cookies: str) -> tuple[list[str], list[str], list[str]]:
    """Return the lines of a response that changes cookies."""
    return sorted(cookies), ["Cookie"], ["no-store"]


def keeps(name: str) -> str:
    """Return the line of a cookie that is set."""
    return _KEEP.format(name)


def deletes(name: str) -> str:
    """Return the line of a cookie that is deleted."""
    return _DELETE.format(name)


class BrowserContract:
    """What a browser finds in front of every adapter."""

    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        """Return a driver of an application that has the pages.

        Args:
            parts: what `Sessions` or `BlockingSessions` is to be made with.
        """
        raise NotImplementedError

    @contextmanager
    def _site(self, meeting: int = 1) -> Generator[Site]:
        store, clock, events, pages = _Store(), Clock(), list[Event](), Pages(meeting)
        parts = {"store": store, "clock": clock, "on_event": events.append}
        driver = self.serve(pages, parts)
        try:
            yield Site(driver, store, clock, events, pages)
        finally:
            driver.close()

    def test_a_visitor_costs_nothing_until_there_is_something_to_keep(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            assert lines(browser.get("/hello")) == NOTHING
            reply = browser.get("/cart")
            assert (reply.json(), lines(reply)) == ({}, READ)
            assert site.admin.count() == 0
            assert lines(browser.get("/put?hat")) == hands_over(keeps(VISITOR))
            reply = browser.get("/cart")
            assert (reply.json(), lines(reply)) == ({"hat": 1}, READ)
            assert lines(browser.get("/hello")) == NOTHING
            assert site.admin.count() == 1

    def test_a_sign_in_takes_the_cart_along_and_retires_the_visitor(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/put?hat")
            visitor = browser.copy()
            reply = browser.get("/login")
            assert lines(reply) == hands_over(keeps(SIGNED_IN))
            assert browser.get("/me").json() == "alice"
            assert browser.get("/cart").json() == {"hat": 1}
            assert visitor.get("/me").status == 401
            assert visitor.get("/cart").json() == {}
            assert [info.subject for info in site.admin.list("alice")] == ["alice"]

    def test_another_user_starts_with_nothing(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            browser.get("/put?hat")
            assert lines(browser.get("/login?bob")) == hands_over(keeps(SIGNED_IN))
            assert (browser.get("/me").json(), browser.get("/cart").json()) == ("bob", {})
            assert site.admin.list("alice") == []

    def test_nobody_is_told_why(self) -> None:
        with self._site() as site:
            reply = Browser(site).get("/me")
            assert reply.status == 401
            assert reply.json() == {"error": "session expired, please log in again"}
            assert lines(reply) == READ

    def test_edits_at_the_same_time_are_all_kept(self) -> None:
        """Fails when a save replaces what others saved meanwhile."""
        with self._site(_AT_ONCE) as site:
            browser = Browser(site)
            browser.get("/login")
            browser.get("/put?hat")
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                paths = [f"/meet?{number}" for number in range(_AT_ONCE)]
                replies = list(pool.map(browser.copy().get, paths))
            assert [reply.status for reply in replies] == [200] * _AT_ONCE
            assert [lines(reply) for reply in replies] == [READ] * _AT_ONCE
            assert browser.get("/cart").json().keys() == {"hat", *map(str, range(_AT_ONCE))}

    def test_a_save_that_comes_after_the_end_is_dropped(self) -> None:
        """Fails when it is saved, hands out a cookie, or fails."""
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            browser.get("/put?hat")
            site.pages.on_meeting = lambda: site.admin.end_all("alice")
            reply = browser.get("/meet?late")
            assert (reply.status, lines(reply)) == (200, READ)
            assert site.admin.count() == 0
            assert browser.get("/me").status == 401

    def test_a_rotation_retires_the_old_token(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            old = browser.copy()
            assert lines(browser.get("/rotate")) == hands_over(keeps(SIGNED_IN))
            assert browser.get("/me").json() == "alice"
            reply = old.get("/me")
            assert (reply.status, lines(reply)) == (401, READ), "no newer cookie may be deleted"

    def test_a_stream_is_whole_and_committed_before_it_starts(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            reply = browser.get("/stream")
            assert (reply.body, lines(reply)) == (b"one two", READ)
            assert Happened.UNSAVED not in site.kinds
            assert lines(Browser(site).get("/stream")) == hands_over(keeps(VISITOR))

    def test_a_change_after_the_first_byte_is_reported(self) -> None:
        """Fails when it is lost without a word."""
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            assert browser.get("/stream?late").body == b"one two"
            assert site.kinds.count(Happened.UNSAVED) == 1
            browser.get("/put?hat")
            assert site.kinds.count(Happened.UNSAVED) == 1

    def test_a_request_that_fails_changes_nothing(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            for path in ("/error", "/status?500", "/status?503"):
                assert browser.get(path).status == int(path[8:] or 500)
            stored = site.admin.page("alice")[0][0]
            assert stored.subject == "alice"
            assert Browser(site).get("/error").all("set-cookie") == []
            assert site.admin.count() == 1
            browser.get("/status?404")
            assert browser.get("/me").json() == "alice"

    def test_an_end_holds_though_the_request_fails(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            assert browser.get("/error?end").status == 500
            assert browser.copy().get("/me").status == 401
            assert site.admin.count() == 0

    def test_a_logout_ends_every_copy(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            thief = browser.copy()
            assert lines(browser.get("/logout")) == hands_over(deletes(SIGNED_IN))
            assert browser.jar == {}
            reply = thief.get("/me")
            assert (reply.status, lines(reply)) == (401, READ)

    def test_an_expired_session_is_answered_once_and_its_cookie_deleted(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            site.clock.move(minutes=29)
            assert browser.get("/me").status == 200
            site.clock.move(minutes=29)
            assert browser.get("/me").status == 200, "activity keeps it alive"
            site.clock.move(minutes=31)
            reply = browser.get("/me")
            assert reply.status == 401
            assert lines(reply) == hands_over(deletes(SIGNED_IN))
            assert lines(browser.get("/me")) == READ

    def test_an_outage_signs_nobody_out(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/login")
            site.store.is_away = True
            reply = browser.get("/me")
            assert (reply.status, reply.all("retry-after")) == (503, ["2"])
            assert reply.all("set-cookie") == []
            assert browser.get("/hello").status == 200, "who does not look needs no store"
            site.store.is_away = False
            assert browser.get("/me").json() == "alice"
