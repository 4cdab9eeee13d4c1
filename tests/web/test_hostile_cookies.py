"""Whatever a client sends as a cookie: no error, no question to the store, nothing given back."""

import string
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from coatcheck import Event, Happened, Holder, Sessions, Token
from coatcheck.web import CookieTransport
from coatcheck.web.asgi import session_of
from tests.web.app import shop
from tests.web.client import HOST, Client, Headers, Reply
from tests.web.spy import Spy

SID = "__Host-sid"
BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.fixture
async def token(browser: Client, spy: Spy, events: list[Event]) -> str:
    """The text of the token of a user who is signed in; nothing was asked or told since."""
    await browser.post("/login")
    spy.calls.clear()
    events.clear()
    return browser.jar.value(SID) or ""


async def test_the_token_itself_opens_the_session(browser: Client, token: str) -> None:
    """What follows would prove nothing without it."""
    assert (await browser.get("/me", [("cookie", f"{SID}={token}")])).status == 200


def refused(reply: Reply, spy: Spy, events: list[Event], reason: str) -> None:
    """Assert that a request was unauthenticated, told once, and cost nothing."""
    assert reply.status == 401
    assert reply.json() == {"error": "session expired, please log in again"}
    assert spy.calls == []
    assert [(e.kind, e.id, e.cause) for e in events] == [(Happened.REFUSED, None, reason)]


def other_spellings(token: str) -> Iterator[str]:
    """Yield what a lenient decoder would take for `token`."""
    id, lineage, secret = token.split(".")
    for part in (id, lineage, secret):
        last = BASE64URL.index(part[-1])
        for unused in range(1, 4 if part is secret else 16):
            yield token.replace(part, part[:-1] + BASE64URL[last | unused], 1)
    yield from (token + "=", f"{id}==.{lineage}==.{secret}=", token + " x", token + ".")
    yield from (f'"{token}"', f"'{token}'", f"[{token}]", token.replace(".", "%2E"))
    yield from (f"%{ord(token[0]):02x}{token[1:]}", token.replace(".", "\xb7"), token[:-1] + "\xaa")
    yield from (token[:-1], token[1:], token + token, token + "A", id, f"{id}.{lineage}", "." * 89)
    yield from (token.replace(".", ","), token.replace(".", "/"), token.replace(".", "..", 1))


