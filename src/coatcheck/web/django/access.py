"""From a request to its session."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Optional, Protocol, cast

from coatcheck.core.session import Session
from coatcheck.web.requires import Age, View, demanding, guard

if TYPE_CHECKING:
    from django.http import HttpRequest

    from coatcheck.web.django.engine import SessionStore

SERVING: ContextVar[Optional["HttpRequest"]] = ContextVar("SERVING", default=None)
"""The request that is being served here."""


class Request(Protocol):
    """Whatever has a session: Django's requests, and those that wrap them."""

    @property
    def session(self) -> Any:
        """Of Django's type, whichever that is."""
        ...


def served() -> Optional["SessionStore"]:
    """Return the session of the request that is being served here.

    A view may have put another in its place for a while, as one that reads a token of its own does.
    """
    store = getattr(SERVING.get(), "session", None)
    return store if getattr(store, "is_of_coatcheck", False) else None


def session_of(request: Request) -> Session:
    """Return what is behind `request.session`: its subject, its times, `edit`, `step_up`.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        SynchronousOnlyOperation: it is to be loaded in a coroutine: use `await asession_of`.
        RuntimeError: the request has no session of coatcheck's, or its response has started and
            nobody looked before.
    """
    return _store_of(request).get_session()


async def asession_of(request: Request) -> Session:
    """Return the same in a coroutine. See `session_of`."""
    return await _store_of(request).aget_session()


def requires(*, level: int = 1, max_age: Age = None) -> Callable[[View], View]:
    """Keep a view for who is authenticated so well, and so recently.

    See `Session.require`; `@requires()` asks for a login.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    check = demanding(level, max_age)

    def of_first(request: Request, *_: object, **__: object) -> None:
        check(session_of(request))

    async def aof_first(request: Request, *_: object, **__: object) -> None:
        check(await asession_of(request))

    return guard(of_first, aof_first)


def _store_of(request: Request) -> "SessionStore":
    store = getattr(request, "session", None)
    if not getattr(store, "is_of_coatcheck", False):
        raise RuntimeError(
            "no session here: add coatcheck.web.django.middleware.SessionMiddleware to MIDDLEWARE, "
            "and ask while a request is served"
        )
    return cast("SessionStore", store)
