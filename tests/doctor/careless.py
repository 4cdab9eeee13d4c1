"""Sessions as people write them by hand; each mistake is a setting, none by default."""

import secrets
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

GOOD = "Path=/; Secure; HttpOnly; SameSite=Lax"
PASSWORD = "correct horse battery staple"
FIELDS = {"user": "alice", "password": PASSWORD}


class Careless:
    """Gives every visitor a session at `/`; has `/login`, `/logout` and `/me`."""

    def __init__(
        self,
        name: str = "__Host-sid",
        attributes: str = GOOD,
        cache: str = "no-store",
        personal: str = "private",
        new: Callable[[], str] = lambda: secrets.token_urlsafe(32),
        *,
        rotates: bool = True,
        ends_old: bool = True,
        is_strict: bool = True,
        ends: bool = True,
        times: int = 1,
    ) -> None:
        self._name, self._attributes, self._cache, self._new = name, attributes, cache, new
        self._personal = personal
        self._rotates, self._ends_old, self._is_strict = rotates, ends_old, is_strict
        self._ends, self._times = ends, times
        self._users: dict[str, str] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        jar = SimpleCookie(headers.get("cookie", ""))
        id = jar[self._name].value if self._name in jar else None
        if id not in self._users and self._is_strict:
            id = None
        body = (await receive()).get("body", b"").decode()
        handler = getattr(self, f"_{scope['path'].strip('/') or 'visit'}")
        status, given = handler(id, {name: values[0] for name, values in parse_qs(body).items()})
        cache = self._personal if given is None else self._cache
        said = [(b"cache-control", cache.encode())]
        if given is not None:
            line = f"{self._name}={given}; {self._attributes}".encode()
            said += [(b"set-cookie", line)] * self._times
        await send({"type": "http.response.start", "status": status, "headers": said})
        await send({"type": "http.response.body", "body": b""})

    @property
    def users(self) -> list[str]:
        """Who is signed in."""
        return [user for user in self._users.values() if user]

    def _visit(self, id: str | None, _: object) -> tuple[int, str | None]:
        if id is not None:
            return 200, None
        return 200, self._put("")

    def _login(self, id: str | None, fields: Mapping[str, str]) -> tuple[int, str | None]:
        if fields != FIELDS:
            return (403 if fields else 200), None
        if id is None:
            return 200, self._put("alice")
        if not self._rotates:
            self._users[id] = "alice"
            return 200, None
        if self._ends_old:
            self._users.pop(id, None)
        else:
            self._users[id] = "alice"
        return 200, self._put("alice")

    def _me(self, id: str | None, _: object) -> tuple[int, str | None]:
        return (200 if self._users.get(id or "") else 401), None

    def _logout(self, id: str | None, _: object) -> tuple[int, str | None]:
        if id is None:
            return 401, None
        if self._ends:
            self._users.pop(id or "", None)
        return 200, ""

    def _put(self, user: str) -> str:
        id = self._new()
        self._users[id] = user
        return id


app = Careless()
