"""Applications of each framework: what is inside them is found, and each of them is in order."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from coatcheck import Sessions, store_from_url
from coatcheck.doctor.examination import examine
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.finding import Severity
from coatcheck.doctor.order import Order
from coatcheck.doctor.trial import Plan
from tests.doctor.conftest import coatcheck, serious, served
from tests.web.https import site

STARLETTE = """
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from coatcheck import Keyring, Policy, Sealed, Sessions, profile, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of
from datetime import timedelta
{more}
sessions = Sessions(store_from_url("sqlite:///shop.db"){arguments})

async def home(request):
    return PlainTextResponse("hello")

async def login(request):
    if request.method == "POST":
        form = (await request.body()).decode()
        if form != "user=alice&password=wonderland":
            return PlainTextResponse("no", 403)
        session_of(request).sign_in("alice")
    return PlainTextResponse("welcome")

async def me(request):
    return PlainTextResponse(session_of(request).require_subject())

async def logout(request):
    session_of(request).end()
    return PlainTextResponse("bye")

app = Starlette(
    routes=[
        Route("/", home),
        Route("/login", login, methods=["GET", "POST"]),
        Route("/me", me),
        Route("/logout", logout, methods=["POST"]),
    ],
    middleware=[Middleware(SessionMiddleware, sessions=sessions)],
)
"""
FIELDS = {"user": "alice", "password": "wonderland"}
PLAN = Plan(login="/login", logout="/logout", page="/me", fields=FIELDS)

Module = Callable[[str], str]


def starlette(arguments: str = "", more: str = "") -> str:
    return STARLETTE.format(arguments=arguments, more=more)


def test_coatcheck_in_starlette_has_no_findings(module: Module) -> None:
    report = examine(Order(f"{module(starlette())}:app", plan=PLAN))
    assert serious(report) == set()
    assert report.skipped == {}
    assert {"timeouts", "encryption", "sqlite-file", "rotation", "logout", "identifiers"} <= set(
        report.checked
    )


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        ("timeouts", "policy=Policy(absolute=timedelta(days=40))"),
        ("timeouts", "policy=Policy(idle=timedelta(hours=3))"),
        ("memory-store", ""),
    ],
)
def test_a_wrong_setting_of_an_application_is_found(
    module: Module, check: str, arguments: str
) -> None:
    source = starlette(f", {arguments}" if arguments else "")
    if not arguments:
        source = source.replace("sqlite:///shop.db", "memory:")
    assert serious(examine(Order(f"{module(source)}:app", plan=PLAN))) == {check}


def test_the_ceilings_are_those_of_the_profile_that_is_named(module: Module) -> None:
    name = module(starlette(', policy=profile("aal1")'))
    assert serious(examine(Order(f"{name}:app"))) == set()  # by its own
    found = examine(Order(f"{name}:app", profile="bank")).findings
    where = {one.where for one in found if one.check == "timeouts"}
    assert {"Policy.idle", "Policy.absolute", "Cookie.same_site"} <= where


def test_encryption_is_told_of(module: Module) -> None:
    def said(arguments: str) -> list[str]:
        report = examine(Order(f"{module(starlette(arguments))}:app"))
        return [one.severity for one in report.findings if one.check == "encryption"]

    assert said("") == ["info"]
    sealed = "Sealed(Keyring(Keyring.new_key())"
    assert said(f", envelope={sealed})") == []
    until = "datetime.now(UTC) + timedelta(days=9)"
    imported = "from datetime import UTC, datetime"
    name = module(starlette(f", envelope={sealed}, accept_plain_until={until})", imported))
    assert serious(examine(Order(f"{name}:app"))) == {"encryption"}


def test_a_weak_key_stops_doctor_as_it_stops_the_application(module: Module) -> None:
    name = module(starlette(', envelope=Sealed(Keyring("changeme-changeme"))'))
    with pytest.raises(CannotRun, match="refuses to start: keys: key 1 is none") as caught:
        examine(Order(f"{name}:app"))
    assert "changeme-changeme" not in str(caught.value)


def test_a_wrong_setting_that_shows_at_the_start_is_said(module: Module) -> None:
    source = starlette().replace("sessions=sessions)", "sessions=sessions, passive=['x'])")
    with pytest.raises(CannotRun, match="refuses to start: coatcheck: passive"):
        examine(Order(f"{module(source)}:app"))


@pytest.mark.parametrize("framework", ["starlette", "flask"])
def test_settings_for_ones_own_machine_are_found(module: Module, framework: str) -> None:
    """Fails when nobody looks whether `development=True` is on."""
    source = starlette() if framework == "starlette" else flask(STRONG, ours=True)
    weak = re.sub(r"(sessions=sessions|, sessions)\)", r"\1, development=True)", source)
    assert weak != source
    report = examine(Order(f"{module(weak)}:app", plan=PLAN))
    assert serious(report) == {"development"}
    (one,) = (one for one in report.findings if one.check == "development")
    assert (one.severity, one.where) == (Severity.WARNING, "development=True")
    assert "leave it out where the application is deployed" in one.do


def test_on_ones_own_machine_they_are_no_failure(module: Module) -> None:
    """Fails when the cookies of development are judged by what holds for a deployment."""
    source = starlette().replace("=sessions)]", "=sessions, development=True)]")
    app = import_module(module(source)).app
    with served(app) as url:
        report = examine(Order(f"{url}/", plan=PLAN))
    assert serious(report) == set()
    (one,) = (one for one in report.findings if one.check == "development")
    assert (one.severity, one.where) == (Severity.INFO, url)
    assert "runs with development=True: cookie sid travels over plain HTTP" in one.what


FLASK = """
from flask import Flask, request, session
{imports}
app = Flask("shop")
app.config.update(
    SECRET_KEY={key!r}, SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SECURE=True,
    SESSION_COOKIE_SAMESITE="Lax",
)
{more}