CRAFTED = [
    "", " ", "null", "undefined", "../../x", "' OR 1=1 --", "a*", "*", "%00", "\x00", "a\x00b",
    "\r\nX: y", "{}", "$where", "a" * 89, "\xff" * 89, "\xf0\x9f\x94\x91", "a" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("value", CRAFTED)
async def test_a_value_that_is_no_token_reaches_nothing(
    browser: Client, spy: Spy, events: list[Event], value: str
) -> None:
    """R-003. Fails when `Token.parse` takes any three parts: the store is asked for them."""
    reply = await browser.get("/me", [("cookie", f"{SID}={value}")])
    refused(reply, spy, events, "malformed")
    if len(value) > 3:
        assert value.encode("latin-1") not in repr(reply.headers).encode() + reply.body


async def test_a_token_has_one_spelling(
    browser: Client, token: str, spy: Spy, events: list[Event]
) -> None:
    """R-004: unused bits, padding, quotes, percent, look-alikes, too much and too little.

    Fails when the pattern of a token takes any last character.
    """
    for spelling in other_spellings(token):
        reply = await browser.get("/me", [("cookie", f"{SID}={spelling}")])
        refused(reply, spy, events, "malformed")
        events.clear()


async def test_the_case_of_a_letter_counts(browser: Client, token: str, spy: Spy) -> None:
    """R-004: in another case it is another token, with nothing behind it."""
    flips = [token[:n] + token[n].swapcase() + token[n + 1 :] for n in range(len(token))]
    in_the_secret = {flip for flip in flips if flip.rpartition(".")[0] == token.rpartition(".")[0]}
    spellings = {token.upper(), token.lower(), token.swapcase(), *flips} - in_the_secret
    for spelling in spellings - {token}:
        assert (await browser.get("/me", [("cookie", f"{SID}={spelling}")])).status == 401
    assert set(spy.calls) <= {"load"}
    assert (await browser.get("/me", [("cookie", f"{SID}={token}")])).status == 200
    other = next(iter(in_the_secret - {token}))
    assert (await browser.get("/me", [("cookie", f"{SID}={other}")])).status == 401


@pytest.mark.parametrize(
    ("letter", "alike"), [("K", "\u212a"), ("s", "\u017f"), ("a", "\uff41"), (".", "\uff0e")]
)
async def test_look_alikes_are_other_letters(
    browser: Client, token: str, spy: Spy, events: list[Event], letter: str, alike: str
) -> None:
    """R-004: folding or normalising them would give a letter of the alphabet."""
    value = (
        (letter + token[1:]).replace(letter, alike, 1)
        if letter != "."
        else token.replace(letter, alike)
    )
    raw = f"{SID}={value}".encode()
    refused(await browser.get("/me", [("cookie", raw)]), spy, events, "malformed")


@pytest.mark.parametrize(
    "name",
    [
        "__HOST-sid", "__host-sid", "__Host-SID", "__Host_sid", "Host-sid", "sid", "xx__Host-sid",
        "__Host-sid2", "$__Host-sid", '"__Host-sid"', "__Host-sid\xa0", "\x0b__Host-sid",
        "__Host-sid\x00",
    ],
)  # fmt: skip
async def test_a_name_is_compared_letter_by_letter(
    browser: Client, token: str, spy: Spy, events: list[Event], name: str
) -> None:
    """R-050, R-059: another name is another cookie, and no event. Fails when names are folded."""
    assert (await browser.get("/me", [("cookie", f"{name}={token}")])).status == 401
    assert (spy.calls, events) == ([], [])


@pytest.mark.parametrize("pair", ["={}={}", "=={}={}", " ={}={}", "={}", "\t= {}={}", "=; ={}={}"])
async def test_a_cookie_without_a_name_gets_none_from_its_value(
    browser: Client, token: str, spy: Spy, events: list[Event], pair: str
) -> None:
    """R-060. Fails when a leading `=` is stripped."""
    cookie = pair.format(SID, token)
    assert (await browser.get("/me", [("cookie", cookie)])).status == 401
    assert (spy.calls, events) == ([], [])


async def test_a_name_without_equals_sign_is_no_cookie(
    browser: Client, token: str, events: list[Event]
) -> None:
    assert (await browser.get("/me", [("cookie", SID)])).status == 401
    assert events == []
    assert (await browser.get("/me", [("cookie", f"{SID}; {SID}={token}; {SID}")])).status == 200


@pytest.mark.parametrize(
    "around",
    [
        'a="x; {}; b[]=1', '{}; a="', "a=b,c=d; {}", ";;; {};;;", "a; {}; b", "{};", "a={{; {}",
        "a=\\; {}", "\xff\xfe=\x80; {}", "a=b;{};c=d", "a=b; \t {} \t ; c=d",
        "$Version=1; {}; $Path=/",
        "__Host-anon=x; {}", "sid=x; {}; SID=y", "=x; {}; ==",
    ],
)  # fmt: skip
async def test_a_bad_pair_neither_hides_nor_adds_another(
    browser: Client, token: str, around: str
) -> None:
    """R-059, R-061: pairs end at `;` alone. Fails when quotes are given a meaning."""
    cookie = around.format(f"{SID}={token}")
    assert (await browser.get("/me", [("cookie", cookie)])).status == 200


async def test_quotes_do_not_keep_a_cookie_in(browser: Client, token: str) -> None:
    """R-061: a browser sends the quote as it was set; the cookie after it is one of its own."""
    reply = await browser.get("/me", [("cookie", f'a="; {SID}={token}"')])
    assert reply.status == 401
    assert (await browser.get("/me", [("cookie", f'a="; {SID}={token}; b="')])).status == 200


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("is_split", [False, True])
async def test_two_values_are_ambiguous_in_either_order(
    sessions: Sessions,
    token: str,
    spy: Spy,
    events: list[Event],
    swapped: bool,
    is_split: bool,
) -> None:
    """R-058: neither is chosen, both may be valid. Fails when the first or the last one wins."""
    mallory = Client(shop(sessions))
    await mallory.post("/login?as=mallory")
    spy.calls.clear()
    events.clear()
    pairs = [f"{SID}={token}", f"{SID}={mallory.jar.value(SID)}"]
    pairs = pairs[::-1] if swapped else pairs
    headers: Headers = [("cookie", p) for p in (pairs if is_split else ["; ".join(pairs)])]
    refused(await mallory.get("/me", headers), spy, events, "ambiguous")


async def test_an_empty_value_beside_the_token_is_ambiguous_too(
    browser: Client, token: str, spy: Spy, events: list[Event]
) -> None:
    reply = await browser.get("/me", [("cookie", f"{SID}=; {SID}={token}")])
    refused(reply, spy, events, "ambiguous")


async def test_the_same_value_twice_counts_as_one(browser: Client, token: str, spy: Spy) -> None:
    """R-058. Fails when pairs are counted rather than values."""
    pair = f"{SID}={token}"
    reply = await browser.get("/me", [("cookie", f"{pair}; a=b; {pair}"), ("cookie", pair)])
    assert reply.status == 200
    assert spy.calls == ["load"]


async def test_cookie_headers_that_came_apart_are_one(browser: Client, token: str) -> None:
    """R-062: HTTP/2 splits them. Fails when the first or the last header is taken."""
    pairs = ["a=b", f"{SID}={token}", "c=d"]
    assert (await browser.get("/me", [("cookie", pair) for pair in pairs])).status == 200


async def test_a_visitors_cookie_does_not_shadow_the_users(
    sessions: Sessions, browser: Client, token: str
) -> None:
    """C4: the visitor's cookie counts only where the other opens nothing."""
    visitor = Client(shop(sessions))
    await visitor.post("/write")
    cookie = f"__Host-anon={visitor.jar.value('__Host-anon')}; {SID}={token}"
    assert (await browser.get("/me", [("cookie", cookie)])).json()["subject"] == "alice"
    assert (await browser.get("/read", [("cookie", cookie)])).json() == {}


HUGE = {
    "a megabyte of quotes": b'a="' + b'\\"' * 500_000,
    "a megabyte in the value": f"{SID}=".encode() + b"a" * 1_000_000,
    "100,000 pairs": b"; ".join(b"a%d=b" % n for n in range(100_000)),
    "100,000 session cookies": f"{SID}=a; ".encode() * 100_000,
    "100,000 semicolons": b";" * 100_000,
    "a megabyte of equals signs": b"=" * 1_000_000,
    "just too long": b"a" * 16_385,
    "just too many": b"; ".join([b"a=b"] * 257),
}


@pytest.mark.parametrize("header", HUGE.values(), ids=HUGE.keys())
async def test_a_header_beyond_all_bounds_is_refused_as_a_whole(
    browser: Client, token: str, spy: Spy, events: list[Event], header: bytes
) -> None:
    """R-063: also when the token is in it, which then is not deleted: nobody looked at it.

    Fails when the bounds are taken out: 200 at the end.
    """
    for sent in (header, header + f"; {SID}={token}".encode()):
        reply = await browser.get("/me", [("cookie", sent)])
        assert (reply.status, reply.cookies, spy.calls) == (401, [], [])
        assert [event.cause for event in events] == ["unread"]
        events.clear()


def test_a_huge_header_is_read_without_being_taken_apart() -> None:
    """R-063: no pair of it is made, so it takes no memory beyond the header's own."""
    headers = [(b"cookie", header) for header in HUGE.values()]
    tracemalloc.start()
    try:
        for header in headers:
            CookieTransport().read([header])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * max(len(value) for _, value in headers)


async def test_the_largest_header_within_the_bounds_is_read(browser: Client, token: str) -> None:
    pair = f"{SID}={token}"
    for filler in ("a=" + "b" * (16_384 - len(pair) - 4), "; ".join(["a=b"] * 255)):
        assert (await browser.get("/me", [("cookie", f"{filler}; {pair}")])).status == 200


@pytest.mark.parametrize("byte", [bytes([n]) for n in [*range(33), 127, 128, 160, 255]], ids=repr)
async def test_no_byte_is_an_error(
    browser: Client, token: str, spy: Spy, events: list[Event], byte: bytes
) -> None:
    """R-063: controls, NUL and 8-bit bytes, before, inside and after."""
    inside = token.encode()
    for value in (inside[:5] + byte + inside[5:], inside[:5] + byte + inside[6:]):
        reply = await browser.get("/me", [("cookie", f"{SID}=".encode() + value)])
        refused(reply, spy, events, "malformed")
        events.clear()
    reply = await browser.get("/never_looks", [("cookie", byte * 100)])
    assert reply.status == 200


async def test_a_route_that_never_looks_does_not_mind(browser: Client, events: list[Event]) -> None:
    reply = await browser.get("/never_looks", [("cookie", f"{SID}=garbage; {SID}=more")])
    assert (reply.status, reply.cookies, len(events)) == (200, [], 1)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/me?sid={0}", 401),
        ("/me?__Host-sid={0}&session={0}&token={0}", 401),
        ("/me;jsessionid={0}", 404),
    ],
)
async def test_a_token_in_the_url_is_ignored(
    sessions: Sessions, token: str, spy: Spy, events: list[Event], path: str, status: int
) -> None:
    """R-005."""
    reply = await Client(shop(sessions)).get(path.format(token))
    assert reply.status == status
    assert (spy.calls, events) == ([], [])


