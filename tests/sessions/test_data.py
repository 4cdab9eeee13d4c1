"""A session's keys as typed attributes: no copy of the data, and nothing stored by looking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import pytest
from flask import Flask, session

from coatcheck import BlockingSessions, Done, MemoryStore, Session, SessionData, Sessions, default
from coatcheck.testing import WsgiDriver
from coatcheck.web.flask import SessionInterface
from tests.sessions.browser import Browser


class Shop(SessionData):
    limit: ClassVar[int] = 9

    language: str = "en"
    cart: dict[str, int] = default(dict[str, int])
    seen: list[str] = default(lambda: ["home"])
    age: int

    def add(self, item: str) -> None:
        self.cart[item] = self.cart.get(item, 0) + 1


async def visit(browser: Browser, *names: str) -> None:
    """Look at some keys, and finish the request."""
    session = await browser.send()
    for name in names:
        getattr(Shop(session), name)
    await browser.finish(session)


async def test_attributes_are_the_sessions_keys(sessions: Sessions) -> None:
    browser = Browser(sessions)
    session = await browser.send()
    shop = Shop(session)
    shop.language, shop.age = "de", 7
    shop.add("hat")
    assert session == {"language": "de", "age": 7, "cart": {"hat": 1}}
    session["language"] = "fr"
    assert shop.language == "fr"
    del shop.language, shop.age
    assert session == {"cart": {"hat": 1}}
    await browser.finish(session)
    assert await browser.send() == {"cart": {"hat": 1}}


def test_a_key_without_a_default_is_missing_until_it_is_set() -> None:
    shop = Shop({})
    with pytest.raises(AttributeError, match="the session has no 'age'"):
        _ = shop.age
    del shop.age
    assert not hasattr(shop, "age")


def test_what_annotates_no_key_is_left_alone() -> None:
    data: dict[str, Any] = {}
    assert (Shop(data).limit, Shop.limit, data) == (9, 9, {})


def test_a_subclass_adds_keys_and_may_have_other_defaults() -> None:
    class German(Shop):
        language = "de"
        seen: list[str] = default(list[str])
        plz: str = ""

    data: dict[str, Any] = {}
    shop = German(data)
    assert (shop.language, shop.seen, shop.plz) == ("de", [], "")
    shop.language = "at"
    assert data["language"] == "at"
    assert Shop({}).language == "en"


def test_a_default_that_all_sessions_would_share_is_refused() -> None:
    with pytest.raises(TypeError, match="cart"):

        class Wrong(SessionData):  # pyright: ignore[reportUnusedClass]
            cart: dict[str, int] = {}  # noqa: RUF012 - so it says


async def test_a_visitor_who_only_looks_gets_no_session(sessions: Sessions) -> None:
    """M7. Fails when a default is stored because it was read."""
    browser = Browser(sessions)
    await visit(browser, "language", "cart", "seen")
    assert await sessions.count() == 0
    assert browser.jar == {}


async def test_looking_saves_nothing(sessions: Sessions) -> None:
    browser = Browser(sessions)
    session = await browser.send()
    session["language"] = "de"
    await browser.finish(session)
    session = await browser.send()
    assert (Shop(session).cart, Shop(session).seen) == ({}, ["home"])
    assert not session.state.is_unsaved(session)
    assert (await sessions.commit(session)).done is Done.KEPT


async def test_a_default_that_is_changed_in_place_is_saved(sessions: Sessions) -> None:
    """Fails when the default is handed out without being put anywhere."""
    browser = Browser(sessions)
    session = await browser.send()
    Shop(session).cart["hat"] = 1
    seen = Shop(session).seen
    assert seen is Shop(session).seen
    await browser.finish(session)
    session = await browser.send()
    assert session == {"cart": {"hat": 1}}


async def test_true_in_place_of_1_is_a_change(sessions: Sessions) -> None:
    """Fails when a default is compared by `==` alone."""

    class Flags(SessionData):
        flags: list[object] = default(lambda: cast("list[object]", [1]))

    browser = Browser(sessions)
    session = await browser.send()
    Flags(session).flags[0] = True
    await browser.finish(session)
    assert (await browser.send())["flags"][0] is True


async def test_a_default_that_is_set_is_stored(sessions: Sessions) -> None:
    """As `session["cart"] = {}` is, even if it is the one that was read before."""
    browser = Browser(sessions)
    session = await browser.send()
    shop = Shop(session)
    shop.cart = shop.cart
    await browser.finish(session)
    assert await browser.send() == {"cart": {}}


async def test_one_that_cannot_be_stored_is_named(sessions: Sessions) -> None:
    session = await Browser(sessions).send()
    Shop(session).cart["hat"] = cast("int", object())
    with pytest.raises(TypeError, match=r"cart\.hat"):
        await sessions.commit(session)


async def test_a_change_after_a_commit_is_for_the_next(sessions: Sessions) -> None:
    """As on a WebSocket. Fails when the first commit takes the unchanged default away."""
    browser = Browser(sessions)
    session = await browser.send()
    cart = Shop(session).cart
    assert (await sessions.commit(session)).done is Done.KEPT
    cart["hat"] = 1
    assert session.state.is_unsaved(session)
    await browser.finish(session)
    assert await browser.send() == {"cart": {"hat": 1}}


TAKE_AWAY: dict[str, Callable[[Session], object]] = {
    "pop": lambda session: session.pop("cart"),
    "sign_in": lambda session: session.sign_in("bob"),
    "clear": Session.clear,
    "end": Session.end,
}


@pytest.mark.parametrize("how", TAKE_AWAY)
async def test_nothing_of_a_default_outlives_a_removal_or_an_end(
    sessions: Sessions, how: str
) -> None:
    """Fails when changed defaults are kept beside the dict, and put into it by the commit."""
    browser = Browser(sessions)
    session = await browser.send()
    session.sign_in("alice")
    await browser.finish(session)
    session = await browser.send()
    cart = Shop(session).cart
    cart["hat"] = 1
    TAKE_AWAY[how](session)
    cart["cap"] = 1
    await browser.finish(session)
    assert session == {}
    assert await browser.send() == {}


async def test_it_works_inside_edit_and_again_on_fresh_data(sessions: Sessions) -> None:
    """Where the function is run again it is given a plain dict."""
    browser = Browser(sessions)
    session = await browser.send()
    session["language"] = "de"
    await browser.finish(session)
    first, second = await browser.send(), await browser.send()
    for session in (first, second):
        session.edit(lambda data: Shop(data).add("hat"))
        await browser.finish(session)
    assert await browser.send() == {"language": "de", "cart": {"hat": 2}}


async def test_an_edit_that_only_looks_takes_nothing_away(sessions: Sessions) -> None:
    """Fails when the default counts as set in the edit, and as removed after it."""
    browser = Browser(sessions)
    session = await browser.send()
    session["language"] = "de"
    await browser.finish(session)
    first, second = await browser.send(), await browser.send()
    second.edit(lambda data: data.update(items=len(Shop(data).cart)))
    Shop(first).add("hat")
    await browser.finish(first)
    await browser.finish(second)
    assert await browser.send() == {"language": "de", "cart": {"hat": 1}, "items": 1}


async def test_an_edit_of_a_default_runs_again_on_data_without_it(sessions: Sessions) -> None:
    browser = Browser(sessions)
    session = await browser.send()
    session["language"] = "de"
    await browser.finish(session)
    first, second = await browser.send(), await browser.send()
    second.edit(lambda data: Shop(data).add("hat"))
    first["a"] = 1
    await browser.finish(first)
    await browser.finish(second)
    assert await browser.send() == {"language": "de", "a": 1, "cart": {"hat": 1}}


async def test_an_edit_that_only_looks_stores_nothing(sessions: Sessions) -> None:
    session = await Browser(sessions).send()
    session.edit(lambda data: Shop(data).cart)
    assert (await sessions.commit(session)).done is Done.KEPT


async def test_a_default_that_was_only_read_survives_a_merge_unsaved(sessions: Sessions) -> None:
    """Fails when it is taken for a key that another task set during the commit."""
    browser = Browser(sessions)
    session = await browser.send()
    session["language"] = "de"
    await browser.finish(session)
    first, second = await browser.send(), await browser.send()
    first["a"], second["b"] = 1, 2
    assert Shop(second).cart == {}
    await browser.finish(first)
    await browser.finish(second)
    assert second == {"language": "de", "a": 1, "b": 2}
    assert not second.state.is_unsaved(second)


def test_one_view_of_flasks_proxy_serves_all_requests() -> None:
    store = MemoryStore()
    app = Flask(__name__)
    app.session_interface = SessionInterface(app, BlockingSessions(store))
    shop = Shop(session)

    @app.get("/look")
    def look() -> str:
        return repr(shop.cart)

    @app.get("/permanent")
    def permanent() -> str:
        session.permanent = True
        return repr(shop.cart)

    @app.get("/add")
    def add() -> str:
        shop.add("hat")
        return repr(shop.cart)

    driver = WsgiDriver(app)
    for path in ("/look", "/permanent"):
        reply = driver.send("GET", path)
        assert (reply.body, reply.all("set-cookie"), reply.all("vary")) == (b"{}", [], ["Cookie"])
    added = driver.send("GET", "/add")
    assert added.body == b"{'hat': 1}"
    cookie = added.all("set-cookie")[0].partition(";")[0]
    assert driver.send("GET", "/look", {"Cookie": cookie}).body == b"{'hat': 1}"
    assert driver.send("GET", "/look").body == b"{}"
