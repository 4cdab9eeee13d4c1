"""Django's contract for sessions: what `SessionBase` promises, with and without `await`."""

from collections import OrderedDict
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.safestring import mark_safe

from coatcheck import BlockingSessions, MemoryStore, Policy, Sessions, SQLiteStore, Token
from coatcheck.errors import ConfigurationError
from coatcheck.testing import Clock
from coatcheck.waiting import Kind
from tests.frameworks.django_site import Browser, site

DAY = 86_400


class Size(TextChoices):
    SMALL = "small"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Generator[BlockingSessions]:
    sessions = BlockingSessions(MemoryStore(), clock=clock)
    with site(COATCHECK={"sessions": sessions}):
        yield sessions


@pytest.fixture
def store(sessions: BlockingSessions) -> Any:
    return make()


def make(key: Any = None) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def test_a_new_one_was_neither_looked_at_nor_changed(store: Any) -> None:
    assert (store.modified, store.accessed, store.session_key) == (False, False, None)
    assert store.is_empty()


def test_it_is_empty_without_data_token_and_user(store: Any, sessions: BlockingSessions) -> None:
    """Fails when that saves, or when Django 6.1, which asks it, has other sessions be false."""
    store.get_session().sign_in("alice")
    assert not store.is_empty()
    assert store
    assert sessions.count() == 0
    store.flush()
    assert store.is_empty()
    store["hat"] = 1
    assert not store.is_empty()
    store.save()
    assert not make(store.session_key).is_empty()


def test_looks_are_no_changes(store: Any) -> None:
    looks: list[Callable[[], Any]] = [
        lambda: store.get("hat"), lambda: store.get("hat", 1), store.keys,
        store.values, store.items, lambda: "hat" in store,
        lambda: store.has_key("hat"), lambda: store.pop("hat", None),
    ]  # fmt: skip
    for look in looks:
        store.accessed = False
        look()
        assert (store.accessed, store.modified) == (True, False)
    with pytest.raises(KeyError):
        store.pop("hat")
    with pytest.raises(KeyError):
        store["hat"]


def test_changes_are_told(store: Any) -> None:
    def put() -> None:
        store["hat"] = 1

    def take() -> None:
        del store["hat"]

    changes: list[Callable[[], Any]] = [
        put, take, lambda: store.update({"hat": 2}), lambda: store.pop("hat"),
        lambda: store.setdefault("hat", 3), store.clear,
    ]  # fmt: skip
    for change in changes:
        store.modified = False
        change()
        assert store.modified
    assert (dict(store.items()), store.accessed) == ({}, True)
    store["hat"] = 4
    store.modified = False
    assert store.setdefault("hat", 5) == 4
    assert (store.modified, list(store.keys()), list(store.values())) == (False, ["hat"], [4])


def test_what_is_saved_is_there(store: Any) -> None:
    store["hat"] = {"size": [7]}
    store.save()
    assert store.exists(store.session_key)
    other = make(store.session_key)
    assert not hasattr(other, "_session_cache"), "nothing is loaded yet"
    assert other["hat"] == {"size": [7]}
    assert (other.load(), store["hat"]) == ({"hat": {"size": [7]}}, {"size": [7]})


def test_a_save_is_a_look_and_the_first_one_a_change(store: Any) -> None:
    """Fails when `save` and `create` set neither flag, as Django's own do."""
    store.save()
    assert (store.accessed, store.modified) == (True, True)
    store.accessed = store.modified = False
    store.save()
    assert (store.accessed, store.modified) == (True, False)
    other = make()
    other.create()
    assert (other.accessed, other.modified) == (True, True)


def test_an_empty_one_is_stored_when_its_key_is_asked_for(store: Any) -> None:
    """Fails when nothing is stored for it; Django's test client begins with this."""
    store.save()
    assert store.exists(store.session_key)
    other = make(store.session_key)
    other["hat"] = 1
    other.save()
    assert make(store.session_key)["hat"] == 1
    another = make()
    another.create()
    assert another.exists(another.session_key)
    assert another.session_key != store.session_key