@pytest.mark.parametrize(
    "name",
    ["authorization", "session-token", "x-session-id", "__host-sid", "cookie2", "x-csrf-token",
     "set-cookie"],
)  # fmt: skip
async def test_a_token_in_another_header_is_ignored(
    sessions: Sessions, token: str, spy: Spy, events: list[Event], name: str
) -> None:
    """R-005."""
    for value in (token, f"Bearer {token}", f"{SID}={token}"):
        assert (await Client(shop(sessions)).get("/me", [(name, value)])).status == 401
    assert (spy.calls, events) == ([], [])


async def echo(request: Request) -> Response:
    await request.body()
    return JSONResponse({"subject": session_of(request).subject})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", "__Host-sid={0}&sid={0}"),
        ("application/json", '{{"__Host-sid": "{0}", "session": "{0}"}}'),
        ("text/plain", "__Host-sid={0}"),
    ],
)
async def test_a_token_in_the_body_is_ignored(
    sessions: Sessions, token: str, spy: Spy, kind: str, body: str
) -> None:
    """R-005."""
    stranger = Client(shop(sessions, echo))
    sent = body.format(token).encode()
    reply = await stranger.post("/echo", [("content-type", kind)], sent)
    assert reply.json() == {"subject": None}
    assert spy.calls == []


