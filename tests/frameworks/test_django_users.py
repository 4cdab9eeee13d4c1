"""What becomes of a user's sessions when the user is disabled, deleted, or gets a password."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import auth
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from django.urls import path

from coatcheck import BlockingSessions, Event, Happened, MemoryStore, Policy, Sessions
from coatcheck.core.policy import AtLimit
from coatcheck.errors import StoreUnavailable, Unauthenticated
from coatcheck.stores.protocol import Barred
from coatcheck.web.django import session_of
from coatcheck.web.django.engine import SessionStore
from tests.frameworks.django_site import Browser, User, following, site


class Away(MemoryStore):
    is_away = False

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().bar(subject, at)


@pytest.fixture(autouse=True)
def followed() -> Generator[None]:
    with following():
        yield


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def store() -> Away:
    return Away()


@pytest.fixture
def sessions(store: Away, events: list[Event]) -> Generator[BlockingSessions]:
    sessions = BlockingSessions(
        store,
        policy=Policy(max_sessions=4, at_limit=AtLimit.REFUSE),
        on_event=events.append,
    )
    views = (login, mine, change, change_and_forget, change_in_vain, reset, aused, change_by_key)
    pages = [path(view.__name__, view) for view in views]
    with site(*pages, COATCHECK={"sessions": sessions}, SESSION_COOKIE_NAME="__Host-sid"):
        yield sessions


@pytest.fixture
def alice() -> Generator[User]:
    yield User.objects.create_user("alice", password="wonder")
    User.objects.all().delete()


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", password="root")


def login(request: HttpRequest) -> HttpResponse:
    name, password = request.META["QUERY_STRING"].split(":")
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        return HttpResponse(status=403)
    auth.login(request, user)
    return HttpResponse()


def mine(request: HttpRequest) -> HttpResponse:
    return JsonResponse([str(request.user), session_of(request).subject], safe=False)


def change(request: HttpRequest) -> HttpResponse:
    change_and_forget(request)
    assert isinstance(request.user, User)
    auth.update_session_auth_hash(request, request.user)
    return HttpResponse()


def change_by_key(request: HttpRequest) -> HttpResponse:
    """Serve a client whose key is in a header, as allauth does: by its session, for a while."""
    own, request.session = request.session, SessionStore(request.META["HTTP_X_SESSION_TOKEN"])
    try:
        change(request)
        request.session.save()
        return HttpResponse(request.session.session_key)
    finally:
        request.session = own


def change_and_forget(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    request.user.set_password("land")
    request.user.save()
    return HttpResponse()


def change_in_vain(request: HttpRequest) -> HttpResponse:
    try:
        with transaction.atomic():
            change_and_forget(request)
            raise LookupError
    except LookupError:
        return HttpResponse()


def reset(request: HttpRequest) -> HttpResponse:
    """Set the password of who forgot it, as the link of a mail allows, and log in."""
    if request.META["QUERY_STRING"] == "look":
        request.session.get("token")  # where Django's own view keeps it
    user = User.objects.get(username="alice")
    user.set_password("land")
    user.save()
    auth.login(request, user, "django.contrib.auth.backends.ModelBackend")
    return HttpResponse()


async def aused(request: HttpRequest) -> HttpResponse:
    user = request.user = await request.auser()
    assert isinstance(user, User)
    user.set_password("land")
    await user.asave()
    await auth.aupdate_session_auth_hash(request, user)
    return HttpResponse()


def logged_in(number: int = 1, name: str = "alice:wonder") -> list[Browser]:
    browsers = [Browser() for _ in range(number)]
    for browser in browsers:
        assert browser.get(f"/login?{name}").status_code == 200
    return browsers


def who(*browsers: Browser) -> list[Any]:
    return [browser.get("/mine").json() for browser in browsers]


NOBODY = ["AnonymousUser", None]


def in_another_framework(sessions: BlockingSessions, subject: str) -> Any:
    session = sessions.open(None)
    session.sign_in(subject)
    return sessions.commit(session).token


def test_a_disabled_user_is_logged_out_everywhere(
    sessions: Any, alice: User, root: User, events: list[Event]
) -> None:
    """R-039: at once, in every framework, and nothing is left in the index."""
    one, other = logged_in(2)
    (admin,) = logged_in(1, "root:root")
    elsewhere = in_another_framework(sessions, str(alice.pk))
    form = {"username": "alice", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    answer = admin.post(f"/admin/auth/user/{alice.pk}/change/", form)
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert not alice.is_active
    assert sessions.open(elsewhere).subject is None
    assert sessions.list(str(alice.pk)) == []
    assert sessions.count(str(alice.pk)) == 0
    assert who(one, other) == [NOBODY, NOBODY]
    assert who(admin) == [["root", str(root.pk)]]
    told = [event for event in events if event.kind is Happened.ALL_ENDED]
    assert [(event.subject, event.actor, event.facts) for event in told] == [
        (str(alice.pk), f"administrator:{root.pk}", {"count": 3, "reason": "disabled"})
    ]


def test_a_deleted_user_is_logged_out_everywhere(sessions: Any, alice: User) -> None:
    """R-039."""
    (browser,) = logged_in()
    elsewhere = in_another_framework(sessions, str(alice.pk))
    alice.delete()
    assert sessions.open(elsewhere).subject is None
    assert who(browser) == [NOBODY]
    assert sessions.count() == 0


def test_rows_of_other_models_are_deleted_without_being_loaded(sessions: Any) -> None:
    """Fails when the site's large deletes are slow, as somebody listens to each row."""
    with CaptureQueriesContext(connection) as queries:
        apps.get_model("admin", "LogEntry").objects.all().delete()
    assert [query for query in queries if query["sql"].startswith("SELECT")] == []


