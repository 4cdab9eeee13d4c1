"""A plain HTTP client: one connection, no cookie jar."""

from collections.abc import Mapping
from http.client import HTTPConnection
from typing import NamedTuple

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Answer(NamedTuple):
    """A response.

    Attributes:
        cookies: what it set.
    """

    status: int
    body: str
    cookies: dict[str, str]


class Client:
    """Sends requests to one port, as if they came over HTTPS."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str, cookie: str | None = None) -> Answer:
        """Send one request and read the answer whatever its status is."""
        headers = {"X-Forwarded-Proto": "https", "User-Agent": AGENT}
        if cookie:
            headers["Cookie"] = cookie
        self._connection.request("GET", path, headers=headers)
        response = self._connection.getresponse()
        body = response.read().decode()
        lines = response.headers.get_all("Set-Cookie") or []
        pairs = [line.partition(";")[0].partition("=") for line in lines]
        return Answer(response.status, body, {name: value for name, _, value in pairs})

    def text(self, path: str, cookie: str | None = None) -> str:
        """Return the body of an answer that must be 200."""
        answer = self.get(path, cookie)
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}: {answer.body}")
        return answer.body

    def close(self) -> None:
        self._connection.close()


def header(cookies: Mapping[str, str]) -> str:
    """Return the value of a request's `Cookie`."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
