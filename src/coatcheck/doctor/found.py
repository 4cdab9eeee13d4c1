"""Find coatcheck's sessions, and the secrets of frameworks, inside an application."""

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from coatcheck.blocking import BlockingSessions
from coatcheck.sessions import Sessions
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.gate import Gate
from coatcheck.web.transport import Transport

_LOOKS = 10_000
_WAYS = (
    "_gate", "session_interface", "middleware_stack", "user_middleware", "kwargs", "app", "_app",
    "wsgi_app", "asgi_app", "application", "asgi_handler", "middleware", "plugins", "state",
    "_state", "_plugins", "init", "routes",
)  # fmt: skip
"""The attributes in which applications and middleware keep what is inside them."""


@dataclass(slots=True)
class Found:
    """What there was to find.

    Attributes:
        every: all that is there, in the order of discovery; `sessions` is the one to look at.
        is_development: whether a way in is told `development=True`.
        secrets: by the names of their settings.
    """

    sessions: Sessions | None = None
    every: list[Sessions] = field(default_factory=list[Sessions])
    transport: Transport | None = None
    is_development: bool = False
    secrets: dict[str, object] = field(default_factory=dict[str, object], repr=False)

    @property
    def cookies(self) -> tuple[str, ...]:
        """The names of the session's cookies, where they are known."""
        if isinstance(self.transport, CookieTransport):
            return self.transport.name, self.transport.anonymous_name
        return ()


def search(app: object) -> Found:
    """Go through an application's middleware, its state and its plugins; then Django's settings."""
    found = Found()
    queue, known, is_django = deque([app]), set[int](), False
    while queue and len(known) < _LOOKS:
        thing = queue.popleft()
        if id(thing) in known:
            continue
        known.add(id(thing))
        is_django = is_django or type(thing).__module__.startswith("django.core.handlers")
        try:
            _take(found, thing)
            queue.extend(_inside(thing))
        except Exception:  # noqa: S112 - such as a proxy that wants a request
            continue
    if is_django:  # or it is another application of this process
        _search_django(found)
    if found.sessions is not None and found.transport is None:
        found.transport = CookieTransport.of(found.sessions.policy)
    return found


def _take(found: Found, thing: object) -> None:
    if isinstance(thing, Gate):
        found.sessions, found.transport = thing.sessions, thing.transport
        found.every.append(thing.sessions)
        found.is_development = found.is_development or thing.is_development
    elif isinstance(thing, BlockingSessions):
        found.sessions = found.sessions or thing.inner
    elif isinstance(thing, Sessions):
        found.sessions = found.sessions or thing
        found.every.append(thing)
    elif isinstance(thing, CookieTransport):
        found.transport = found.transport or thing
    config = getattr(thing, "config", None)
    if hasattr(thing, "session_interface") and isinstance(config, Mapping):
        _note(found, "SECRET_KEY", cast("Mapping[str, object]", config).get("SECRET_KEY"))
    kwargs = getattr(thing, "kwargs", None)
    if hasattr(thing, "cls") and isinstance(kwargs, Mapping):  # Starlette's Middleware
        _note(found, "secret_key", cast("Mapping[str, object]", kwargs).get("secret_key"))


def _note(found: Found, setting: str, secret: object) -> None:
    if secret is not None:
        found.secrets.setdefault(setting, secret)


def _inside(thing: object) -> Iterator[object]:
    if isinstance(thing, Sessions | BlockingSessions | str | bytes):
        return
    if isinstance(thing, Mapping):
        yield from cast("Mapping[object, object]", thing).values()
        return
    if isinstance(thing, list | tuple):
        yield from cast("list[object]", thing)
        return
    yield getattr(thing, "__self__", None)  # of a bound method
    yield from (getattr(thing, "func", None), getattr(thing, "keywords", None))  # of a partial
    kept = cast("dict[str, Any]", getattr(thing, "__dict__", {}))
    slots = {name for name in _WAYS if hasattr(type(thing), name)}
    yield from (getattr(thing, name) for name in _WAYS if name in kept or name in slots)


def _search_django(found: Found) -> None:
    conf = sys.modules.get("django.conf")
    settings: Any = getattr(conf, "settings", None)
    if settings is None or not settings.configured:
        return
    _note(found, "SECRET_KEY", getattr(settings, "SECRET_KEY", None))
    if getattr(settings, "COATCHECK", None) is not None:
        from coatcheck.web.django.site import current  # noqa: PLC0415 - needs Django

        _take(found, current().gate)
