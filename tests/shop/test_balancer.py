"""The balancer over real sockets, before servers that tell what reached them."""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from tests.servers import Server, free_port
from tests.shop.origin import Origin

LIES = {
    "Forwarded": "for=203.0.113.9;proto=https",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "elsewhere.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Prefix": "/elsewhere",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "203.0.113.9",
}


@pytest.fixture
def origins() -> Generator[list[Origin]]:
    origins = [Origin(name) for name in ("A", "B", "C")]
    yield origins
    for origin in origins:
        origin.stop()


@pytest.fixture
def client(origins: list[Origin], tmp_path: Path) -> Generator[httpx2.Client]:
    """A client of a balancer before the three origins."""
    port = free_port()
    command = ["env", f"PYTHONPATH={os.pathsep.join(sys.path)}", sys.executable, "-m"]
    command += ["examples.shop.balancer", "--port", str(port), *(origin.url for origin in origins)]
    balancer = Server(command, port, tmp_path)
    balancer.start()
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    balancer.stop()


def test_requests_go_round(client: httpx2.Client) -> None:
    assert [client.get("/").text for _ in range(6)] == ["A", "B", "C", "A", "B", "C"]


def test_a_server_that_is_down_is_skipped(client: httpx2.Client, origins: list[Origin]) -> None:
    assert [client.get("/").text for _ in range(3)] == ["A", "B", "C"]
    origins[1].stop()
    assert [client.post("/", content=b"x").text for _ in range(6)] == list("ACCACC")


def test_with_every_server_down_it_says_so(client: httpx2.Client, origins: list[Origin]) -> None:
    for origin in origins:
        origin.stop()
    answer = client.get("/")
    assert (answer.status_code, answer.json()) == (502, {"error": "no shop server answered"})


def test_a_request_that_reached_a_server_is_not_sent_again(
    client: httpx2.Client, origins: list[Origin]
) -> None:
    """It may have been carried out."""
    for origin in origins:
        origin.hangs_up = True
    assert client.post("/order", content=b"one").status_code == 502
    assert [len(origin.seen) for origin in origins] == [1, 0, 0]


def test_a_request_and_its_answer_arrive_as_they_were_sent(
    client: httpx2.Client, origins: list[Origin]
) -> None:
    origins[0].answer = [("Content-Encoding", "unheard-of"), ("Location", "/next?x=1")]
    headers = {"Cookie": "sid=one; sid=two", "X-Own": "kept"}
    answer = client.put("/a%2Fb/%C3%A9?x=1&x=%20", content=b"\x00\xff", headers=headers)
    (seen,) = origins[0].seen
    assert seen.line == "PUT /a%2Fb/%C3%A9?x=1&x=%20 HTTP/1.1"
    assert seen.body == b"\x00\xff"
    assert ("cookie", "sid=one; sid=two") in seen.headers
    assert ("x-own", "kept") in seen.headers
    assert (answer.status_code, answer.content) == (201, b"A")
    assert answer.headers["Content-Encoding"] == "unheard-of"
    assert answer.headers["Location"] == "/next?x=1"


def test_what_a_client_claims_about_itself_is_written_anew(
    client: httpx2.Client, origins: list[Origin]
) -> None:
    client.get("/", headers=LIES)
    claims = {name.lower() for name in LIES}
    assert [header for header in origins[0].seen[0].headers if header[0] in claims] == [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", client.base_url.netloc.decode()),
    ]


def test_two_cookies_stay_two_headers(client: httpx2.Client, origins: list[Origin]) -> None:
    cookies = ["sid=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "anon=2; Path=/"]
    origins[0].answer = [("Set-Cookie", cookie) for cookie in cookies]
    assert client.get("/").headers.get_list("set-cookie") == cookies


def test_one_visitors_cookies_are_not_sent_for_the_next(
    client: httpx2.Client, origins: list[Origin]
) -> None:
    origins[0].answer = [("Set-Cookie", "sid=first")]
    for _ in origins:
        client.get("/")
    client.cookies.clear()
    client.get("/")
    assert [name for name, _ in origins[0].seen[1].headers if name == "cookie"] == []


def test_headers_of_one_connection_end_with_it(
    client: httpx2.Client, origins: list[Origin]
) -> None:
    """RFC 9110 section 7.6.1; what `Connection` lists is among them."""
    origins[0].answer = [
        ("Connection", "close, X-Inner"),
        ("X-Inner", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
        ("X-Own", "kept"),
    ]
    answer = client.get(
        "/",
        headers={
            "Connection": "keep-alive, X-Inner",
            "X-Inner": "1",
            "Keep-Alive": "timeout=5",
            "Proxy-Authorization": "Basic eDp5",
            "TE": "trailers",
            "Upgrade": "h2c",
        },
    )
    dropped = {"connection", "x-inner", "keep-alive", "te", "upgrade"}
    arrived = {name for name, _ in origins[0].seen[0].headers}
    assert arrived.isdisjoint(dropped | {"proxy-authorization"})
    assert dropped.union(["proxy-authenticate"]).isdisjoint(answer.headers)
    assert answer.headers["X-Own"] == "kept"