@pytest.mark.parametrize("key", ["1", "someunknownkey", "", None, b"bytes", "a" * 89])
def test_a_key_that_was_not_issued_here_opens_nothing(sessions: Any, key: object) -> None:
    """Fails when a key that somebody chose is taken over."""
    store = make(key)
    assert store.load() == {}
    assert store.session_key is None
    assert not store.exists(key)
    store.delete()
    store.save()
    assert store.session_key != key


def test_a_key_that_was_replaced_opens_nothing(store: Any) -> None:
    unknown = Token.mint(bytes).reveal()
    other = make(unknown)
    assert other.session_key == unknown, "nobody has looked yet"
    assert (other.load(), other.session_key) == ({}, None)


def test_must_create(store: Any) -> None:
    store["hat"] = 1
    store.save(must_create=True)
    with pytest.raises(CreateError):
        store.save(must_create=True)
    assert make(store.session_key)["hat"] == 1


def test_delete_and_flush_end_it(store: Any) -> None:
    store["hat"] = 1
    store.save()
    key = store.session_key
    make().delete(key)
    assert not store.exists(key)
    other = make()
    other["hat"] = 1
    other.save()
    key = other.session_key
    other.modified = False
    other.flush()
    assert not other.exists(key)
    assert (other.session_key, other.modified, other.accessed) == (None, True, True)
    assert dict(other.items()) == {}
    other["hat"] = 2
    other.save()
    assert other.session_key != key


def test_a_new_key_keeps_the_data_and_retires_the_old_one(store: Any) -> None:
    store["hat"], store["coat"] = 1, 2
    store.save()
    key = store.session_key
    store.cycle_key()
    assert not store.exists(key)
    assert store.exists(store.session_key)
    assert make(store.session_key).load() == {"hat": 1, "coat": 2}
    unread = make(store.session_key)
    unread.cycle_key()
    assert dict(unread.items()) == {"hat": 1, "coat": 2}
    assert not unread.exists(store.session_key)


def test_a_new_key_of_what_is_not_stored_stores_nothing(
    store: Any, sessions: BlockingSessions
) -> None:
    """Django's `login` begins with it; a visitor's session would be stored for a moment."""
    store.cycle_key()
    assert (store.session_key, sessions.count()) == (None, 0)
    store["hat"] = 1
    store.cycle_key()
    assert store.exists(store.session_key)


def test_what_looks_like_text_or_numbers_comes_back_as_that(store: Any) -> None:
    """As of Django's own engines, on which extensions rely. Fails when it is refused."""
    store.update({"size": Size.SMALL, "shown": mark_safe("<b>"), "rest": OrderedDict(a=1)})
    store.save()
    back = dict(make(store.session_key).items())
    assert back == {"size": "small", "shown": "<b>", "rest": {"a": 1}}
    assert [type(value) for value in back.values()] == [str, str, dict]


def test_a_save_does_not_bring_a_session_back(store: Any) -> None:
    store["hat"] = 1
    store.save()
    make(store.session_key).delete()
    store["hat"] = 2
    with pytest.raises(UpdateError):
        store.save()
    assert (store.load(), store.session_key) == ({}, None)


def test_a_save_by_an_old_token_is_refused(store: Any) -> None:
    store["hat"] = 1
    store.save()
    late = make(store.session_key)
    late["hat"] = 2
    store.cycle_key()
    with pytest.raises(UpdateError):
        late.save()
    assert make(store.session_key)["hat"] == 1


def test_changes_of_two_are_both_kept(store: Any) -> None:
    store["cart"] = {}
    store.save()
    first, second = make(store.session_key), make(store.session_key)
    first["cart"]["hat"] = 1
    second["cart"]["coat"] = 1
    first.save()
    second.save()
    assert make(store.session_key)["cart"] == {"hat": 1, "coat": 1}


def test_the_token_is_in_no_repr(store: Any) -> None:
    store["hat"] = 1
    store.save()
    secret = store.session_key.rpartition(".")[2]
    assert secret not in f"{store!r} {store._session!r} {store._session.state.token!r}"


