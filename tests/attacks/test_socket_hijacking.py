"""WebSocket hijacking: by a page of another origin, or by a socket that outlives its session.

GHSA-f53g-frr2-jhpf (Gitpod). R-108, R-109.
"""

import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from coatcheck.web import CSRF
from tests.attacks import defences
from tests.attacks.applications import PROXY
from tests.attacks.site import Browser, Defence, Site

pytestmark = pytest.mark.parametrize("adapter", ["starlette", "quart"])
ORIGINS = ["https://evil.example", "null", "https://shop.example.com.evil.example"]
HERE = "https://shop.example.com"


class Socket:
    """The client's end of a WebSocket, as much of it as an attack needs (RFC 6455)."""

    def __init__(self, connection: socket.socket, browser: Browser, origin: str) -> None:
        self._connection = connection
        headers = [
            *browser.asks(),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Origin", origin),
        ]
        lines = ["GET /socket HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        connection.sendall("\r\n".join(lines).encode())

    def says(self, text: bytes) -> bool:
        """Read until the server says `text`, or refuses, or closes the socket."""
        said = b""
        while text not in said:
            chunk = self._connection.recv(4096)
            said += chunk
            is_refused = said.startswith(b"HTTP/1.1 403")
            if not chunk or is_refused or b"\x03\xf0" in said:  # 1008 in a closing frame
                return False
        return True

    def send(self, text: bytes) -> None:
        """Send a message, under a mask that changes nothing."""
        self._connection.sendall(b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text)


@contextmanager
def opened(site: Site, browser: Browser, origin: str = HERE) -> Generator[Socket]:
    with socket.create_connection((PROXY, site.server.port), 30) as connection:
        yield Socket(connection, browser, origin)


def attack(site: Site, origin: str) -> bool:
    """Open a socket from one's own page, and read what the application says to the victim."""
    with opened(site, site.browser().log_in(), origin) as socket:
        return socket.says(b"hello alice")


def attack_for_longer(site: Site) -> bool:
    """Stay on a socket that was opened by a copied cookie, when the victim has logged out."""
    victim = site.browser().log_in()
    with opened(site, site.browser(victim.token)) as socket:
        assert socket.says(b"hello alice")
        assert victim.post("/logout").status == 200
        socket.send(b"my PIN")
        return socket.says(b"alice: my PIN")


@pytest.mark.parametrize("origin", ORIGINS)
def test_sockets_from_other_origins(site: Site, defence: Defence, origin: str) -> None:
    site.deploy({"csrf": CSRF(off="under attack") if defence.is_off else None})
    assert attack(site, origin) is defence.is_off


def test_own_pages_may_open_sockets(site: Site) -> None:
    """An application that refused all sockets would prove nothing."""
    assert attack(site, HERE)


def test_sockets_end_with_their_session(site: Site, defence: Defence) -> None:
    with defence.without(defences.sockets_stay_open):
        assert attack_for_longer(site) is defence.is_off
