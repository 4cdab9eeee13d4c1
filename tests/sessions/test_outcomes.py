"""The table of outcomes, cell by cell, on every store: my intent meets what happened meanwhile."""

from typing import Any

import pytest

from coatcheck import Session, Sessions
from coatcheck.errors import Unauthenticated
from tests.sessions.browser import Answer, Browser, twin


def count(data: dict[str, Any]) -> None:
    data["cart"]["mine"] = data["cart"].get("mine", 0) + 1


def intend(session: Session, intent: str) -> None:
    """Do in the handler what the row says."""
    match intent:
        case "read":
            assert session.subject == "u1"
        case "edit":
            session["cart"]["mine"] = 1
        case "edit(fn)":
            session.edit(count)
        case "step_up":
            session.step_up(2)
        case "rotate":
            session.privilege_changed()
        case "sign_in same":
            session.sign_in("u1")
        case "sign_in other":
            session.sign_in("u2")
        case "end":
            session.end()
        case _:
            raise AssertionError(intent)


async def happen(browser: Browser, what: str) -> None:
    """Let another request of the session do what the column says."""
    session = await browser.send()
    match what:
        case "edit":
            session["cart"]["theirs"] = 1
        case "lineage":
            session.privilege_changed()
            session["cart"]["theirs"] = 1
        case "moved":
            session.sign_in("u3")
        case "ended":
            session.end()
        case "end_all":
            await browser.sessions.end_all("u1")
            return
        case _:
            raise AssertionError(what)
    answer = await browser.finish(session)
    assert answer.status == 200


BOTH = {"old": 0, "theirs": 1, "mine": 1}
THEIRS = {"old": 0, "theirs": 1}
# intent, meanwhile: status, cookie, what the session the table speaks of holds afterwards: the
# stored one ("stays"), a new one ("fork"), or none ("over")
TABLE: list[tuple[str, str, int, str, str, dict[str, Any]]] = [
    ("read", "edit", 200, "-", "stays", THEIRS),
    ("read", "lineage", 200, "-", "stays", THEIRS),
    ("read", "moved", 200, "-", "over", {}),
    ("read", "ended", 200, "-", "over", {}),
    ("edit", "edit", 200, "-", "stays", BOTH),
    ("edit", "lineage", 409, "-", "stays", THEIRS),
    ("edit", "moved", 409, "-", "over", {}),
    ("edit", "ended", 200, "-", "over", {}),
    ("edit", "end_all", 200, "-", "over", {}),
    ("edit(fn)", "edit", 200, "-", "stays", BOTH),
    ("edit(fn)", "lineage", 409, "-", "stays", THEIRS),
    ("edit(fn)", "moved", 409, "-", "over", {}),
    ("edit(fn)", "ended", 200, "-", "over", {}),
    ("step_up", "edit", 200, "set", "stays", THEIRS),
    ("step_up", "lineage", 409, "-", "stays", THEIRS),
    ("step_up", "moved", 409, "-", "over", {}),
    ("step_up", "ended", 401, "-", "over", {}),
    ("rotate", "edit", 200, "set", "stays", THEIRS),
    ("rotate", "lineage", 409, "-", "stays", THEIRS),
    ("rotate", "moved", 409, "-", "over", {}),
    ("rotate", "ended", 401, "-", "over", {}),
    ("sign_in same", "edit", 200, "set", "stays", THEIRS),
    ("sign_in same", "lineage", 200, "set", "fork", {"cart": THEIRS}),
    ("sign_in same", "moved", 200, "set", "fork", {}),
    ("sign_in same", "ended", 200, "set", "fork", {}),
    ("sign_in same", "end_all", 401, "-", "over", {}),
    ("sign_in other", "edit", 200, "set", "fork", {}),
    ("sign_in other", "lineage", 200, "set", "fork", {}),
    ("sign_in other", "moved", 200, "set", "fork", {}),
    ("sign_in other", "ended", 200, "set", "fork", {}),
    ("end", "edit", 200, "delete", "over", {}),
    ("end", "lineage", 200, "delete", "over", {}),
    ("end", "moved", 200, "-", "over", {}),
    ("end", "ended", 200, "-", "over", {}),
]


