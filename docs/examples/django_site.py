"""A Django site in one file: run `python django_site.py runserver`."""

import sys

import django
from django.conf import settings
from django.contrib import auth
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import ensure_csrf_cookie

from coatcheck import BlockingSessions, store_from_url

# The same store as the other applications have; redis:// for many servers.
sessions = BlockingSessions(store_from_url("sqlite:///sessions.db", blocking=True))

# part: settings
SESSION_ENGINE = "coatcheck.web.django.engine"
SESSION_COOKIE_NAME = "__Host-sid"  # as without, but Django hides it and tests find it
MIDDLEWARE = [
    "coatcheck.web.django.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "coatcheck.web.django.auth.AuthenticationMiddleware",
]
COATCHECK = {
    "sessions": sessions,  # or where it is: "mysite.sessions.sessions"
    "development": True,  # plain HTTP from this machine; not on a server
}
# end part
DEBUG = True
SECRET_KEY = "change me"
ROOT_URLCONF = __name__
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "coatcheck.web.django",  # ends the sessions of a user who is disabled or gets a password
]
settings.configure(**{name: value for name, value in globals().items() if name.isupper()})
django.setup()

from django.contrib.auth.models import User  # noqa: E402 - models need the settings

from coatcheck.web.django import session_of  # noqa: E402


# part: views
@ensure_csrf_cookie  # for the forms of this page
def cart(request: HttpRequest) -> HttpResponse:
    request.session.setdefault("cart", {})["hat"] = 1  # nested: saved all the same
    return JsonResponse(request.session["cart"])


def like(request: HttpRequest) -> HttpResponse:
    def one_more(data: dict[str, int]) -> None:
        data["likes"] = data.get("likes", 0) + 1

    session_of(request).edit(one_more)  # exact, however many requests come at once
    return HttpResponse()


def login(request: HttpRequest) -> HttpResponse:
    user = auth.authenticate(request, username="alice", password=request.POST.get("password"))
    if user is None:
        return HttpResponse(status=403)
    auth.login(request, user)
    return HttpResponse("hello alice")


def logout(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse("bye")


def change_password(request: HttpRequest) -> HttpResponse:
    user = request.user
    if not isinstance(user, User):
        return HttpResponse(status=401)
    user.set_password(request.POST.get("password"))
    user.save()  # which ends the sessions, also those of other frameworks
    auth.update_session_auth_hash(request, user)
    return HttpResponse("the others are logged out")


def me(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user}")


# end part

urlpatterns = [
    path("cart", cart),
    path("like", like),
    path("login", login),
    path("logout", logout),
    path("password", change_password),
    path("me", me),
]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