def test_signals_of_other_models_may_have_other_arguments(sessions: Any) -> None:
    """Fails when what an application sends about its own models is an error here."""
    entry = apps.get_model("admin", "LogEntry")
    for signal in (pre_save, post_save, post_delete):
        signal.send(sender=entry, instance=entry())


@pytest.mark.parametrize("page", ["change", "aused"])
def test_a_new_password_logs_the_others_out(sessions: Any, alice: User, page: str) -> None:
    """R-038: at once, and whoever changed it goes on, by a new token."""
    one, other = logged_in(2)
    elsewhere = in_another_framework(sessions, str(alice.pk))
    old = one.tokens["__Host-sid"]
    if page == "aused":
        browser = AsyncClient()
        browser.cookies = one.cookies
        asyncio.run(browser.get("/aused", secure=True))
        one.cookies = browser.cookies
    else:
        one.get("/change")
    assert sessions.open(elsewhere).subject is None
    assert sessions.count(str(alice.pk)) == 1
    assert who(one, other) == [["alice", str(alice.pk)], NOBODY]
    assert one.tokens["__Host-sid"] != old
    thief = Browser()
    thief.cookies["__Host-sid"] = old
    assert who(thief) == [NOBODY]


def test_a_new_password_keeps_the_session_in_the_place_of_the_requests(
    sessions: Any, alice: User
) -> None:
    """Fails when a client with its key in a header is logged out by changing its password."""
    app, browser = Browser(), Browser()
    app.get("/login?alice:wonder")
    browser.get("/login?alice:wonder")
    key = app.tokens["__Host-sid"]
    answer = Browser().get("/change_by_key", headers={"x-session-token": key})
    assert SessionStore(answer.content.decode())["_auth_user_id"] == str(alice.pk)
    assert sessions.count() == 1
    assert browser.get("/mine").json()[0] == "AnonymousUser"


def test_an_administrators_reset_logs_all_out(sessions: Any, alice: User) -> None:
    """R-038, CVE-2023-40273: in a process that serves nobody, too."""
    (browser,) = logged_in()
    elsewhere = in_another_framework(sessions, str(alice.pk))
    alice.set_password("land")
    alice.save()
    assert sessions.open(elsewhere).subject is None
    assert who(browser) == [NOBODY]


@pytest.mark.parametrize("look", ["look", "none"])
@pytest.mark.parametrize("name", ["", "root:root"])
def test_who_forgot_the_password_may_log_in_at_once(
    sessions: Any, alice: User, root: User, look: str, name: str
) -> None:
    """As `PasswordResetConfirmView(post_reset_login=True)` does, a visitor or another user.

    Fails when the request is not the one that raised the bar (G2).
    """
    (other,) = logged_in()
    browser = logged_in(1, name)[0] if name else Browser()
    assert browser.get(f"/reset?{look}").status_code == 200
    assert who(browser, other) == [["alice", str(alice.pk)], NOBODY]
    assert sessions.count() == 1


