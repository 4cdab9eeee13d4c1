"""Tokens in headers, for clients that are no browsers (RFC 6750 2.1)."""

from collections.abc import Callable

import pytest

from coatcheck import Event, Happened, Sessions
from coatcheck.errors import ConfigurationError
from coatcheck.web import BearerTransport
from coatcheck.web.asgi import SessionMiddleware
from tests.web.app import shop
from tests.web.client import Client
from tests.web.spy import Spy


@pytest.fixture
def api(sessions: Sessions) -> Client:
    return Client(shop(sessions, transport=BearerTransport()))


@pytest.fixture
async def token(api: Client, spy: Spy, events: list[Event]) -> str:
    """The token of a user who is signed in; nothing was asked or told since."""
    token = (await api.post("/login")).get("session-token")
    assert token
    spy.calls.clear()
    events.clear()
    return token


async def test_a_sign_in_answers_with_the_token_in_a_header_of_its_own(api: Client) -> None:
    """And in no cookie; nor does any cache keep it."""
    reply = await api.post("/login")
    assert len(reply.get("session-token") or "") == 89
    assert (reply.cookies, reply.get("cache-control")) == ([], "no-store")
    assert reply.all("vary") == ["Authorization"]


async def test_a_visitor_is_asked_to_log_in_and_who_was_logged_in_to_do_so_again(
    api: Client, token: str, sessions: Sessions
) -> None:
    """A visitor's token comes in the same place. Fails when that alone makes it a login."""
    visitor = (await api.post("/write")).get("session-token")
    for headers in ([], [("authorization", f"Bearer {visitor}")]):
        assert (await api.get("/me", headers)).json() == {"error": "please log in first"}
    await sessions.end_all("alice")
    reply = await api.get("/me", [("authorization", f"Bearer {token}")])
    assert reply.json() == {"error": "session expired, please log in again"}


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer   "])
async def test_the_token_opens_the_session(api: Client, token: str, scheme: str) -> None:
    """RFC 9110 11.1: the scheme in any case, spaces as one likes."""
    reply = await api.get("/me", [("authorization", scheme + token)])
    assert (reply.status, reply.json()["subject"]) == (200, "alice")
    assert (reply.get("session-token"), reply.get("cache-control")) == (None, "private")
    assert reply.all("vary") == ["Authorization"]


@pytest.mark.parametrize(
    "scheme", ["Basic ", "Digest ", "DPoP ", "Token ", "", "Bearer", "Bearer\t"]
)
async def test_other_schemes_are_not_ours(
    api: Client, token: str, spy: Spy, events: list[Event], scheme: str
) -> None:
    """Another layer may use them: no error, no event, no question."""
    reply = await api.get("/me", [("authorization", scheme + token)])
    assert (reply.status, reply.get("session-token")) == (401, None)
    assert (spy.calls, events) == ([], [])


@pytest.mark.parametrize("other", ["Bearer another", "Basic YTpi", "Bearer"])
async def test_two_authorizations_are_ambiguous(
    api: Client, token: str, spy: Spy, events: list[Event], other: str
) -> None:
    """Fails when the first bearer token wins."""
    for pair in ([f"Bearer {token}", other], [other, f"Bearer {token}"]):
        reply = await api.get("/me", [("authorization", value) for value in pair])
        assert reply.status == 401
        assert [event.cause for event in events] == ["ambiguous"]
        events.clear()
    assert spy.calls == []


async def test_the_same_authorization_twice_counts_as_one(api: Client, token: str) -> None:
    twice = [("authorization", f"Bearer {token}")] * 2
    assert (await api.get("/me", twice)).status == 200


@pytest.mark.parametrize("value", ["", "garbage", "a.b.c", "\x00", "\xff" * 89, "x" * 1_000_000])
async def test_garbage_reaches_nothing(
    api: Client, spy: Spy, events: list[Event], value: str
) -> None:
    """R-003; the client is told to forget it, as a browser would be."""
    reply = await api.get("/me", [("authorization", f"Bearer {value}")])
    assert (reply.status, reply.get("session-token")) == (401, "")
    assert [event.cause for event in events] == ["malformed"]
    assert spy.calls == []


SPELLINGS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "swapped": str.swapcase,
    "padded": lambda token: token + "=",
    "quoted": lambda token: f'"{token}"',
}


