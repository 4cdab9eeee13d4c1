"""The journey of a browser, with the same lines in every framework.

    class TestMyAdapter(BrowserContract):
        def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
            return WsgiDriver(make_app(pages, BlockingSessions(**parts)))

where `make_app` makes an application that leads each request to `pages.answer(path, query, get)`
and turns what comes back into a response. Any runner of `unittest`-like classes runs it, pytest
among them; a failure says what was expected and what came.
"""

import re
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from coatcheck.blocking import BlockingSessions
from coatcheck.core.binding import Binding
from coatcheck.core.events import Event, Happened
from coatcheck.core.policy import Policy
from coatcheck.core.rates import Rate
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.core.token import Token
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing.clock import Clock
from coatcheck.testing.drivers import HOST, PEER, Driver, Reply
from coatcheck.testing.expect import expect, expect_all
from coatcheck.testing.pages import Pages

SIGNED_IN, VISITOR = "__Host-sid", "__Host-anon"
_KEEP = "{}=<token>; Path=/; Secure; HttpOnly; SameSite=Lax"
_DELETE = (
    "{}=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly; SameSite=Lax"
)
_TOKEN = re.compile(r"=[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43};")
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_OVER = "session expired, please log in again"
_ANOTHER = "curl/8.14.1"
_AT_ONCE = 8


