"""Tokens travel where nobody reads along; who a client is, our own proxies say, nobody else."""

import logging

import pytest

from coatcheck import Event, Sessions
from coatcheck.errors import ConfigurationError, InsecureTransport
from coatcheck.testing import Clock
from coatcheck.web import BearerTransport, CookieTransport
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.proxy import Proxies
from tests.web.app import shop
from tests.web.client import Client, Headers, Message, Send
from tests.web.jar import Jar
from tests.web.spy import Spy

PROXY = "10.0.0.5"
VISITOR = "203.0.113.9"


@pytest.mark.parametrize("peer", ["198.51.100.7", "127.0.0.1", None])
async def test_plain_http_carries_no_session(
    sessions: Sessions, browser: Client, spy: Spy, events: list[Event], peer: str | None
) -> None:
    """R-057: not issued, not honoured, not from this machine either unless told so.

    Fails when `_carrier` always returns the transport.
    """
    await browser.post("/login")
    spy.calls.clear()
    events.clear()
    cookie = browser.cookie
    plain = Client(shop(sessions), scheme="http", peer=peer)
    assert (await plain.get("/me", [("cookie", cookie)])).status == 401
    assert (await plain.get("/read", [("cookie", cookie)])).json() == {}
    assert (await plain.get("/never_looks", [("cookie", cookie)])).status == 200
    assert (await plain.post("/logout", [("cookie", cookie)])).status == 204
    assert (spy.calls, events) == ([], [])
    assert (await browser.get("/me")).status == 200


@pytest.mark.parametrize("path", ["/login", "/write", "/stream"])
async def test_putting_something_into_a_session_over_plain_http_is_an_error(
    sessions: Sessions, spy: Spy, path: str
) -> None:
    """R-057: loud, as it is a server that was set up wrongly; nothing is stored or sent.

    Fails when the commit does not ask whether there is a transport.
    """
    reply = await Client(shop(sessions), scheme="http").post(path)
    assert (reply.status, reply.cookies) == (500, [])
    assert isinstance(reply.error, InsecureTransport)
    assert "trusted_proxies" in str(reply.error)
    assert spy.calls == []


async def test_a_websocket_over_plain_http_is_no_exception(sessions: Sessions) -> None:
    async def page(scope: Message, receive: object, send: Send) -> None:
        scope["session"]["a"] = 1
        await send({"type": "websocket.accept"})

    app = SessionMiddleware(page, sessions=sessions)
    with pytest.raises(InsecureTransport):
        await Client(app, scheme="ws").websocket("/")
    assert await sessions.count() == 0
    assert (await Client(app, scheme="wss").websocket("/"))[0]["type"] == "websocket.accept"


async def test_a_failed_request_over_plain_http_may_fail_as_it_does(sessions: Sessions) -> None:
    reply = await Client(shop(sessions), scheme="http").get("/error?status=500")
    assert (reply.status, reply.error) == (500, None)


