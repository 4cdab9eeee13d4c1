"""coatcheck with the store that `BENCH_STORE` names, with its defaults and for production."""

from typing import Any

from django.http import HttpRequest

from bench.apps.django.pages import application
from bench.apps.store import blocking_store
from coatcheck.web.django import session_of


def one_more(data: dict[str, Any]) -> None:
    data["n"] = data.get("n", 0) + 1


def edit(request: HttpRequest) -> None:
    session_of(request).edit(one_more)


def sign_in(request: HttpRequest, user: str) -> None:
    session_of(request).sign_in(user)


app = application(
    middleware=("coatcheck.web.django.middleware.SessionMiddleware",),
    increase_exactly=edit,
    login=sign_in,
    COATCHECK={"store": blocking_store(), "trusted_proxies": ["127.0.0.1"]},
    SESSION_ENGINE="coatcheck.web.django.engine",
)
