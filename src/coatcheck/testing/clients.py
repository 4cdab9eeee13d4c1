"""Log a test's client in without a login page: `log_in(client, sessions, "alice")`.

Clients are known by where they keep their cookies, so that no framework is imported.
"""

from collections.abc import Mapping
from email.message import Message
from http.cookiejar import CookieJar
from http.cookies import BaseCookie, Morsel, SimpleCookie
from typing import Any, cast
from urllib.request import Request

from coatcheck.blocking import BlockingSessions
from coatcheck.core.outcome import Cookies, Holder
from coatcheck.core.token import Token
from coatcheck.errors import ConfigurationError
from coatcheck.sessions import Sessions
from coatcheck.waiting import finish
from coatcheck.web.bearer import BearerTransport
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.transport import Transport


def log_in(
    client: object,
    sessions: Sessions | BlockingSessions,
    subject: str,
    data: Mapping[str, Any] | None = None,
    *,
    transport: Transport | None = None,
    development: bool = False,
    assurance: int = 1,
) -> dict[str, str]:
    """Give a test's client a new session of `subject`, and return the headers that present it.

    Cookies are the client's to send from now on. Headers of `BearerTransport` are not: hand them to
    each request; `client` may be `None` then.

    Args:
        client: of Starlette, FastAPI, Litestar or httpx, of Flask, Quart, Django or aiohttp.
        sessions: those of the application.
        data: what the session holds.
        transport: the application's, where it is not the default.
        development: the client speaks plain HTTP to an application with `development=True`.
        assurance: see `Session.sign_in`.

    Raises:
        TypeError: the client keeps cookies in a way that is not known here.
        ConfigurationError: the client speaks plain HTTP, where nobody is shown the cookie.
        RuntimeError: the store waits for an event loop: `await log_in_async(...)` in the
            application's.
    """
    token = finish(_signed_in(sessions, subject, data, assurance))
    return _hand_over(client, token, transport, development=development)


async def log_in_async(
    client: object,
    sessions: Sessions | BlockingSessions,
    subject: str,
    data: Mapping[str, Any] | None = None,
    *,
    transport: Transport | None = None,
    development: bool = False,
    assurance: int = 1,
) -> dict[str, str]:
    """Do as `log_in` does, for any store, in the event loop that the application runs in."""
    token = await _signed_in(sessions, subject, data, assurance)
    return _hand_over(client, token, transport, development=development)


async def _signed_in(
    sessions: Sessions | BlockingSessions,
    subject: str,
    data: Mapping[str, Any] | None,
    assurance: int,
) -> Token:
    inner = sessions.inner if isinstance(sessions, BlockingSessions) else sessions
    session = await inner.open(None)
    session.sign_in(subject, assurance=assurance)
    session.update(data or {})
    token = (await inner.commit(session)).token
    assert token is not None, "a sign-in makes a token"
    return token


def _hand_over(
    client: object, token: Token, transport: Transport | None, *, development: bool
) -> dict[str, str]:
    transport = transport or CookieTransport()
    if development:
        transport = transport.for_development()
    if isinstance(transport, BearerTransport):
        return {"Authorization": f"Bearer {token.reveal()}"}
    written = transport.write(Cookies({Holder.SIGNED_IN: token}), "")
    lines = [value.decode("ascii") for name, value in written if name == b"set-cookie"]
    if not lines:
        raise TypeError(f"{type(transport).__name__} sets no cookie: present the token by hand")
    for line in lines:
        _keep(client, line)
    return {"Cookie": "; ".join(line.partition(";")[0] for line in lines)}


def _keep(client: Any, line: str) -> None:
    """Let a client keep a cookie as if the application had set it: one it sets later replaces it.

    Raises:
        TypeError: nobody knows where the client keeps its cookies.
        ConfigurationError: the cookie needs HTTPS, and the client speaks plain HTTP.
    """
    if "; Secure" in line:
        _require_https(client)
    cookies = getattr(client, "cookies", None)
    if isinstance(jar := getattr(client, "cookie_jar", None), CookieJar):  # Quart
        _extract(jar, line, f"https://{_server_of(client.app)}/")
    elif isinstance(jar := getattr(cookies, "jar", None), CookieJar):  # httpx, and who builds on it
        _extract(jar, line, str(client.base_url))
    elif isinstance(cookies, BaseCookie):  # Django: all are sent, whatever their attributes
        morsel = _morsel(line)
        cast("dict[str, str]", cookies)[morsel.key] = morsel.value
    elif hasattr(client, "make_url"):  # aiohttp
        morsel = _morsel(line)
        client.session.cookie_jar.update_cookies({morsel.key: morsel}, client.make_url("/"))
    elif hasattr(client, "set_cookie"):  # Flask, and whatever has Werkzeug's client
        morsel = _morsel(line)
        domain = morsel["domain"]
        client.set_cookie(
            morsel.key,
            morsel.value,
            domain=domain or _server_of(client.application),
            origin_only=not domain,
            path=morsel["path"],
        )
    else:
        raise TypeError(f"{type(client).__name__} is no test client that is known here")


def _require_https(client: Any) -> None:
    """Refuse a client of plain HTTP; of Quart's and Django's each request says for itself."""
    if (url := getattr(client, "base_url", None)) is not None:  # httpx
        scheme, advice = str(url).partition(":")[0], 'give it base_url="https://testserver"'
    elif hasattr(client, "make_url"):  # aiohttp
        scheme, advice = client.make_url("/").scheme, "start its server with ssl=..."
    else:
        config: Mapping[str, str] = getattr(getattr(client, "application", None), "config", {})
        scheme = config.get("PREFERRED_URL_SCHEME", "https")
        advice = 'set app.config["PREFERRED_URL_SCHEME"] = "https"'
    if scheme != "https":
        raise ConfigurationError(
            "client",
            f"speaks plain HTTP, over which no cookie that is Secure goes: {advice}, or say "
            "development=True here and where the application is given sessions",
        )


def _server_of(app: Any) -> str:
    """Return the host that Flask's and Quart's clients send requests to."""
    config: Mapping[str, str | None] = getattr(app, "config", {})
    return (config.get("SERVER_NAME") or "localhost").partition(":")[0]


def _morsel(line: str) -> "Morsel[str]":
    """Return a `Set-Cookie` line as the standard library has them; what it cannot hold is left."""
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    cookie = SimpleCookie()
    cookie[name] = value
    morsel = cookie[name]
    for attribute in attributes:
        key, _, setting = attribute.partition("=")
        if morsel.isReservedKey(key):
            morsel[key] = setting or True
    return morsel


class _Response:
    """As much of a response as a cookie jar reads."""

    def __init__(self, line: str) -> None:
        self._headers = Message()
        self._headers["Set-Cookie"] = line

    def info(self) -> Message:
        return self._headers


def _extract(jar: CookieJar, line: str, url: str) -> None:
    jar.extract_cookies(cast("Any", _Response(line)), Request(url))  # noqa: S310 - not opened