# --- Development


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process had not run a development server yet."""
    monkeypatch.setattr("coatcheck.web.gate._warned", False)


@pytest.mark.usefixtures("warned")
@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1"])
async def test_a_developer_needs_no_certificate(
    sessions: Sessions, clock: Clock, caplog: pytest.LogCaptureFixture, peer: str
) -> None:
    """R-057: cookies of other names, without `Secure`, said once in the log of the process."""
    caplog.set_level(logging.WARNING, "coatcheck")
    for app in (shop(sessions, development=True), shop(sessions, development=True)):
        browser = Client(app, jar=Jar(clock), scheme="http", peer=peer)
        (line,) = (await browser.post("/write")).cookies
        assert line.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Lax"]
        await browser.post("/login")
        assert browser.jar.names() == {"sid", "anon"}
        assert (await browser.get("/me")).status == 200
        assert (await browser.post("/logout")).status == 204
        assert browser.jar.names() == {"anon"}
    said = [record.message for record in caplog.records if "development" in record.message]
    assert said == [
        "development mode: plain HTTP from this machine gets cookies that are not Secure"
    ]


@pytest.mark.parametrize(
    "peer",
    ["198.51.100.7", "192.168.1.4", "10.0.0.1", "::ffff:8.8.8.8", "fe80::1", "localhost", "", None],
)
async def test_development_is_for_this_machine_alone(sessions: Sessions, peer: str | None) -> None:
    """R-057. Fails when `is_local` is not asked."""
    browser = Client(shop(sessions, development=True), scheme="http", peer=peer)
    reply = await browser.post("/login")
    assert (reply.status, reply.cookies) == (500, [])
    said = str(reply.error)
    assert f"to {peer or 'an unknown address'}: development=True is for" in said
    assert "a container, another device or a proxy" in said
    assert "trusted_proxies" in said


@pytest.mark.parametrize(
    "name",
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded"],
)
async def test_a_local_proxy_nobody_named_is_not_the_developer(
    sessions: Sessions, name: str
) -> None:
    """Its clients may be anybody. Fails when `is_direct` is not asked."""
    browser = Client(shop(sessions, development=True), scheme="http", peer="127.0.0.1")
    for value in ("https", "127.0.0.1", ""):
        reply = await browser.post("/login", [(name, value)])
        assert (reply.status, reply.cookies) == (500, [])


@pytest.mark.parametrize("name", ["x-real-ip", "via"])
async def test_nor_is_one_that_says_so_in_another_way(sessions: Sessions, name: str) -> None:
    """nginx's own examples send `X-Real-IP`; HTTP demands `Via` of a proxy (RFC 9110 7.6.3)."""
    browser = Client(shop(sessions, development=True), scheme="http", peer="127.0.0.1")
    assert (await browser.post("/login", [(name, VISITOR)])).status == 500


@pytest.mark.parametrize(("client", "status"), [("127.0.0.1", 200), ("::1", 200), (VISITOR, 500)])
async def test_a_local_proxy_that_is_named_passes_the_developer_on(
    sessions: Sessions, client: str, status: int
) -> None:
    """As a server of pages does that adds `X-Forwarded-For`; and nobody else in the network."""
    app = shop(sessions, development=True, trusted_proxies=["127.0.0.1", "::1"])
    browser = Client(app, scheme="http", peer="127.0.0.1")
    said = [("x-forwarded-for", client), ("x-forwarded-proto", "http")]
    assert (await browser.post("/login", said)).status == status


@pytest.mark.parametrize(("host", "status"), [("localhost:5173", 200), ("localhost:8000", 403)])
async def test_a_server_of_pages_passes_the_host_on(
    sessions: Sessions, host: str, status: int
) -> None:
    """docs/how-to/front-end.md. Where it does not, its pages are another origin's by `Origin`."""
    browser = Client(shop(sessions, development=True), scheme="http", peer="127.0.0.1")
    said = [("host", host), ("origin", "http://localhost:5173")]
    assert (await browser.post("/login", said)).status == status


async def test_a_secure_cookie_is_not_taken_for_the_developers_and_the_reverse(
    sessions: Sessions, browser: Client
) -> None:
    """One server may be reached both ways; a cookie that went in the open is not trusted later."""
    browser.app = shop(sessions, development=True)
    plain = Client(browser.app, scheme="http", peer="127.0.0.1")
    await browser.post("/login")
    await plain.post("/login")
    secure, open_ = browser.jar.value("__Host-sid"), plain.jar.value("sid")
    assert (await browser.get("/me", [("cookie", f"sid={open_}")])).status == 401
    assert (await plain.get("/me", [("cookie", f"__Host-sid={secure}")])).status == 401


async def test_over_tls_development_changes_nothing(sessions: Sessions) -> None:
    browser = Client(shop(sessions, development=True), peer="127.0.0.1")
    (line,) = (await browser.post("/login")).cookies
    assert line.startswith("__Host-sid=")
    assert "; Secure;" in line