@app.get("/")
def home():
    return "hello"

@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        if request.form["password"] != "wonderland":
            return "no", 403
        {sign_in}
    return "welcome"

@app.get("/me")
def me():
    return ({me}, 200) if {me} else ("nobody", 401)

@app.post("/logout")
def logout():
    session.clear()
    return "bye"
"""
STRONG = "r3Zt0vQh9Jm2Xw8Ky5Nb7Ld4Pc1Gf6Ts"


def flask(key: str, *, ours: bool) -> str:
    if not ours:
        values = {"imports": "", "more": "", "me": 'session.get("user")'}
        return FLASK.format(key=key, sign_in='session["user"] = "alice"', **values)
    imports = """
from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.flask import SessionInterface, session_of
"""
    more = """
app.config["SESSION_COOKIE_NAME"] = "session"
sessions = BlockingSessions(store_from_url("sqlite:///shop.db"))
SessionInterface(app, sessions)
""".replace('app.config["SESSION_COOKIE_NAME"] = "session"', "")
    sign_in = 'session_of().sign_in("alice")'
    return FLASK.format(
        key=key, imports=imports, more=more, sign_in=sign_in, me="session_of().subject"
    )


def test_coatcheck_in_flask_has_no_findings(module: Module) -> None:
    report = examine(Order(f"{module(flask(STRONG, ours=True))}:app", plan=PLAN))
    assert serious(report) == set()
    assert report.skipped == {}


def test_flasks_own_cookie_is_told_from_an_identifier(module: Module) -> None:
    report = examine(Order(f"{module(flask(STRONG, ours=False))}:app", plan=PLAN))
    assert {"identifiers", "logout", "caching"} <= serious(report)
    assert "rotation" not in {one.check for one in report.findings if "never" in one.what}


@pytest.mark.parametrize("key", ["dev", "changeme" * 5, "aaaa" * 10, "kR7xQ2mN9p"])
def test_a_weak_secret_key_is_found(module: Module, key: str) -> None:
    report = examine(Order(f"{module(flask(key, ours=True))}:app", plan=PLAN))
    assert serious(report) == {"secret-keys"}
    assert repr(key) not in repr(report)


QUART = """
from quart import Quart
from coatcheck import Sessions, store_from_url
from coatcheck.web.quart import SessionInterface
app = Quart("shop")
SessionInterface(app, Sessions(store_from_url("sqlite:///shop.db")))

