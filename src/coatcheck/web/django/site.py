"""What the settings of a Django site say about its sessions, read and checked once."""

from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar, cast

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import global_settings, settings
from django.core.exceptions import SynchronousOnlyOperation
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from coatcheck.blocking import BlockingSessions
from coatcheck.config import store_from_url
from coatcheck.core.policy import Policy
from coatcheck.errors import ConfigurationError
from coatcheck.sessions import Sessions
from coatcheck.waiting import Kind, finish, running_loop
from coatcheck.web.cookie import LONGEST_LIFE
from coatcheck.web.cookie_settings import transport_of
from coatcheck.web.django.reports import hiding
from coatcheck.web.gate import Gate, GateOptions
from coatcheck.web.transport import Transport

T = TypeVar("T")

_OF_SESSIONS = ("policy", "merge", "on_event", "clock", "envelope", "notify", "tokens")
_OF_GATE = tuple(GateOptions.__annotations__)
_KNOWN = ("sessions", "store", *_OF_SESSIONS, *_OF_GATE)


class Site:
    """The sessions of a site, and the way to them.

    Attributes:
        sessions: as coroutines, whichever kind was given.
        age: seconds without activity after which a session is over, where the settings say less
            than the policy does.
        cookie_age: `SESSION_COOKIE_AGE`, seconds, where it differs from Django's default.
        kept_for: seconds that a browser may keep a cookie.
        saves_every_request: whether requests count that nobody looked at the session in.
        has_csrf: whether the site says how forged requests are told.
        reports: what hides the session's cookies in reports of errors.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    def __init__(self, options: object) -> None:
        options = _checked(options)
        given = _sessions(options)
        self.sessions = given.inner if isinstance(given, BlockingSessions) else given
        self._kind = self.sessions.kind
        self.policy = self.sessions.policy
        absolute = min(self.policy.absolute, LONGEST_LIFE)
        self.kept_for = int(absolute.total_seconds())
        self.cookie_age = _age_setting()
        self.age = _age(self.policy)
        self.saves_every_request = bool(settings.SESSION_SAVE_EVERY_REQUEST)
        transport = options.get("transport") or self._transport()
        gate: dict[str, Any] = {name: options[name] for name in _OF_GATE if name in options}
        gate["transport"] = transport
        gate["adapter"] = "coatcheck.web.django"
        try:
            self.gate = Gate(self.sessions, **gate)
        except ConfigurationError as error:
            raise _named(error) from error
        self.has_csrf = options.get("csrf") is not None
        self.reports = hiding(transport)

    def _transport(self) -> Transport:
        asked = {name: getattr(settings, name) for name in dir(settings) if _is_of_cookie(name)}
        default = {name: getattr(global_settings, name, None) for name in asked}
        transport = transport_of(asked, default)
        if _age_setting() is None or settings.SESSION_EXPIRE_AT_BROWSER_CLOSE:
            return transport
        return replace(transport, max_age=timedelta(seconds=self.kept_for))

    def require_async(self, *, is_async: bool) -> None:
        """Refuse asyncio's sessions where no event loop serves.

        Raises:
            ConfigurationError: that is the case.
        """
        if self._kind is Kind.ASYNCIO and not is_async:
            raise ConfigurationError(
                'COATCHECK["sessions"]',
                "is for asyncio: serve the site by ASGI, with middleware that is all capable of "
                "it, or give BlockingSessions",
            )

    def run(self, coroutine: Coroutine[Any, Any, T], *, is_load: bool = False) -> T:
        """Run a coroutine for a caller that does not await.

        Args:
            is_load: whether nothing is written, so that it may as well be done in an event loop by
                a store that hardly ever waits.

        Raises:
            SynchronousOnlyOperation: it would hold up an event loop.
        """
        if running_loop() is not None and not (is_load and self._kind is Kind.EITHER):
            coroutine.close()
            raise SynchronousOnlyOperation(
                "the session cannot be loaded or saved here without await: use its methods that "
                "begin with a (aget, aset, asave ...), or `await asession_of(request)` first"
            )
        if self._kind is Kind.ASYNCIO:
            return async_to_sync(_awaited)(coroutine)  # in the loop that waits for this thread
        return finish(coroutine)

    async def arun(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine for one that awaits: in a thread, if the store would hold the loop up."""
        if self._kind is Kind.BLOCKING:
            return await sync_to_async(finish)(coroutine)
        return await coroutine