class _Store(MemoryStore):
    """Fails on demand.

    Attributes:
        failing: the methods that do.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()

    def _call(self, name: str) -> None:
        if name in self.failing:
            raise StoreUnavailable("away")

    async def load(self, id: str, /) -> Stored:
        self._call("load")
        return await super().load(id)

    async def save(self, record: Record, base: Record | None, /) -> None:
        self._call("save")
        await super().save(record, base)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        self._call("end")
        return await super().end(tombstone, base)


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

    def expect_stored(self, count: int) -> None:
        """Compare the number of sessions in the store."""
        expect(self.admin.count(), count, "sessions in the store")

    def expect_unsaved(self, count: int) -> None:
        """Compare how often a change after the start of a response was reported."""
        reported = [event.kind for event in self.events].count(Happened.UNSAVED)
        expect(reported, count, "events UNSAVED")


FOREIGN = ({"Sec_Fetch_Site": "cross-site"}, {"Origin": f"https://{HOST}.example"})
OURS = {"Origin": f"https://{HOST}"}
"""What browsers say of the page that made a request."""

Lines = tuple[list[str], list[str], list[str]]
"""What the session says in the headers of a response: `Set-Cookie`, `Vary`, `Cache-Control`."""

NOTHING: Lines = ([], [], [])
READ: Lines = ([], ["Cookie"], ["private"])
"""A response that depends on the session."""


def hands_over(*cookies: str) -> Lines:
    """Return the lines of a response that changes cookies."""
    return sorted(cookies), ["Cookie"], ["no-store"]


def keeps(name: str) -> str:
    """Return the line of a cookie that is set; a token is written as `<token>`."""
    return _KEEP.format(name)


def deletes(name: str) -> str:
    """Return the line of a cookie that is deleted."""
    return _DELETE.format(name)


@dataclass
class Visit:
    """One request, and what came back."""

    path: str
    reply: Reply
    method: str = "GET"

    def expect(
        self, lines: Lines | None = None, *, status: int = 200, why: str = "", **more: object
    ) -> None:
        """Compare the response with what is expected of it.

        Args:
            why: it is to be so, for the message.
            more: `body` as bytes, `json`, or a header, with `_` for `-`.

        Raises:
            AssertionError: it differs.
        """
        reply = self.reply
        expected: dict[str, object] = {"status": status, **more}
        came: dict[str, object] = {"status": reply.status, "body": reply.body}
        if lines is not None:
            cookies = sorted(_TOKEN.sub("=<token>;", line) for line in reply.all("set-cookie"))
            expected.update(zip(("Set-Cookie", "Vary", "Cache-Control"), lines, strict=True))
            came.update({"Set-Cookie": cookies})
        for name in expected.keys() - came.keys():
            came[name] = _parsed(reply) if name == "json" else reply.all(name.replace("_", "-"))
        where = f"{self.method} {self.path}" + (f": {why}" if why else "")
        expect_all(came, expected, where, reply.error)


def _parsed(reply: Reply) -> object:
    try:
        return reply.json()
    except ValueError:
        return reply.body


@dataclass
class Browser:
    """Keeps cookies by name, as they all go to one host."""

    site: Site
    jar: dict[str, str] = field(default_factory=dict[str, str])
    agent: str = _AGENT

    def get(self, path: str) -> Visit:
        """Send a GET, and keep what cookies come back."""
        return self.send("GET", path)

    def send(self, method: str, path: str, **headers: str) -> Visit:
        """Send a request, with headers in which `_` stands for `-`, and keep what comes back."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self.site.driver.send(method, path, {**self.headers, **more})
        for line in reply.all("set-cookie"):
            name, _, rest = line.partition("=")
            if value := rest.partition(";")[0]:
                self.jar[name] = value
            else:
                self.jar.pop(name, None)
        return Visit(path, reply, method)

    def logged_in(self) -> "Browser":
        """Return it after a visit to `/login`."""
        self.get("/login").expect()
        return self

    @property
    def headers(self) -> dict[str, str]:
        """What it sends along."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        return {"User-Agent": self.agent, **({"Cookie": cookies} if cookies else {})}

    def copy(self, agent: str = _AGENT) -> "Browser":
        """Return a thief with the same cookies."""
        return Browser(self.site, dict(self.jar), agent)


class BrowserContract:
    """What a browser finds in front of every adapter."""

    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        """Return a driver of an application that has the pages.

        Args:
            parts: what `Sessions` or `BlockingSessions` is to be made with.
        """
        raise NotImplementedError

    @contextmanager
    def _site(self, meeting: int = 1, **more: Any) -> Generator[Site]:
        store, clock, events, pages = _Store(), Clock(), list[Event](), Pages(meeting)
        parts = {"store": store, "clock": clock, "on_event": events.append, **more}
        driver = self.serve(pages, parts)
        try:
            yield Site(driver, store, clock, events, pages)
        finally:
            driver.close()

    @contextmanager
    def _meeting(self, of: int = 1) -> Generator[tuple[Site, Browser]]:
        with self._site(of) as site:
            browser = Browser(site).logged_in()
            browser.get("/put?hat").expect()
            yield site, browser

    def test_a_visitor_costs_nothing_until_there_is_something_to_keep(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/hello").expect(NOTHING)
            browser.get("/cart").expect(READ, json={})
            site.expect_stored(0)
            browser.get("/put?hat").expect(hands_over(keeps(VISITOR)))
            browser.get("/cart").expect(READ, json={"hat": 1})
            browser.get("/hello").expect(NOTHING, why="it does not look at the session")
            site.expect_stored(1)

    def test_a_sign_in_takes_the_cart_along_and_retires_the_visitor(self) -> None:
        with self._site() as site:
            browser = Browser(site)
            browser.get("/put?hat").expect()
            visitor = browser.copy()
            browser.get("/login").expect(hands_over(keeps(SIGNED_IN)))
            browser.get("/me").expect(READ, json="alice")
            browser.get("/cart").expect(READ, json={"hat": 1})
            visitor.get("/me").expect(status=401)
            visitor.get("/cart").expect(json={}, why="the visitor's token is dead")
            expect([info.subject for info in site.admin.list("alice")], ["alice"], "subjects")

    def test_a_session_knows_who_opened_it(self) -> None:
        with self._site() as site:
            Browser(site).logged_in()
            client = site.admin.list("alice")[0].client
            expect(client.address, PEER, "the client's address")
            expect(client.agent, "Firefox on Linux", "the client's agent")

    def test_another_client_is_nobody_until_it_proves_the_user(self) -> None:
        with self._site(policy=Policy(binding=Binding(step_up=3))) as site:
            owner = Browser(site).logged_in()
            owner.get("/put?hat").expect()
            other = owner.copy(_ANOTHER)
            other.get("/me").expect(READ, status=401)
            other.get("/cart").expect(READ, json={}, why="it shows nothing of the data")
            owner.get("/me").expect(json="alice", why="the session is kept")
            other.get("/login").expect(hands_over(keeps(SIGNED_IN)))
            other.get("/cart").expect(READ, json={"hat": 1})
            owner.get("/me").expect(READ, status=401, why="the token changed")
            site.expect_stored(1)

    def test_a_session_that_another_client_presents_can_be_ended(self) -> None:
        with self._site(policy=Policy(binding=Binding(end=3))) as site:
            owner = Browser(site).logged_in()
            owner.copy(_ANOTHER).get("/me").expect(READ, status=401)
            owner.get("/me").expect(READ, status=401, why="it has ended for everybody")
            expect(site.admin.list("alice"), [], "sessions of alice")

    def test_another_user_starts_with_nothing(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            browser.get("/put?hat").expect(READ)
            browser.get("/login?bob").expect(hands_over(keeps(SIGNED_IN)))
            browser.get("/me").expect(json="bob")
            browser.get("/cart").expect(json={})
            expect(site.admin.list("alice"), [], "sessions of alice")

    def test_nobody_is_told_why(self) -> None:
        with self._site() as site:
            visitor, error = Browser(site), {"error": "please log in first"}
            visitor.get("/me").expect(READ, status=401, json=error)
            visitor.get("/put?hat").expect()
            visitor.get("/me").expect(READ, status=401, json=error)
            browser, error = Browser(site).logged_in(), {"error": _OVER}
            site.admin.end_all("alice")
            browser.get("/me").expect(READ, status=401, json=error)

    def test_edits_at_the_same_time_are_all_kept(self) -> None:
        """Fails when a save replaces what others saved meanwhile."""
        with self._meeting(_AT_ONCE) as (_, browser):
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                paths = [f"/meet?{number}" for number in range(_AT_ONCE)]
                visits = list(pool.map(browser.copy().get, paths))
            for visit in visits:
                visit.expect(READ)
            everything = dict.fromkeys(["hat", *map(str, range(_AT_ONCE))], 1)
            browser.get("/cart").expect(json=everything)

    def test_a_save_that_comes_after_the_end_is_dropped(self) -> None:
        """Fails when it is saved, hands out a cookie, or fails."""
        with self._meeting() as (site, browser):
            site.pages.on_meeting = lambda: site.admin.end_all("alice")
            browser.get("/meet?late").expect(READ)
            site.expect_stored(0)
            browser.get("/me").expect(status=401)

    def test_what_meets_a_rotation_is_not_saved_and_says_so(self) -> None:
        """Fails when the response starts before the commit, which replaces it."""
        with self._meeting() as (site, browser):
            token = Token.parse(browser.jar[SIGNED_IN])
            site.pages.on_meeting = lambda: site.admin.rotate(site.admin.open(token))
            error = {"error": "the session changed meanwhile, please try again"}
            browser.get("/meet?late").expect(READ, status=409, json=error)
            site.expect_stored(1)

    def test_a_rotation_retires_the_old_token(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            old = browser.copy()
            browser.get("/rotate").expect(hands_over(keeps(SIGNED_IN)))
            browser.get("/me").expect(json="alice")
            old.get("/me").expect(READ, status=401, why="a newer cookie is not to be deleted")

    def test_who_must_prove_more_is_told_how_much(self) -> None:
        """By the challenge of RFC 9470; a step-up counts for five minutes, and for one session."""
        with self._site() as site:
            browser, other = Browser(site).logged_in(), Browser(site).logged_in()
            challenge = (
                'Cookie error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
            )
            error = {
                "error": "please confirm that it is you",
                "acr_values": "aal2",
                "max_age": 300,
            }
            missing: dict[str, Any] = {"status": 401, "json": error}
            browser.get("/secret").expect(READ, www_authenticate=[challenge], **missing)
            browser.get("/me").expect(READ, json="alice", why="it is signed in all the same")
            old = browser.copy()
            browser.get("/step-up").expect(hands_over(keeps(SIGNED_IN)))
            browser.get("/secret").expect(READ, json="alice")
            other.get("/secret").expect(why="it is another session", **missing)
            old.get("/me").expect(READ, status=401, why="the token of before is dead")
            site.clock.move(minutes=5)
            browser.get("/secret").expect(json="alice")
            site.clock.move(milliseconds=1)
            browser.get("/secret").expect(why="it was too long ago", **missing)

    def test_a_stream_is_whole_and_committed_before_it_starts(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            browser.get("/stream").expect(READ, body=b"one two")
            Browser(site).get("/stream").expect(hands_over(keeps(VISITOR)), body=b"one two")
            site.expect_unsaved(0)

    def test_a_change_after_the_first_byte_is_reported(self) -> None:
        """Fails when it is lost without a word."""
        with self._site() as site:
            browser = Browser(site).logged_in()
            browser.get("/stream?late").expect(body=b"one two")
            site.expect_unsaved(1)
            browser.get("/put?hat").expect()
            site.expect_unsaved(1)

    def test_a_stream_stops_when_its_session_is_over(self) -> None:
        """Fails when nobody looks while it is being sent."""
        with self._site() as site:
            browser = Browser(site).logged_in()

            def end() -> None:
                site.admin.end_all("alice")
                site.clock.move(minutes=1)  # longer than anybody may go without a look

            site.pages.on_streaming = lambda: site.clock.move(minutes=1)
            browser.get("/stream").expect(body=b"one two")
            site.pages.on_streaming = lambda: site.clock.move(minutes=31)
            browser.get("/stream").expect(body=b"one ", why="it expired")
            browser = Browser(site).logged_in()
            site.pages.on_streaming = end
            browser.get("/stream").expect(body=b"one ", why="it was ended")

    def test_a_request_that_fails_changes_nothing(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            for path in ("/error", "/status?500", "/status?503"):
                status = int(path[8:] or 500)
                browser.get(path).expect(status=status)
                Browser(site).get(path).expect(status=status, set_cookie=[])
                site.expect_stored(1)
                browser.get("/half").expect(json=False, why=f"{path} failed")
            browser.get("/status?404").expect(status=404)
            browser.get("/half").expect(json=True, why="a 404 is an answer like any other")

    def test_an_end_holds_though_the_request_fails(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            browser.get("/error?end").expect(status=500)
            site.expect_stored(0)
            browser.get("/me").expect(status=401)

    def test_a_logout_ends_every_copy(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            thief = browser.copy()
            browser.get("/logout").expect(hands_over(deletes(SIGNED_IN)))
            expect(browser.jar, {}, "cookies after the logout")
            thief.get("/me").expect(READ, status=401)

    def test_what_another_site_makes_a_browser_send_is_refused(self) -> None:
        """Fails when the gate is not told the method, or what it refuses reaches the pages."""
        error = {"error": "this request was refused"}
        vary, never = ["Sec-Fetch-Site, Origin"], ["no-store"]
        with self._site() as site:
            browser = Browser(site).logged_in()
            for each in (browser, Browser(site)):
                for path in ("/logout", "/login?mallory"):
                    for foreign in FOREIGN:
                        visit = each.send("POST", path, **foreign)
                        visit.expect(([], vary, never), status=403, json=error)
            browser.send("GET", "/me", **FOREIGN[0]).expect(READ, json="alice")
            site.expect_stored(1)
            refused = [event.kind for event in site.events].count(Happened.CSRF_REFUSED)
            expect(refused, 4 * len(FOREIGN), "events CSRF_REFUSED")
            browser.send("POST", "/put?hat", **OURS).expect(READ)
            browser.send("POST", "/logout", Sec_Fetch_Site="same-origin").expect(
                hands_over(deletes(SIGNED_IN))
            )

    def test_an_expired_session_is_answered_once_and_its_cookie_deleted(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            for _ in range(2):
                site.clock.move(minutes=29)
                browser.get("/me").expect(json="alice", why="activity keeps it alive")
            site.clock.move(minutes=31)
            browser.get("/me").expect(hands_over(deletes(SIGNED_IN)), status=401)
            browser.get("/me").expect(READ, status=401)

    def test_a_token_is_renewed_by_who_looks_and_stays_good_until_that_arrived(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            before = browser.copy()
            site.clock.move(minutes=16)
            browser.get("/hello").expect(NOTHING, why="it does not look at the session")
            browser.get("/me").expect(hands_over(keeps(SIGNED_IN)), json="alice")
            before.copy().get("/me").expect(hands_over(keeps(SIGNED_IN)), why="that may be lost")
            browser.get("/me").expect(READ, json="alice")
            before.get("/me").expect(READ, json="alice", why="it may have been sent before")

    def test_a_token_that_two_hold_ends_the_session(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            thief = browser.copy()
            site.clock.move(minutes=16)
            for _ in range(2):
                browser.get("/me").expect(json="alice")
            site.clock.move(minutes=2)
            thief.get("/me").expect(READ, status=401)
            browser.get("/me").expect(READ, status=401, why="nobody knows which is the thief")
            replays = [event.kind for event in site.events].count(Happened.REPLAYED)
            expect(replays, 1, "events REPLAYED")

    def test_two_cookies_can_change_in_one_response(self) -> None:
        """Fails when the lines of a header are kept in a dict."""
        with self._site() as site:
            browser = Browser(site).logged_in()
            site.clock.move(minutes=31)
            browser.get("/put?hat").expect(hands_over(deletes(SIGNED_IN), keeps(VISITOR)))

    def test_who_begins_too_many_sessions_gets_none(self) -> None:
        """Fails when it is another answer than 429 that says so, or somebody else's session."""
        with self._site(policy=Policy(visitor_rate=Rate(2), sign_in_rate=Rate(1))) as site:
            browser = Browser(site).logged_in()
            for _ in range(2):
                Browser(site).get("/put?hat").expect(hands_over(keeps(VISITOR)))
            error = {"error": "too many requests, please try again later"}
            for path in ("/put?hat", "/login"):
                visit = Browser(site).get(path)
                visit.expect(READ, status=429, json=error, why="the client has begun too many")
                expect(len(visit.reply.all("retry-after")), 1, "lines of Retry-After")
            browser.get("/put?hat").expect(READ, why="it begins no session")
            Browser(site).get("/cart").expect(READ, json={})
            site.expect_stored(3)

    def test_who_guesses_tokens_is_refused(self) -> None:
        with self._site(policy=Policy(guess_rate=Rate(2), on_guessing="refuse")) as site:
            browser = Browser(site).logged_in()
            for _ in range(2):
                Browser(site, {SIGNED_IN: "guess"}).get("/me").expect(status=401)
            error = {"error": "too many requests, please try again later"}
            for path in ("/me", "/cart"):
                guess = Browser(site, {SIGNED_IN: "guess"}).get(path)
                guess.expect(hands_over(deletes(SIGNED_IN)), status=429, json=error)
            Browser(site, {SIGNED_IN: "guess"}).get("/hello").expect(NOTHING)
            browser.get("/me").expect(READ, json="alice", why="its token is good")
            guesses = [event.kind for event in site.events].count(Happened.GUESSING)
            expect(guesses, 1, "events GUESSING")

    def test_an_outage_signs_nobody_out(self) -> None:
        with self._site() as site:
            browser = Browser(site).logged_in()
            site.store.failing = {"load", "save", "end"}
            error = {"error": "sessions are unavailable for the moment, please try again"}
            browser.get("/me").expect(READ, status=503, json=error, retry_after=["2"])
            browser.get("/hello").expect(NOTHING, why="who does not look needs no store")
            site.store.failing = set()
            browser.get("/me").expect(READ, json="alice")

    def test_an_outage_deletes_nothing_even_if_the_application_answers_it(self) -> None:
        """A malformed cookie beside a visitor's. Fails when the first is deleted meanwhile."""
        with self._site() as site:
            browser = Browser(site)
            browser.get("/put?hat")
            browser.jar[SIGNED_IN] = "garbage"
            site.store.failing = {"load"}
            browser.get("/fallback").expect(READ, status=503)
            site.store.failing = set()
            browser.get("/fallback").expect(hands_over(deletes(SIGNED_IN)))

    def test_what_could_not_be_saved_is_unavailable(self) -> None:
        """Fails when the client is told that all is well, or to forget a cookie."""
        with self._site() as site:
            browser = Browser(site).logged_in()
            for method, path in (("save", "/put?hat"), ("end", "/logout")):
                site.store.failing = {method}
                browser.get(path).expect(READ, status=503, why=f"the store does not {method}")
            site.store.failing = set()
            browser.get("/cart").expect(json={})
            site.clock.move(minutes=31)  # its cookie is to be deleted, but not by this answer
            site.store.failing = {"save"}
            browser.get("/put?hat").expect(READ, status=503)
