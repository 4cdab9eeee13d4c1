"""The frameworks that a server of the shop may be written in; imported only where it runs."""

from collections.abc import Callable
from typing import Any, Final, cast

from starlette.types import ASGIApp

from coatcheck import BlockingSessions, Sessions, store_from_url
from examples.shop.clock import ShopClock
from examples.shop.state import chosen_store


def _fastapi(name: str) -> ASGIApp:
    from examples.shop.app import create_app  # noqa: PLC0415
    from examples.shop.time_machine import time_machine  # noqa: PLC0415

    clock = ShopClock.from_environment()
    app = create_app(name, Sessions(store_from_url(chosen_store()), clock=clock), clock=clock)
    if clock is not None:
        app.include_router(time_machine(clock))
    return app


def _flask(name: str) -> ASGIApp:
    from examples.shop.flask_app import create_app  # noqa: PLC0415

    return _threaded(create_app, name)


def _django(name: str) -> ASGIApp:
    from examples.shop.django_app import create_app  # noqa: PLC0415

    return _threaded(create_app, name)


def _threaded(create_app: Callable[..., object], name: str) -> ASGIApp:
    """Let an application that blocks be served by threads."""
    from a2wsgi import WSGIMiddleware  # noqa: PLC0415

    clock = ShopClock.from_environment()
    sessions = BlockingSessions(store_from_url(chosen_store(), blocking=True), clock=clock)
    app = create_app(name, sessions, clock=clock)
    return cast("ASGIApp", WSGIMiddleware(cast("Any", app)))


KINDS: Final[dict[str, Callable[[str], ASGIApp]]] = {
    "fastapi": _fastapi,
    "flask": _flask,
    "django": _django,
}
"""By name, what builds a server of that name from the environment."""
