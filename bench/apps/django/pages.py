"""The requests that are measured, written once for all applications that are Django's."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path

from bench import data

SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
urlpatterns: list[URLPattern] = []


def increase(request: HttpRequest) -> None:
    """Count as any application would, by an assignment."""
    request.session["n"] = request.session.get("n", 0) + 1


def no_login(request: HttpRequest, user: str) -> None:
    """The user is in the data already; only coatcheck has a login of its own."""


def read(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.session["preferences"]["currency"])


def write(request: HttpRequest) -> HttpResponse:
    increase(request)
    return HttpResponse("written")


def anonymous(request: HttpRequest) -> HttpResponse:
    return HttpResponse("somebody" if "user" in request.session else "nobody")


def counter(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.session["n"]))


def empty(request: HttpRequest) -> HttpResponse:
    request.session["survivors"], request.session["n"] = {}, 0
    return HttpResponse("started")


def add(request: HttpRequest, item: str) -> HttpResponse:
    cart = request.session["survivors"]
    time.sleep(0.005)
    cart[item] = 1
    request.session["survivors"] = cart  # Django's own would not notice a nested change
    return HttpResponse("added")


def cart(request: HttpRequest) -> HttpResponse:
    return JsonResponse(sorted(request.session["survivors"]), safe=False)


def application(
    *,
    middleware: Sequence[str] = (SESSIONS,),
    increase_exactly: Callable[[HttpRequest], None] = increase,
    login: Callable[[HttpRequest, str], None] = no_login,
    **others: Any,
) -> WSGIHandler:
    """Return the application.

    Args:
        middleware: the one that brings the sessions.
        increase_exactly: counts when requests meet, if the library has a way to.
        login: tells the library who the session belongs to, if it wants to know.
        others: settings.
    """

    def fill(request: HttpRequest, number: int) -> HttpResponse:
        content = data.session(number)
        request.session.update(content)
        login(request, content["user"])
        return HttpResponse("filled")

    def count(request: HttpRequest) -> HttpResponse:
        _ = request.session["n"]
        time.sleep(0.005)
        increase_exactly(request)
        return HttpResponse("counted")

    urlpatterns.extend(
        path(view.__name__, view) for view in (read, write, anonymous, counter, empty, cart, count)
    )
    urlpatterns.extend((path("fill/<int:number>", fill), path("add/<item>", add)))
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        MIDDLEWARE=middleware,
        ROOT_URLCONF=__name__,
        SECRET_KEY="a secret",  # noqa: S106 - it protects nothing
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
        SESSION_COOKIE_SECURE=True,
        **others,
    )
    django.setup()
    return get_wsgi_application()
