"""Cross-site WebSocket hijacking: a page of the attacker opens a socket with the victim's cookies.

GHSA-f53g-frr2-jhpf (Gitpod). R-108. That a socket ends when its session ends (R-109) belongs here
as well.
"""

import socket

import pytest

from coatcheck.web import CSRF
from tests.attacks.applications import PROXY
from tests.attacks.site import Browser, Defence, Site

pytestmark = pytest.mark.parametrize("adapter", ["starlette", "quart"])
ORIGINS = ["https://evil.example", "null", "https://shop.example.com.evil.example"]
HERE = "https://shop.example.com"


def attack(site: Site, origin: str) -> bool:
    """Open a socket, and read what the application says to the victim."""
    victim = site.browser().log_in()
    return b"hello alice" in _shake_hands(site, victim, origin)


@pytest.mark.parametrize("origin", ORIGINS)
def test_socket_hijacking(site: Site, defence: Defence, origin: str) -> None:
    site.deploy({"csrf": CSRF(off="under attack") if defence.is_off else None})
    assert attack(site, origin) is defence.is_off


def test_own_pages_may_open_sockets(site: Site) -> None:
    """An application that refused all sockets would prove nothing."""
    assert attack(site, HERE)


def _shake_hands(site: Site, browser: Browser, origin: str) -> bytes:
    """Return what the server sends from the handshake on (RFC 6455 4.1)."""
    headers = [
        *browser.asks(),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Origin", origin),
    ]
    lines = ["GET /socket HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    said = b""
    with socket.create_connection((PROXY, site.server.port), 30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        while b"hello" not in said and (chunk := connection.recv(4096)):
            said += chunk
            if said.startswith(b"HTTP/1.1 403"):
                break
    return said
