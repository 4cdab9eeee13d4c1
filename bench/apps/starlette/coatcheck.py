"""coatcheck with the store that `BENCH_STORE` names, with its defaults and for production."""

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request

from bench.apps.starlette.pages import application
from bench.apps.store import STORE
from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of


def one_more(data: dict[str, Any]) -> None:
    data["n"] = data.get("n", 0) + 1


def edit(request: Request) -> None:
    session_of(request).edit(one_more)


def sign_in(request: Request, user: str) -> None:
    session_of(request).sign_in(user)


def served(sessions: Sessions, **options: Any) -> Starlette:
    """Return the pages with sessions."""
    middleware = Middleware(SessionMiddleware, sessions=sessions, **options)
    return application(middleware, increase_exactly=edit, login=sign_in)


app = served(Sessions(store_from_url(STORE)))
