"""nginx/shop.conf in the real nginx, in front of three servers with one store."""

import socket
import ssl
import subprocess
from collections.abc import Generator

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.deploy.site import GUEST, NAME, SERVERS, Site, command
from tests.web.jar import Jar


@pytest.fixture
def browser(shop: Site) -> Generator[httpx2.Client]:
    with shop.browser() as client:
        yield client


def test_nginx_has_nothing_to_say_against_it(shop: Site) -> None:
    """Fails on a warning too, such as of a directive that is going away."""
    check = subprocess.run([*command(shop), "-t"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
    assert "warn" not in check.stderr


def test_one_session_on_three_servers(browser: httpx2.Client) -> None:
    login = browser.post("/login")
    (line,) = login.headers.get_list("set-cookie")
    assert line.split("; ")[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]
    jar = Jar()
    jar.store(line, host=NAME)
    assert (jar.names(), jar.refused) == ({"__Host-sid"}, [])
    for _ in range(5):
        browser.post("/cart/hat")
    seen = [browser.get("/me").json() for _ in range(6)]
    assert {me["server"] for me in seen} == set(SERVERS)
    assert all((me["subject"], me["cart"]) == ("alice", {"hat": 5}) for me in seen)
    browser.post("/logout")
    browser.headers["Cookie"] = line.split(";")[0]
    assert [browser.get("/me").status_code for _ in SERVERS] == [401] * 3


def test_what_belongs_to_a_session_is_kept_by_nobody(shop: Site, browser: httpx2.Client) -> None:
    """What coatcheck says to caches arrives, and two people at one address see their own."""
    assert browser.post("/login").headers["cache-control"] == "no-store"
    browser.post("/cart/hat")
    with shop.browser() as other:
        other.post("/login")
        assert [other.get("/me").json()["cart"] for _ in SERVERS] == [{}] * 3
    me = browser.get("/me")
    assert me.json()["cart"] == {"hat": 1}
    assert me.headers["cache-control"] == "private"
    assert me.headers["vary"] == "Cookie"


def test_plain_http_leads_to_https(shop: Site) -> None:
    """A claim to have come over TLS changes nothing."""
    plain = f"http://127.0.0.1:{shop.plain}"
    headers = {"Host": NAME, "X-Forwarded-Proto": "https"}
    answer = httpx2.get(f"{plain}/me?x=1", headers=headers)
    assert answer.status_code == 301
    assert answer.headers["location"] == f"https://{NAME}/me?x=1"
    challenge = httpx2.get(f"{plain}/.well-known/acme-challenge/nothing", headers=headers)
    assert challenge.status_code == 404


def test_browsers_are_told_to_stay_with_https(browser: httpx2.Client) -> None:
    for path, status in (("/health", 200), ("/me", 401), ("/nothing", 404)):
        answer = browser.get(path)
        assert answer.status_code == status
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_nobody_says_where_a_request_comes_from_but_nginx(browser: httpx2.Client) -> None:
    """Fails with `$proxy_add_x_forwarded_for`, and when a header is passed on."""
    claims = {
        "X-Forwarded-For": "6.6.6.6, 127.0.0.1",
        "X_Forwarded_For": "6.6.6.6",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "80",
        "X-Forwarded-Prefix": "/evil",
        "X-Real-IP": "6.6.6.6",
        "Forwarded": "for=6.6.6.6;proto=http",
        "Connection": "Upgrade, HTTP2-Settings",
        "Upgrade": "h2c",
    }
    seen = browser.get("/headers", headers=claims).json()
    told = {name: value for name, value in seen["received"] if not name.startswith("accept")}
    assert told == {
        "host": NAME,
        "x-forwarded-for": GUEST,
        "x-forwarded-proto": "https",
        "user-agent": browser.headers["user-agent"],
    }
    assert seen["scheme"] == "https"
    assert browser.post("/login", headers=claims).status_code == 200
    assert browser.get("/me", headers=claims).json()["address"] == GUEST


def test_other_names_are_not_answered(shop: Site) -> None:
    """Neither by TLS, nor inside a connection that was made for our name, nor in plain HTTP."""
    with (
        socket.create_connection(("127.0.0.1", shop.tls)) as raw,
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
    ):
        shop.trust.wrap_socket(raw, server_hostname="evil.example")
    with shop.browser() as browser, pytest.raises(httpx2.RemoteProtocolError):
        browser.get("/health", headers={"Host": "evil.example"})
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(f"http://127.0.0.1:{shop.plain}/", headers={"Host": "evil.example"})


def test_tls_1_2_and_1_3_and_nothing_older(shop: Site) -> None:
    """The client offers what it can, weak signatures included, so the refusal is nginx's."""

    def handshake(version: ssl.TLSVersion) -> str | None:
        context = shop.trust
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        with (
            socket.create_connection(("127.0.0.1", shop.tls)) as raw,
            context.wrap_socket(raw, server_hostname=NAME) as encrypted,
        ):
            return encrypted.version()

    assert handshake(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert handshake(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with (
        pytest.warns(DeprecationWarning, match="TLSv1_1"),  # which nobody should use
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        handshake(ssl.TLSVersion.TLSv1_1)


def test_as_many_cookies_as_coatcheck_reads(browser: httpx2.Client) -> None:
    """Fails with nginx's own limit of 8 KiB."""
    login = browser.post("/login").headers["set-cookie"].split(";")[0]
    browser.cookies.clear()
    most = f"{login}; other="
    most += "x" * (16_384 - len(most))
    assert browser.get("/me", headers={"Cookie": most}).status_code == 200
    more = browser.get("/me", headers={"Cookie": most + "x" * 5000})
    assert more.status_code == 400
    assert "nginx" in more.text


def test_answers_may_set_cookies_of_4_kib(browser: httpx2.Client) -> None:
    """Fails with nginx's own buffer of 4 KiB for the headers: 502, after the sign-in."""
    answer = browser.post("/big-cookies")
    assert answer.status_code == 200
    assert len(answer.headers.get_list("set-cookie")) == 3


def chat(shop: Site, cookie: str) -> ClientConnection:
    raw = socket.create_connection(("127.0.0.1", shop.tls))
    url = f"wss://{NAME}/chat"
    return connect(url, sock=raw, ssl=shop.trust, additional_headers={"Cookie": cookie})


def test_websockets(shop: Site, browser: httpx2.Client) -> None:
    with pytest.raises(InvalidStatus) as refused:
        chat(shop, "")
    assert refused.value.response.status_code == 401
    cookie = browser.post("/login").headers["set-cookie"].split(";")[0]
    with chat(shop, cookie) as socket:
        for text in ("hello", "again"):
            socket.send(text)
            assert socket.recv(timeout=90) == f"alice: {text}"