@cache
def current() -> Site:
    """Return the site of Django's settings."""
    return Site(getattr(settings, "COATCHECK", None))


def _forget(*, setting: str, **_: object) -> None:
    if setting == "COATCHECK" or setting.startswith("SESSION_"):
        current.cache_clear()


setting_changed.connect(_forget)


async def _awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    return await coroutine


def _checked(options: object) -> Mapping[str, Any]:
    if not isinstance(options, dict):
        raise ConfigurationError(
            "COATCHECK", 'is to be a dict, such as {"store": "redis://localhost"}'
        )
    options = cast("dict[str, Any]", options)
    if unknown := options.keys() - set(_KNOWN):
        raise ConfigurationError("COATCHECK", f"{min(unknown)!r} is none of {', '.join(_KNOWN)}")
    if ("store" in options) == ("sessions" in options):
        raise ConfigurationError("COATCHECK", "needs a store or sessions, one of the two")
    if "sessions" in options:
        for name in options.keys() & set(_OF_SESSIONS):
            raise ConfigurationError(f'COATCHECK["{name}"]', "is for the sessions to say, not here")
    return options


def _sessions(options: Mapping[str, Any]) -> BlockingSessions | Sessions:
    if "store" in options:
        try:
            return _made(options)
        except ConfigurationError as error:
            raise _named(error) from error
    given = options["sessions"]
    if isinstance(given, str):
        try:
            given = import_string(given)
        except ImportError as error:
            raise ConfigurationError('COATCHECK["sessions"]', str(error)) from error
    if not isinstance(given, BlockingSessions | Sessions):
        raise ConfigurationError('COATCHECK["sessions"]', f"{given!r} is no BlockingSessions")
    return given


def _made(options: Mapping[str, Any]) -> BlockingSessions:
    arguments = {name: options[name] for name in _OF_SESSIONS if name in options}
    if "policy" not in arguments:
        arguments["policy"] = _default_policy()
    store = options["store"]
    if isinstance(store, str):
        store = store_from_url(store, blocking=True)
    return BlockingSessions(store, **arguments)


def _default_policy() -> Policy:
    """Return what Django's settings ask for, where no policy does."""
    share = 0.0 if settings.SESSION_SAVE_EVERY_REQUEST else Policy().touch_share
    if (age := _age_setting()) is None:
        return Policy(touch_share=share)
    idle = timedelta(seconds=age)
    return Policy(idle=idle, absolute=max(idle, Policy().absolute), touch_share=share)


def _age(policy: Policy) -> int | None:
    """Return the age that the settings ask for, if it is below the policy's idle time."""
    age = _age_setting()
    if age is not None and age > policy.idle.total_seconds():
        raise ConfigurationError("SESSION_COOKIE_AGE", "is longer than Policy.idle")
    return None if age == policy.idle.total_seconds() else age


def _age_setting() -> int | None:
    age = settings.SESSION_COOKIE_AGE
    if age == global_settings.SESSION_COOKIE_AGE:
        return None
    if type(age) is not int or age < 1:
        raise ConfigurationError("SESSION_COOKIE_AGE", f"{age!r} is no number of seconds")
    return age


def _named(error: ConfigurationError) -> ConfigurationError:
    """Return an error of a part of the setting as one that names all of it."""
    name = "store" if error.setting == "url" else error.setting
    return error.about(f'COATCHECK["{name}"]')


def _is_of_cookie(name: str) -> bool:
    return name.startswith("SESSION_COOKIE_")