@app.get("/")
async def home():
    return "hello"
"""
LITESTAR = """
from litestar import Litestar, get
from coatcheck import Sessions, store_from_url
from coatcheck.web.litestar import SessionPlugin

@get("/")
async def home() -> str:
    return "hello"

app = Litestar([home], plugins=[SessionPlugin(Sessions(store_from_url("sqlite:///shop.db")))])
"""
WSGI = """
from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.wsgi import SessionMiddleware

def home(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]

app = SessionMiddleware(home, sessions=BlockingSessions(store_from_url("sqlite:///shop.db")))
"""
STATE = """
from starlette.applications import Starlette
from coatcheck import Sessions, store_from_url
app = Starlette()
app.state.sessions = Sessions(store_from_url("sqlite:///shop.db"))
"""


@pytest.mark.parametrize("source", [QUART, LITESTAR, WSGI, STATE])
def test_sessions_are_found_inside(module: Module, source: str) -> None:
    report = examine(Order(f"{module(source)}:app"))
    assert {"timeouts", "sqlite-file"} <= set(report.checked)


def test_sessions_can_be_named(module: Module) -> None:
    name = module(starlette())
    report = examine(Order(sessions=f"{name}:sessions"))
    assert {"timeouts", "sqlite-file"} <= set(report.checked)
    with pytest.raises(CannotRun, match="is no Sessions"):
        examine(Order(sessions=f"{name}:home"))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere_at_all:app", "there is no module nowhere_at_all"),
        ("json:app", "has no app"),
        ("json:loads", "is no ASGI or WSGI application"),
        ("json", "neither a URL nor module:name"),
        ("ftp://host", "no URL of a website"),
        ("http://127.0.0.1:1/", "does not answer"),
    ],
)
def test_what_cannot_be_looked_at_is_said(target: str, said: str) -> None:
    with pytest.raises(CannotRun, match=said):
        examine(Order(target))


def test_a_shop_behind_tls_has_no_findings(tmp_path: Path) -> None:
    sessions = Sessions(store_from_url(f"sqlite:///{tmp_path / 'shop.db'}"))
    with site(sessions, tmp_path, proxy_headers=False, trusted_proxies=["127.0.0.1"]) as shop:
        plan = Plan(entry="/read", login="/login", logout="/logout", page="/me")
        order = Order(f"{shop.https}/read", ca=shop.certificate, plan=plan)
        report = examine(order)
        assert serious(report) == set()
        assert {"connection", "cookie-flags", "rotation", "logout"} <= set(report.checked)
        with pytest.raises(CannotRun, match="certificate is not valid"):
            examine(Order(shop.https))


DJANGO = """
import sys
sys.path.insert(0, {examples!r})
import django_site
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

settings.SECRET_KEY = "{key}"
settings.COATCHECK = {{**settings.COATCHECK, "development": False}}
call_command("migrate", verbosity=0)
User.objects.get_or_create(username="alice")
alice = User.objects.get()
alice.set_password("wonderland")
alice.save()
app = get_wsgi_application()
"""


def test_django_with_its_login_and_its_forms_has_no_findings(tmp_path: Path) -> None:
    """Its token against forged requests comes in a cookie of another page."""
    examples = str(Path(__file__).parents[2] / "docs" / "examples")
    site = tmp_path / "site_of_django.py"
    site.write_text(DJANGO.format(examples=examples, key=STRONG))
    sign = ("--entry", "/cart", "--login-url", "/login", "--logout-url", "/logout")
    command = (
        "doctor",
        "site_of_django:app",
        *sign,
        "--page",
        "/me",
        "--login-data",
        "-",
        "--json",
    )
    given = json.dumps({"password": "wonderland"})
    done = coatcheck(*command, cwd=tmp_path, given=given)
    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert report["skipped"] == []
    assert {"timeouts", "sqlite-file", "secret-keys", "rotation", "logout"} <= set(
        report["checked"]
    )
    site.write_text(DJANGO.format(examples=examples, key="django-insecure-" + STRONG))
    done = coatcheck(*command, cwd=tmp_path, given=given)
    assert {one["check"] for one in json.loads(done.stdout)["findings"][:1]} == {"secret-keys"}
