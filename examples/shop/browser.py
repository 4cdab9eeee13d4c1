"""A browser for the walk-through: a cookie jar, a user agent, and eyes for what comes back."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx2

from examples.shop.served_by import HEADER

FIREFOX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
SAFARI: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)
SIGNED_IN: Final = "sid"  # the cookie's name in development mode


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a JSON object in `fields` or an array in `items`; the other is empty."""

    request: str
    status: int
    server: str
    fields: dict[str, Any]
    items: list[dict[str, Any]]
    set_cookies: list[str]
    challenge: str | None
    milliseconds: float

    @property
    def session_cookies(self) -> list[str]:
        """The Set-Cookie lines that hand out a session."""
        given = f"{SIGNED_IN}="
        return [line for line in self.set_cookies if line.startswith(given) and line[4] != ";"]

    @property
    def deletes_cookie(self) -> bool:
        """Say whether the browser is told to forget its session cookie."""
        return any(
            line.startswith(f"{SIGNED_IN}=;") and "max-age=0" in line.lower()
            for line in self.set_cookies
        )


class Browser:
    """One person's browser at `url`; two of them share nothing."""

    def __init__(self, url: str, agent: str = FIREFOX) -> None:
        self._client = httpx2.Client(base_url=url, headers={"User-Agent": agent}, timeout=20)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def cookie(self) -> str | None:
        """The session cookie as it lies in the jar, or None."""
        return self._client.cookies.get(SIGNED_IN)

    def steal(self, cookie: str | None) -> None:
        """Put a copied session cookie into the jar, as a thief would."""
        self._client.cookies.set(SIGNED_IN, cookie or "", domain="127.0.0.1", path="/")

    def ask(
        self, method: str, path: str, body: object = None, *, bearer: str | None = None
    ) -> Answer:
        """Send one request and keep the cookies that come back."""
        start = time.perf_counter()
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        response = self._client.request(method, path, json=body, headers=headers)
        return Answer(
            request=f"{method} {path}",
            status=response.status_code,
            server=response.headers.get(HEADER, "-"),
            fields=response.json() if response.text.startswith("{") else {},
            items=response.json() if response.text.startswith("[") else [],
            set_cookies=response.headers.get_list("set-cookie"),
            challenge=response.headers.get("www-authenticate"),
            milliseconds=(time.perf_counter() - start) * 1000,
        )

    def ask_at_once(self, count: int, method: str, path: str, body: object) -> list[Answer]:
        """Send the same request `count` times at the same time."""
        with ThreadPoolExecutor(count) as hands:
            sent = [hands.submit(self.ask, method, path, body) for _ in range(count)]
        return [each.result() for each in sent]