def test_a_password_that_is_taken_away_logs_all_out(sessions: Any, alice: User, root: User) -> None:
    """R-038, by the admin's form. Fails when only `set_password` is thought of."""
    (browser,) = logged_in()
    (admin,) = logged_in(1, "root:root")
    elsewhere = in_another_framework(sessions, str(alice.pk))
    form = {"usable_password": "false", "unset-password": "yes"}
    assert admin.post(f"/admin/auth/user/{alice.pk}/password/", form).status_code == 302
    alice.refresh_from_db()
    assert not alice.has_usable_password()
    assert sessions.open(elsewhere).subject is None
    assert who(browser) == [NOBODY]


def test_what_comes_after_a_request_is_not_done_in_its_name(sessions: Any, alice: User) -> None:
    """R-038: a test of asyncio, or a server, may do both in one task. Fails when it goes on."""
    (one,) = logged_in()

    async def both() -> None:
        client = AsyncClient()
        client.cookies = one.cookies
        await client.get("/mine", secure=True)
        alice.set_password("land")
        await alice.asave()

    asyncio.run(both())
    assert sessions.count(str(alice.pk)) == 0


def test_who_forgets_to_update_the_hash_is_logged_out(sessions: Any, alice: User) -> None:
    """As Django says."""
    (browser,) = logged_in()
    browser.get("/change_and_forget")
    assert who(browser) == [NOBODY]


def test_what_changes_nothing_ends_nothing(sessions: Any, alice: User) -> None:
    """A save of something else, a change that is rolled back, a better hash, another user."""
    (browser,) = logged_in()
    alice.email = "alice@shop.test"
    alice.save()
    browser.get("/change_in_vain")
    with site(
        path("login", login),
        path("mine", mine),
        COATCHECK={"sessions": sessions},
        PASSWORD_HASHERS=[
            "django.contrib.auth.hashers.ScryptPasswordHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ],
    ):
        assert alice.check_password("wonder")  # which stores a better hash
    alice.refresh_from_db()
    User.objects.create_user("bob", password="builder").delete()
    assert sessions.count(str(alice.pk)) == 1
    carol = User.objects.create_user("carol")  # who never had a password
    in_another_framework(sessions, str(carol.pk))
    carol.save()
    assert sessions.count(str(carol.pk)) == 1


def test_a_login_under_way_does_not_escape(sessions: Any, alice: User) -> None:
    """Who proved the old password before it changed is refused after (G2)."""
    session = sessions.open(None)
    alice.set_password("land")
    alice.save()
    session.sign_in(str(alice.pk))
    with pytest.raises(Unauthenticated, match="ended while"):
        sessions.commit(session)


def test_a_store_that_is_away_is_no_secret(sessions: Any, store: Away, alice: User) -> None:
    """Fails when a password is said to be changed while the sessions go on."""
    (browser,) = logged_in()
    store.is_away = True
    assert browser.get("/change").status_code == 503
    store.is_away = False


def test_one_login_too_many_is_refused(sessions: Any, alice: User) -> None:
    """R-043."""
    browsers = logged_in(4)
    one_more = Browser()
    answer = one_more.get("/login?alice:wonder")
    assert answer.status_code == 403
    assert "log out somewhere else" in answer.json()["error"]
    assert who(one_more, browsers[0]) == [NOBODY, ["alice", str(alice.pk)]]


def test_the_command_that_changes_a_password_logs_out(
    sessions: Any, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    (browser,) = logged_in()

    def answer(prompt: str) -> str:
        return "a much longer one"

    monkeypatch.setattr("getpass.getpass", answer)
    call_command("changepassword", "alice", verbosity=0)
    assert sessions.count(str(alice.pk)) == 0
    assert who(browser) == [NOBODY]


def test_users_are_followed_over_asyncios_sessions(alice: User) -> None:
    """From a thread that has no event loop, as a command is."""
    store = MemoryStore()
    with site(COATCHECK={"sessions": Sessions(store)}):
        token = in_another_framework(BlockingSessions(store), str(alice.pk))
        alice.set_password("land")
        alice.save()
        assert BlockingSessions(store).open(token).subject is None
