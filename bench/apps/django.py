"""Django's own sessions, in an SQLite database as its project template has it."""

import time

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from bench.apps.store import STORE

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": STORE.removeprefix("sqlite:///"),
        }
    },
    INSTALLED_APPS=["django.contrib.sessions"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="a secret",  # noqa: S106 - it protects nothing
)


def empty(request: HttpRequest) -> HttpResponse:
    request.session["survivors"], request.session["n"] = {}, 0
    return HttpResponse("started")


def add(request: HttpRequest, item: str) -> HttpResponse:
    cart = request.session["survivors"]
    time.sleep(0.005)
    cart[item] = 1
    request.session["survivors"] = cart
    return HttpResponse("added")


def count(request: HttpRequest) -> HttpResponse:
    n = request.session["n"]
    time.sleep(0.005)
    request.session["n"] = n + 1
    return HttpResponse("counted")


def cart(request: HttpRequest) -> HttpResponse:
    return JsonResponse(sorted(request.session["survivors"]), safe=False)


def counter(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.session["n"]))


urlpatterns = [
    path("empty", empty),
    path("add/<item>", add),
    path("count", count),
    path("cart", cart),
    path("counter", counter),
]
django.setup()
call_command("migrate", verbosity=0)
app = get_wsgi_application()