@pytest.mark.parametrize(("intent", "meanwhile", "status", "cookie", "fate", "held"), TABLE)
async def test_a_signed_in_session(
    sessions: Sessions,
    intent: str,
    meanwhile: str,
    status: int,
    cookie: str,
    fate: str,
    held: dict[str, object],
) -> None:
    """S1 to S3, P1, P2, P4 to P7, C2, C3. Fails in its cell when `decide` answers another."""
    mine = Browser(sessions)
    await mine.sign_in("u1", cart={"old": 0})
    other = twin(mine)
    request = await mine.send()
    old_id = request.id
    await happen(other, meanwhile)
    intend(request, intent)
    answer = await mine.finish(request)
    assert (answer.status, answer.cookie) == (status, cookie)
    await sees(sessions, mine, other, answer, old_id, fate, held, meanwhile)


async def sees(
    sessions: Sessions,
    mine: Browser,
    other: Browser,
    answer: Answer,
    old_id: str | None,
    fate: str,
    held: dict[str, object],
    meanwhile: str,
) -> None:
    if fate == "stays":
        now = mine if answer.cookie == "set" else other
        assert await now.see() == ("u1", {"cart": held})
        assert [info.id for info in await sessions.list("u1")] == [old_id]
    elif fate == "fork":
        session = await mine.send()
        assert session.id not in (None, old_id)
        assert dict(session) == held
        stays = meanwhile == "lineage"
        assert (old_id in [info.id for info in await sessions.list("u1")]) is stays
        assert (await other.see())[0] == {"lineage": "u1", "moved": "u3"}.get(meanwhile)
    else:
        assert await sessions.list("u1") == []


# The same for a visitor's session, whose data moves to the one who signs in first.
ANONYMOUS: list[tuple[str, str, int, str, dict[str, Any] | None]] = [
    ("sign_in other", "edit", 200, "set", {"cart": THEIRS}),
    ("sign_in other", "lineage", 200, "set", {}),
    ("sign_in other", "moved", 200, "set", {}),
    ("sign_in other", "ended", 200, "set", {}),
    ("edit", "moved", 409, "-", None),
    ("edit", "edit", 200, "-", None),
]


@pytest.mark.parametrize(("intent", "meanwhile", "status", "cookie", "held"), ANONYMOUS)
async def test_a_visitors_session(
    sessions: Sessions,
    intent: str,
    meanwhile: str,
    status: int,
    cookie: str,
    held: dict[str, object] | None,
) -> None:
    """P2, P3, P5: copied again after an edit; once, to one subject; never after an end."""
    mine = Browser(sessions)
    await mine.put(cart={"old": 0})
    other = twin(mine)
    request = await mine.send()
    await happen(other, meanwhile)
    intend(request, intent)
    answer = await mine.finish(request)
    assert (answer.status, answer.cookie) == (status, cookie)
    if held is not None:
        assert await mine.see() == ("u2", held)


async def test_a_double_clicked_login_keeps_the_cart_whichever_answer_is_last(
    sessions: Sessions,
) -> None:
    """P6: both fork, the data moved to the same subject."""
    mine = Browser(sessions)
    await mine.put(cart={"old": 0})
    first, second = await mine.send(), await mine.send()
    for request in (first, second):
        request.sign_in("u1")
    answers = [await mine.finish(request, lose=True) for request in (first, second)]
    for answer in answers:
        assert (answer.status, answer.cookie) == (200, "set")
        browser = twin(mine)
        browser.receive(answer)
        assert await browser.see() == ("u1", {"cart": {"old": 0}})


async def test_two_users_from_one_visitor_share_nothing(sessions: Sessions) -> None:
    """P5: fails when the second sign-in keeps what it had copied."""
    mine = Browser(sessions)
    await mine.put(cart={"old": 0})
    first, second = await mine.send(), await mine.send()
    first.sign_in("u1")
    second.sign_in("u2")
    await mine.finish(first, lose=True)
    await mine.finish(second)
    assert await mine.see() == ("u2", {})


async def test_an_anonymous_session_has_nothing_to_step_up(sessions: Sessions) -> None:
    mine = Browser(sessions)
    await mine.put(cart={})
    session = await mine.send()
    with pytest.raises(Unauthenticated):
        session.step_up(2)
