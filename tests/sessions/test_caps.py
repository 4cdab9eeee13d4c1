"""What one session may hold, and what whoever exceeds it gets; nobody else's session is touched."""

import pytest
from flask import Flask, flash, get_flashed_messages

from coatcheck import BlockingSessions, MemoryStore, Policy, Sessions, Store
from coatcheck.codec import MessagePackCodec
from coatcheck.errors import SessionTooLarge, TooManyKeys, TooManyMessages
from coatcheck.testing import Clock
from tests.frameworks.flask_site import Site
from tests.sessions.browser import Browser


@pytest.mark.parametrize("count", [0, 1, 15, 16, 255, 65_535, 65_536, 100_000])
def test_keys_are_counted_without_decoding(count: int) -> None:
    codec = MessagePackCodec()
    assert codec.count(codec.encode(dict.fromkeys(map(str, range(count))))) == count


async def test_too_many_keys_are_refused(store: Store, clock: Clock) -> None:
    """R-082. Fails when keys are not counted: each is merged on its own when requests meet."""
    sessions = Sessions(store, clock=clock, policy=Policy(max_keys=20))
    other, browser = Browser(sessions), Browser(sessions)
    await other.put(x=1)
    await browser.put(**{f"k{n}": n for n in range(20)})
    with pytest.raises(TooManyKeys) as error:
        await browser.put(one_more=1)
    assert (error.value.count, error.value.limit) == (21, 20)
    with pytest.raises(TooManyKeys):
        await Browser(sessions).sign_in("alice", **{f"k{n}": n for n in range(21)})
    assert len((await browser.see())[1]) == 20
    assert await other.see() == (None, {"x": 1})
    assert await sessions.count() == 2


async def test_keys_that_two_requests_add_are_counted_together(store: Store, clock: Clock) -> None:
    sessions = Sessions(store, clock=clock, policy=Policy(max_keys=20))
    browser = Browser(sessions)
    await browser.put(**{f"k{n}": n for n in range(15)})
    late = await browser.send()
    late.update({f"late{n}": n for n in range(5)})
    await browser.put(early=1)
    with pytest.raises(TooManyKeys):
        await sessions.commit(late)
    assert len((await browser.see())[1]) == 16


def test_too_large_and_too_many_have_errors_of_their_own(clock: Clock) -> None:
    sessions = BlockingSessions(MemoryStore(), clock=clock, policy=Policy(max_size=300))
    session = sessions.open(None)
    session["x"] = "x" * 301
    with pytest.raises(SessionTooLarge):
        sessions.commit(session)
    assert sessions.count() == 0


def pages(app: Flask) -> None:
    @app.get("/flash")
    def more() -> str:
        flash("hello")
        return ""

    @app.get("/catch")
    def catch() -> str:
        try:
            flash("hello")
        except TooManyMessages as error:
            return str(error.limit)
        return ""

    @app.get("/show")
    def show() -> str:
        return str(len(get_flashed_messages()))


def test_messages_that_nobody_shows_are_at_most_so_many() -> None:
    """R-082. Fails when there is no limit, or the one too many is kept by who catches the error."""
    flask = Site(policy=Policy(max_messages=3), before=pages)
    browser = flask.client()
    assert [browser.get("/flash").status_code for _ in range(5)] == [200, 200, 200, 500, 500]
    for _ in range(5):
        assert browser.get("/catch").text == "3"
    assert browser.get("/show").text == "3"
    assert browser.get("/flash").status_code == 200
