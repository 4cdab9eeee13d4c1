"""A Django user who is disabled, or gets another password, stays signed in elsewhere.

CVE-2023-40273 (Airflow). R-038, R-039. Django itself asks its database about each user; another
framework on the same store knows the session alone.
"""

from collections.abc import Callable, Generator
from typing import Any

import pytest
from django.contrib import auth
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

from coatcheck import BlockingSessions, store_from_url
from tests.attacks import defences
from tests.attacks.applications import PROXY, Server
from tests.attacks.site import Browser, Defence, Site
from tests.frameworks.django_site import User, following
from tests.frameworks.django_site import site as django_site

HOST = "accounts.example.com"


def login(request: HttpRequest) -> HttpResponse:
    user = auth.authenticate(request, username="alice", password="wonder")
    assert user is not None
    auth.login(request, user)
    return HttpResponse()


def disable(_: HttpRequest) -> HttpResponse:
    user = User.objects.get(username="alice")
    user.is_active = False
    user.save()
    return HttpResponse()


def change(_: HttpRequest) -> HttpResponse:
    user = User.objects.get(username="alice")
    user.set_password("land")
    user.save()
    return HttpResponse()


def delete(_: HttpRequest) -> HttpResponse:
    User.objects.get(username="alice").delete()
    return HttpResponse()


VIEWS = (login, disable, change, delete)


@pytest.fixture
def accounts(site: Site, servers: Callable[[str], Server]) -> Generator[Browser]:
    """A browser of a Django application that has the store of the site."""
    sessions = BlockingSessions(store_from_url(site.store_url, blocking=True), clock=site.clock)
    pages = [path(view.__name__, view) for view in VIEWS]
    options: dict[str, Any] = {"sessions": sessions, "trusted_proxies": [PROXY]}
    User.objects.create_user("alice", password="wonder")
    with (
        following(),
        django_site(*pages, COATCHECK=options, SESSION_COOKIE_NAME="__Host-sid"),
    ):
        server = servers("flask")  # which serves any WSGI application
        server.apps[HOST] = WSGIHandler()
        browser = Browser(server.port, site.clock, HOST, {})
        yield browser
        browser.close()
    User.objects.all().delete()
    sessions.close()


def attack(site: Site, accounts: Browser, what: str) -> bool:
    """Keep the cookie, and show it to the other application."""
    assert accounts.get("/login").status == 200
    elsewhere = site.browser(accounts.token)
    assert elsewhere.get("/me").status == 200
    assert accounts.get(what, ("Cookie", "")).status == 200
    return elsewhere.get("/me").status == 200


@pytest.mark.parametrize("what", ["/disable", "/change", "/delete"])
def test_what_happens_to_a_user(site: Site, accounts: Browser, defence: Defence, what: str) -> None:
    with defence.without(defences.users_are_not_followed):
        assert attack(site, accounts, what) is defence.is_off