@pytest.mark.parametrize("change", SPELLINGS.values(), ids=SPELLINGS.keys())
async def test_a_token_has_one_spelling(
    api: Client, token: str, change: Callable[[str], str]
) -> None:
    """R-004."""
    assert (await api.get("/me", [("authorization", f"Bearer {change(token)}")])).status == 401


async def test_cookies_are_never_read(
    api: Client, token: str, spy: Spy, events: list[Event]
) -> None:
    """R-005: no request forged by another site carries the header."""
    cookies = "; ".join(f"{name}={token}" for name in ("__Host-sid", "sid", "Session-Token"))
    assert (await api.get("/me", [("cookie", cookies), ("session-token", token)])).status == 401
    assert (spy.calls, events) == ([], [])


async def test_nor_is_the_header_read_where_cookies_are_used(
    sessions: Sessions, token: str, spy: Spy
) -> None:
    """R-005."""
    reply = await Client(shop(sessions)).get("/me", [("authorization", f"Bearer {token}")])
    assert (reply.status, spy.calls) == (401, [])


async def test_signing_out_empties_the_clients_token(
    api: Client, sessions: Sessions, token: str
) -> None:
    reply = await api.post("/logout", [("authorization", f"Bearer {token}")])
    assert (reply.status, reply.get("session-token")) == (204, "")
    assert reply.get("cache-control") == "no-store"
    late = await api.get("/me", [("authorization", f"Bearer {token}")])
    assert (late.status, late.get("session-token")) == (401, None)
    assert await sessions.count() == 0


async def test_a_visitors_token_is_replaced_by_the_users(api: Client, sessions: Sessions) -> None:
    visitor = (await api.post("/write?cart=hat")).get("session-token")
    own = [("authorization", f"Bearer {visitor}")]
    token = (await api.post("/login", own)).get("session-token")
    assert token not in (None, "", visitor)
    assert (await api.get("/me", own)).status == 401
    assert (await api.get("/read", [("authorization", f"Bearer {token}")])).json() == {
        "cart": "hat"
    }


async def test_a_route_that_never_looks_depends_on_nothing(api: Client, token: str) -> None:
    reply = await api.get("/never_looks", [("authorization", f"Bearer {token}")])
    assert (reply.get("vary"), reply.get("cache-control")) == (None, None)


async def test_the_store_being_down_takes_no_token_away(api: Client, token: str, spy: Spy) -> None:
    """R-020."""
    spy.breaks()
    reply = await api.get("/me", [("authorization", f"Bearer {token}")])
    assert (reply.status, reply.get("session-token"), reply.get("retry-after")) == (503, None, "2")


async def test_plain_http_carries_no_token(sessions: Sessions, token: str, spy: Spy) -> None:
    """R-057; but a developer's own machine may."""
    remote = Client(shop(sessions, transport=BearerTransport()), scheme="http")
    assert (await remote.get("/me", [("authorization", f"Bearer {token}")])).status == 401
    assert (await remote.post("/login")).status == 500
    assert spy.calls == []
    app = shop(sessions, transport=BearerTransport(), development=True)
    local = Client(app, scheme="http", peer="127.0.0.1")
    assert (await local.get("/me", [("authorization", f"Bearer {token}")])).status == 200


async def test_the_header_may_have_another_name(sessions: Sessions) -> None:
    api = Client(shop(sessions, transport=BearerTransport(header="X-Auth")))
    assert len((await api.post("/login")).get("x-auth") or "") == 89


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nX", "a\n", "é"])
def test_a_name_that_is_none_is_refused(sessions: Sessions, name: str) -> None:
    """R-064."""
    with pytest.raises(ConfigurationError) as refusal:
        SessionMiddleware(shop(sessions), sessions=sessions, transport=BearerTransport(header=name))
    assert refusal.value.setting == "header"


async def test_a_401_says_how_to_authenticate(api: Client) -> None:
    """RFC 9110 15.5.2: it MUST; RFC 6750 3 says with what."""
    assert ((await api.get("/me")).get("www-authenticate") or "").startswith("Bearer")


async def test_an_event_tells_of_a_token_that_is_unknown(
    api: Client, token: str, sessions: Sessions, events: list[Event]
) -> None:
    await sessions.end_all("alice")
    events.clear()
    await api.get("/me", [("authorization", f"Bearer {token}")])
    assert [(e.kind, e.cause) for e in events] == [(Happened.REFUSED, "retired")]
