"""Decorators for routes that ask for more than a login, whatever the framework."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from coatcheck.core.requirement import Requirement
from coatcheck.core.session import Session

View = TypeVar("View", bound=Callable[..., Any])
Age = timedelta | str | None


def demanding(level: int, max_age: Age) -> Callable[[Session], str]:
    """Return what asks a session; a wrong `level` or `max_age` is found out now.

    Raises:
        ConfigurationError: it is wrong.
    """
    Requirement(level, max_age)
    return lambda session: session.require(level=level, max_age=max_age)


def guarded(session_of: Callable[..., Session], level: int, max_age: Age) -> Callable[[View], View]:
    """Return a decorator for views of who is authenticated so well, and so recently.

    Args:
        session_of: is given the view's arguments.
        level, max_age: see `Session.require`.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    check = demanding(level, max_age)
    return guard(lambda *args, **kwargs: check(session_of(*args, **kwargs)))


def guard(
    check: Callable[..., object], acheck: Callable[..., Awaitable[object]] | None = None
) -> Callable[[View], View]:
    """Return a decorator that lets `check` raise before a view is run.

    Args:
        check: is given the view's arguments.
        acheck: the same for views that are coroutines, where that makes a difference.
    """

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            @wraps(view)
            async def run(*args: Any, **kwargs: Any) -> Any:
                if acheck is None:
                    check(*args, **kwargs)
                else:
                    await acheck(*args, **kwargs)
                return await view(*args, **kwargs)

            return cast("View", run)

        @wraps(view)
        def call(*args: Any, **kwargs: Any) -> Any:
            check(*args, **kwargs)
            return view(*args, **kwargs)

        return cast("View", call)

    return decorate