def test_the_test_cookie(store: Any) -> None:
    assert not store.test_cookie_worked()
    store.set_test_cookie()
    assert store.test_cookie_worked()
    store.delete_test_cookie()
    assert not store.test_cookie_worked()


def test_forms_of_expiry(store: Any) -> None:
    now = datetime.now(UTC)
    store.set_expiry(10)
    assert store.get_expiry_age(modification=now) == 10
    assert store.get_expiry_date(modification=now) == now + timedelta(seconds=10)
    for value in (timedelta(seconds=90), now + timedelta(seconds=90)):
        store.set_expiry(value)
        assert 88 <= store.get_expiry_age() <= 90
        assert not store.get_expire_at_browser_close()
    store.set_expiry(0)
    assert store.get_expire_at_browser_close()
    assert store.get_expiry_age() == DAY // 2, "the policy's absolute lifetime"
    store.set_expiry(None)
    assert not store.get_expire_at_browser_close()
    with site(COATCHECK={"store": MemoryStore()}, SESSION_EXPIRE_AT_BROWSER_CLOSE=True):
        assert make().get_expire_at_browser_close()


@pytest.mark.parametrize("idle", [None, timedelta(hours=1)])
def test_the_age_is_the_one_that_was_set(idle: timedelta | None) -> None:
    """Fails when the age counts only where it is below the policy's idle time."""
    options: dict[str, Any] = {"store": MemoryStore()}
    if idle is not None:
        options["policy"] = Policy(idle=idle)
    with site(COATCHECK=options, SESSION_COOKIE_AGE=1500):
        store = make()
        assert (store.get_session_cookie_age(), store.get_expiry_age()) == (1500, 1500)


@pytest.mark.parametrize("form", [60, timedelta(seconds=60), "datetime"])
def test_a_session_is_over_when_django_says_so(sessions: Any, clock: Clock, form: Any) -> None:
    """Fails when only the browser is told, or when the look itself counts as activity."""
    at = datetime.fromtimestamp(clock.ms / 1000 + 60, UTC)
    store = make()
    store["hat"] = 1
    store.set_expiry(at if form == "datetime" else form)
    store.save()
    key = store.session_key
    clock.move(seconds=50)
    assert make(key).get("hat") == 1
    clock.move(minutes=28, seconds=30)  # so late that the policy's own idle time is nearly over
    assert make(key).get("hat") is None


def test_the_key_stays_where_no_browser_is_to_be_told(store: Any) -> None:
    """Fails when whoever carries the key in a header holds one that opens nothing."""
    store["hat"] = 1
    store.save()
    key = store.session_key
    store.set_expiry(60)
    store.save()
    assert store.session_key == key
    assert make(key).get_expiry_age() == 60


def test_what_is_over_loads_nothing(sessions: Any, clock: Clock) -> None:
    """Fails when `load` returns what every other method hides."""
    store = make()
    store["hat"] = 1
    store.set_expiry(60)
    store.save()
    clock.move(seconds=70)
    other = make(store.session_key)
    assert (other.load(), other.session_key) == ({}, None)


def test_seconds_are_counted_from_the_last_activity(sessions: Any, clock: Clock) -> None:
    store = make()
    store.set_expiry(60)
    store["n"] = 0
    store.save()
    for n in range(3):
        clock.move(seconds=50)
        store = make(store.session_key)
        store["n"] += 1
        store.save()
        assert store["n"] == n + 1


def test_clearsessions(sessions: BlockingSessions, clock: Clock) -> None:
    for _ in range(3):
        make().save()
    clock.move(minutes=20)
    make().save()
    clock.move(minutes=12)
    assert sessions.count() == 4
    call_command("clearsessions")
    assert sessions.count() == 1