async def test_other_cookies_claim_nothing(browser: Client, token: str) -> None:
    """R-009: who the user is stands in the store alone."""
    claims = f"user=admin; auth=1; subject=admin; {SID}={token}; role=admin"
    assert (await browser.get("/me", [("cookie", claims)])).json()["subject"] == "alice"
    assert (await browser.get("/me", [("cookie", "user=admin; auth=1")])).status == 401


async def test_a_name_nobody_issued_becomes_no_session(
    sessions: Sessions, spy: Spy, browser: Client
) -> None:
    """R-002: a well-formed token is not adopted: what is written gets a token of its own."""
    planted = Token.mint(lambda n: bytes(range(n)))
    reply = await browser.post("/write", [("cookie", f"__Host-anon={planted.reveal()}")])
    assert reply.status == 200
    assert planted.id not in (browser.jar.value("__Host-anon") or planted.id)
    assert await spy.behind.load(planted.id) is None
    assert await sessions.count() == 1


CANONICAL = Token.mint(lambda n: bytes(range(n, 0, -1))).reveal()
_pieces = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b";", b"=", b'"', b" ", SID.encode(), b"__Host-anon", CANONICAL.encode()]),
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(
    st.lists(st.tuples(st.sampled_from([b"cookie", b"authorization", b"x"]), _pieces), max_size=4)
)
@example([(b"cookie", f"{SID}={CANONICAL}".encode())])
def test_reading_never_fails_and_returns_canonical_tokens_only(
    headers: list[tuple[bytes, bytes]],
) -> None:
    """R-003, R-063: a token that is returned stands in the headers exactly as it is spelled."""
    sent = b";".join(value for name, value in headers if name == b"cookie")
    for found in CookieTransport().read(headers):
        if found.token is not None:
            name = SID if found.holder is Holder.SIGNED_IN else "__Host-anon"
            assert name.encode() in sent
            assert found.token.reveal().encode() in sent
            assert Token.parse(found.token.reveal()) == found.token
        else:
            assert found.standing.value in ("malformed", "ambiguous")


def test_the_jar_of_these_tests_has_prefixes(browser: Client) -> None:
    """A jar that took anything would prove nothing."""
    for line in ("__Host-sid=x; Path=/", "__HOST-sid=x; Path=/; Secure; Domain=example.com"):
        browser.jar.store(line, host=HOST)
    assert browser.jar.cookies == {}
    assert len(browser.jar.refused) == 2