@pytest.mark.parametrize(
    ("transport", "names"),
    [
        (CookieTransport(same_site="None", partitioned=True), ("sid", "anon")),
        (CookieTransport("__Secure-a", "__Secure-b", None, "example.com"), ("a", "b")),
        (CookieTransport("__Host-Http-a", "__Http-b", same_site="Strict"), ("a", "b")),
        (CookieTransport("shop", "visitor", "/x"), ("shop", "visitor")),
    ],
    ids=["embedded", "domain", "http", "named"],
)
def test_every_transport_has_a_form_for_development(
    transport: CookieTransport, names: tuple[str, str]
) -> None:
    plain = transport.for_development()
    assert (plain.name, plain.anonymous_name, plain.secure) == (*names, False)
    assert (plain.path, plain.http_only) == (transport.path, transport.http_only)
    assert BearerTransport().for_development().secure is False


# --- Proxies


async def who(sessions: Sessions, headers: Headers) -> str | None:
    """Sign in over TLS through a proxy of ours, and return the address that was recorded."""
    app = shop(sessions, trusted_proxies=[PROXY, "10.1.0.0/16", "fd00::/8", "127.0.0.1"])
    browser = Client(app, scheme="http", peer=PROXY)
    browser.secure = True
    over_tls = ("x-forwarded-proto", "https")
    assert (await browser.post("/login", [*headers, over_tls])).status == 200
    address: str | None = (await browser.get("/me", [over_tls])).json()["address"]
    return address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([VISITOR], VISITOR),
        (["6.6.6.6, " + VISITOR], VISITOR),
        (["127.0.0.1, 10.0.0.5, " + VISITOR], VISITOR),
        ([f"{VISITOR}, 10.1.2.3"], VISITOR),
        ([f"6.6.6.6, {VISITOR}, 10.1.2.3, 10.1.9.9"], VISITOR),
        (["6.6.6.6", VISITOR], VISITOR),
        ([f"6.6.6.6, {VISITOR}", "10.1.2.3"], VISITOR),
        (["10.1.2.3"], "10.1.2.3"),
        ([f"  {VISITOR}  ,"], VISITOR),
        ([","], PROXY),
        ([""], PROXY),
        ([], PROXY),
        (["2001:db8::1"], "2001:db8::1"),
        (["[2001:db8::1]"], "2001:db8::1"),
        (["2001:DB8:0:0:0:0:0:1"], "2001:db8::1"),
        (["2001:db8::1, fd00::5"], "2001:db8::1"),
        ([f"{VISITOR}, unknown"], None),
        (["<script>"], None),
        (["\xff\x00"], None),
        ([f"{VISITOR}, 999.1.1.1"], None),
        (["010.0.0.1"], None),
        (["a" * 100_000], None),
        (["6.6.6.6, " * 10_000 + VISITOR], VISITOR),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_the_address_is_the_first_that_is_no_proxy_of_ours_from_the_end(
    sessions: Sessions, forwarded: list[str], address: str | None
) -> None:
    """R-072: proxies append. What stands before was sent by the client and is not looked at.

    Fails when the list is read from its start, or its last entry is always taken.
    """
    assert await who(sessions, [("x-forwarded-for", value) for value in forwarded]) == address


@pytest.mark.parametrize(
    ("header", "address"),
    [("203.0.113.9:51234", "203.0.113.9"), ("[2001:db8::1]:51234", "2001:db8::1")],
)
async def test_a_port_behind_the_address_is_left_out(
    sessions: Sessions, header: str, address: str
) -> None:
    """Azure's gateways and IIS send one; the address is not less certain for it."""
    assert await who(sessions, [("x-forwarded-for", header)]) == address


@pytest.mark.parametrize(
    "peer", ["198.51.100.7", "10.0.0.6", "10.2.0.1", "::1", "garbage", "", None]
)
async def test_nobody_else_is_believed(sessions: Sessions, peer: str | None) -> None:
    """R-057, R-072. Fails when `_trusts` is not asked about the peer."""
    app = shop(sessions, trusted_proxies=[PROXY, "10.1.0.0/16"])
    forged = [("x-forwarded-proto", "https"), ("x-forwarded-for", VISITOR)]
    assert (await Client(app, scheme="http", peer=peer).post("/login", forged)).status == 500
    honest = Client(app, peer=peer)
    await honest.post("/login", forged)
    assert (await honest.get("/me")).json()["address"] == peer


