"""Bytes that nobody thought of: in headers, in tokens, in what is stored.

R-003, R-012, R-013, R-061, R-063. There is no defence to take out: whatever comes in, it is an
answer below 500, nobody is let in, and nobody else is kept out.
"""

import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.attacks.applications import PROXY
from tests.attacks.site import ANON, SID, Site

ROOT = Path(__file__).resolve().parents[2]
RUNS = 20_000
HAS_ATHERIS = sys.platform == "linux" and platform.machine() == "x86_64"
"""Where requirements/dev.in asks for it, as there are wheels."""

fuzzed = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
edits = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4
)
pieces = st.one_of(
    st.sampled_from([SID, ANON, "=", ";", ",", '"', "\\", " ", "\t", "__Host-", "$Version"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")),
)


def edited(value: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Put something in place of a few bytes, here and there."""
    for at, length, new in changes:
        start = at % (len(value) or 1)
        value = value[:start] + new + value[start + length :]
    return value


def test_stored_bytes(site: Site) -> None:
    victim, other = site.browser().log_in(), site.browser().log_in("bob")
    whole = site.stored.all()[victim.id]

    @fuzzed
    @given(edits)
    def attack(changes: list[tuple[int, int, bytes]]) -> None:
        site.stored.write(victim.id, edited(whole, changes))
        reply = site.browser(victim.token).get("/me")
        assert reply.status == 401 or reply.json()["subject"] == "alice"
        assert site.browser(other.token).get("/me").json()["subject"] == "bob"

    attack()


def test_tokens(site: Site) -> None:
    victim = site.browser().log_in()

    @fuzzed
    @given(edits)
    def attack(changes: list[tuple[int, int, bytes]]) -> None:
        made_up = edited(victim.token.encode(), changes).decode("latin-1")
        for bad in "\r\n\0;":
            made_up = made_up.replace(bad, ".")
        reply = site.browser().get("/me", ("Cookie", f"{SID}={made_up}"))
        is_good = made_up.strip(" \t") == victim.token
        assert reply.status in ((200,) if is_good else (400, 401))  # 400 is the server's

    attack()
    assert victim.user == "alice"


def test_headers(site: Site) -> None:
    """Whatever stands before and behind it, a cookie is found or not, by its semicolons alone."""
    victim = site.browser().log_in()

    @fuzzed
    @given(st.lists(pieces, max_size=8).map("".join), st.lists(pieces, max_size=8).map("".join))
    def attack(before: str, behind: str) -> None:
        reply = site.browser().get("/me", ("Cookie", f"{before}; {victim.cookie}; {behind}"))
        rest = [pair.partition("=")[0].strip(" \t") for pair in f"{before};{behind}".split(";")]
        assert reply.status == 200 or (reply.status == 401 and SID in rest)

    attack()


def test_requests(site: Site) -> None:
    """Bytes that no client library would send."""

    @fuzzed
    @given(st.binary(max_size=200))
    def attack(value: bytes) -> None:
        head = b"GET /me HTTP/1.1\r\nHost: shop.example.com\r\nX-Forwarded-Proto: https\r\n"
        with socket.create_connection((PROXY, site.server.port), 30) as connection:
            connection.sendall(head + b"Cookie: " + value + b"\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer[:10] in (b"", b"HTTP/1.1 4", b"HTTP/1.0 4")

    attack()


@pytest.mark.skipif(not HAS_ATHERIS, reason="atheris has no wheel for this platform")
@pytest.mark.parametrize("target", ["cookies", "records", "data"])
def test_coverage_guided(target: str) -> None:
    command = [sys.executable, "-m", "tests.attacks.fuzz", target, str(RUNS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Done {RUNS} runs" in done.stderr