async def test_all_of_it_with_await(sessions: BlockingSessions) -> None:
    store = make()
    assert (store.accessed, store.modified) == (False, False)
    assert await store.aget("hat") is None
    await store.aset("hat", 1)
    assert store.modified
    assert await store.asetdefault("hat", 2) == 1
    await store.aupdate({"coat": 2})
    assert await store.ahas_key("coat")
    assert list(await store.akeys()) == ["hat", "coat"]
    assert list(await store.avalues()) == [1, 2]
    assert dict(await store.aitems()) == {"hat": 1, "coat": 2}
    assert await store.apop("coat") == 2
    await store.aset_test_cookie()
    assert await store.atest_cookie_worked()
    await store.adelete_test_cookie()
    await store.asave()
    key = store.session_key
    assert await store.aexists(key)
    assert await make(key).aload() == {"hat": 1}
    with pytest.raises(CreateError):
        await store.asave(must_create=True)
    await store.acycle_key()
    assert not await store.aexists(key)
    for value in (10, timedelta(seconds=10), 0, None):
        await store.aset_expiry(value)
        assert await store.aget_expiry_age() >= 9
        assert await store.aget_expiry_date() > datetime.now(UTC)
        assert await store.aget_expire_at_browser_close() is (value == 0)
    await make().adelete(store.session_key)
    await store.aset("late", 1)
    with pytest.raises(UpdateError):
        await store.asave()
    other = make()
    await other.acreate()
    key = other.session_key
    assert await other.aexists(key)
    await other.aflush()
    assert (other.session_key, await other.aexists(key)) == (None, False)
    await store.aclear_expired()


async def test_a_save_without_await_says_what_to_do(store: Any) -> None:
    store["hat"] = 1  # a store that hardly ever waits is read on the spot
    with pytest.raises(SynchronousOnlyOperation, match="aget, aset, asave"):
        store.save()


async def test_sessions_of_asyncio_outside_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "kind", Kind.ASYNCIO)
    with site(COATCHECK={"sessions": Sessions(MemoryStore())}):
        store = make()
        await store.aset("hat", 1)
        await store.asave()
        with pytest.raises(ConfigurationError, match="BlockingSessions"):
            make(store.session_key).load()


def test_the_engine_works_with_djangos_own_middleware(sessions: BlockingSessions) -> None:
    def put(request: HttpRequest) -> HttpResponse:
        request.session.setdefault("cart", {})["hat"] = 1
        request.session.modified = True
        return HttpResponse()

    def cart(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(request.session.get("cart")))

    def leave(request: HttpRequest) -> HttpResponse:
        request.session.flush()
        return HttpResponse()

    def ended(request: HttpRequest) -> HttpResponse:
        request.session["late"] = 1
        sessions.end(sessions.page()[0][0].id)
        return HttpResponse()

    pages = [path("put", put), path("cart", cart), path("leave", leave), path("ended", ended)]
    with site(
        *pages,
        COATCHECK={"sessions": sessions},
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ):
        browser = Browser()
        browser.get("/put")
        assert browser.get("/cart").content == b"{'hat': 1}"
        assert list(browser.tokens) == ["sessionid"]
        browser.get("/leave")
        assert browser.get("/cart").content == b"None"
        browser.get("/put")
        assert browser.get("/ended").status_code == 400, "Django's own answer"
        assert sessions.count() == 0


def test_djangos_own_middleware_hands_out_what_a_view_only_saved(
    sessions: BlockingSessions,
) -> None:
    """Fails when a save is no change: the session is stored, and no cookie leads to it."""

    def key(request: HttpRequest) -> HttpResponse:
        if request.session.session_key is None:
            request.session.save()
        return HttpResponse(request.session.session_key)

    with site(
        path("key", key),
        COATCHECK={"sessions": sessions},
        MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    ):
        browser = Browser()
        first = browser.get("/key")
        assert first.headers["Vary"] == "Cookie"
        assert browser.get("/key").content == first.content
        assert sessions.count() == 1


def test_sqlite(clock: Clock, tmp_path: Any) -> None:
    store = SQLiteStore(str(tmp_path / "sessions.db"))
    policy = Policy(idle=timedelta(minutes=1))
    with site(COATCHECK={"store": store, "policy": policy, "clock": clock}):
        session = make()
        session["hat"] = 1
        session.save()
        clock.move(seconds=61)
        assert make(session.session_key).get("hat") is None
