"""The default cookie over real HTTPS: a browser, nginx with a certificate of its own, uvicorn."""

import ssl
from pathlib import Path

import httpx2
import pytest

from coatcheck import MemoryStore, Sessions
from tests.web.https import Site, site
from tests.web.jar import Jar

GUEST = "127.0.0.2"  # nginx and the app are at 127.0.0.1


def browser(site: Site) -> httpx2.Client:
    """Return a client that believes the certificate, and calls from an address of its own."""
    trust = ssl.create_default_context(cafile=site.certificate)
    transport = httpx2.HTTPTransport(verify=trust, local_address=GUEST)
    return httpx2.Client(base_url=site.https, transport=transport)


@pytest.mark.parametrize(
    ("trusted", "proxy_headers"), [(["127.0.0.1"], False), ([], True), (["127.0.0.1"], True)]
)
def test_from_login_to_logout_behind_nginx(
    tmp_path: Path, trusted: list[str], proxy_headers: bool
) -> None:
    """R-047, R-057, R-072: whether coatcheck reads what nginx says, or uvicorn, or both do.

    Fails when `trusted_proxies` is ignored: no session is handed out.
    """
    sessions = Sessions(MemoryStore())
    with (
        site(sessions, tmp_path, proxy_headers=proxy_headers, trusted_proxies=trusted) as shop,
        browser(shop) as client,
    ):
        assert client.get("/me").status_code == 401
        forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http"}
        login = client.post("/login", headers=forged)
        (line,) = login.headers.get_list("set-cookie")
        assert line.startswith("__Host-sid=")
        assert line.split("; ")[1:] == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]
        assert login.headers["cache-control"] == "no-store"

        jar = Jar()
        jar.store(line, host="127.0.0.1")
        assert (jar.names(), jar.refused) == ({"__Host-sid"}, [])
        assert client.get("/me").json() == {"subject": "alice", "address": GUEST}

        kept = {"Cookie": f"__Host-sid={client.cookies['__Host-sid']}"}
        plain = httpx2.get(f"{shop.http}/me", headers=kept)
        assert plain.status_code == 401
        assert client.get("/me").status_code == 200

        logout = client.post("/logout")
        jar.store(logout.headers["set-cookie"], host="127.0.0.1")
        assert (logout.status_code, jar.cookies, len(client.cookies)) == (204, {}, 0)
        assert client.get("/me", headers=kept).status_code == 401


def test_a_proxy_that_nobody_named_gets_no_session(tmp_path: Path) -> None:
    """R-057: that it came over TLS is only said by somebody. Nothing is stored either."""
    sessions = Sessions(MemoryStore())
    with (
        site(sessions, tmp_path, proxy_headers=False, development=True) as shop,
        browser(shop) as client,
    ):
        login = client.post("/login")
        assert (login.status_code, login.text) == (500, "Internal Server Error")
        assert "set-cookie" not in login.headers
        assert client.get("/me").status_code == 401
        assert client.get("/never_looks").status_code == 200