async def test_without_a_named_proxy_the_peer_is_the_client(browser: Client) -> None:
    """R-072."""
    await browser.post("/login", [("x-forwarded-for", VISITOR), ("forwarded", f"for={VISITOR}")])
    assert (await browser.get("/me")).json()["address"] == browser.peer


@pytest.mark.parametrize(
    ("said", "is_secure"),
    [
        (["https"], True),
        (["HTTPS"], True),
        (["http"], False),
        (["https, http"], False),
        (["http, https"], True),
        (["https", "http"], False),
        ([""], False),
        (["httpsx"], False),
        (["on"], False),
        ([], False),
    ],
    ids=str,
)
async def test_what_our_own_proxy_says_last_about_tls_counts(
    sessions: Sessions, said: list[str], is_secure: bool
) -> None:
    """R-057: an earlier entry may be the client's. Fails when the first one is taken."""
    browser = Client(shop(sessions, trusted_proxies=[PROXY]), scheme="http", peer=PROXY)
    reply = await browser.post("/login", [("x-forwarded-proto", value) for value in said])
    assert reply.status == (200 if is_secure else 500)


def test_a_proxy_may_call_a_websocket_over_tls_wss() -> None:
    """Traefik does."""
    assert Proxies([PROXY]).resolve(PROXY, "ws", {b"x-forwarded-proto": b"wss"}).secure


async def test_tls_up_to_the_proxy_that_says_plain_is_plain(sessions: Sessions) -> None:
    """The proxy knows how the client came."""
    browser = Client(shop(sessions, trusted_proxies=[PROXY]), peer=PROXY)
    assert (await browser.post("/login", [("x-forwarded-proto", "http")])).status == 500


async def test_behind_a_named_proxy_the_developer_is_the_one_at_this_machine(
    sessions: Sessions,
) -> None:
    """The shop's own demonstration: a balancer on loopback, named; and a guest from the network."""
    app = shop(sessions, development=True, trusted_proxies=["127.0.0.1"])
    browser = Client(app, scheme="http", peer="127.0.0.1")
    assert (await browser.post("/login", [("x-forwarded-for", "127.0.0.1")])).status == 200
    assert browser.jar.names() == {"sid"}
    for guest in ("192.168.1.4", "127.0.0.1, 192.168.1.4", "garbage"):
        assert (await browser.post("/login", [("x-forwarded-for", guest)])).status == 500


@pytest.mark.parametrize(
    "entry", ["0.0.0.0/0", "::/0", "proxy.example.com", "10.0.0.1/8", "10.0.0", "", "*"]
)
def test_who_is_trusted_must_be_somebody(sessions: Sessions, entry: str) -> None:
    """Fails when a network of no bits is taken: everybody would be believed."""
    with pytest.raises(ConfigurationError) as refusal:
        SessionMiddleware(shop(sessions), sessions=sessions, trusted_proxies=[entry])
    assert refusal.value.setting == "trusted_proxies"


async def test_the_agent_is_recorded_as_a_family(sessions: Sessions, browser: Client) -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    await browser.post("/login", [("user-agent", agent + "\n evil \xff" * 1_000)])
    (device,) = await sessions.list("alice")
    assert (device.client.address, device.client.agent) == (browser.peer, "Firefox on Linux")


@pytest.mark.parametrize("hop", ["fe80::1%" + "a" * 60_000, "fe80::1%eth0", "1" * 60_000])
def test_what_is_no_address_of_a_client_is_none(hop: str) -> None:
    """A zone may be any text. Fails when it becomes part of the record, and of a cache's keys."""
    said = {b"x-forwarded-for": hop.encode() + b", 10.0.0.7"}
    assert Proxies(["10.0.0.0/8"]).resolve(PROXY, "http", said).address is None
