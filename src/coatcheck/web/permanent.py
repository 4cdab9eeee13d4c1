"""Sessions as Flask and Quart know them, which have the same attributes and settings."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from coatcheck.core.session import Session
from coatcheck.core.unseen import Unseen
from coatcheck.errors import ConfigurationError

PERMANENT = "_permanent"
"""The key that says so among the data."""

_LIFETIME = "PERMANENT_SESSION_LIFETIME"


class PermanentSession(Session):
    """A session that a browser may keep. What changed is found out; nothing has to be said."""

    __slots__ = ()

    @property
    def permanent(self) -> bool:
        """Whether the browser keeps the cookie when it is closed."""
        return bool(self.get(PERMANENT))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value or PERMANENT in self:  # taken out, it might leave the session empty: an end
            self[PERMANENT] = bool(value)

    @property
    def new(self) -> bool:
        """Whether nothing is stored yet."""
        return self.state.base is None

    @property
    def modified(self) -> bool:
        """Whether there is anything to save. May be set, to no effect: nested changes are seen."""
        return self.state.is_unsaved(self)

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    @property
    def accessed(self) -> bool:
        """Whether anybody looked at it. Setting it is no look: frameworks do so for their ends."""
        return self.state.is_seen

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass


class UnseenPermanent(Unseen):
    """Nobody has looked at one yet. Whether that is so may be asked, which is no look either."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name == "accessed" and self.state.unseen is not None:
            return False  # to everybody, so that the answer depends on nothing that is stored
        return super().__getattribute__(name)


def lifetime(settings: Mapping[str, Any], defaults: Mapping[str, Any], absolute: timedelta) -> int:
    """Return for how many seconds a browser keeps a permanent session's cookie.

    As long as the session may live, unless the setting differs from the framework's default.

    Raises:
        ConfigurationError: the setting is longer than that, or no time at all.
    """
    asked = settings.get(_LIFETIME)
    if asked is None or asked == defaults[_LIFETIME]:
        return int(absolute.total_seconds())
    try:
        kept_for = asked if isinstance(asked, timedelta) else timedelta(seconds=asked)
    except (TypeError, OverflowError):
        raise ConfigurationError(_LIFETIME, f"{asked!r} is no timedelta, nor seconds") from None
    if kept_for < timedelta(seconds=1):
        raise ConfigurationError(_LIFETIME, "is below a second")
    if kept_for > absolute:
        raise ConfigurationError(_LIFETIME, "is longer than Policy.absolute: set that as well")
    return int(kept_for.total_seconds())


def follow(session: Session, seconds: int) -> None:
    """Have a token of this request kept as long as the session says.

    A token that the browser has already stays as it is: a new one would retire it, and with it the
    requests that are under way.
    """
    state = session.state
    if session.subject is None and state.kept(session).keys() == {PERMANENT}:
        dict[str, Any].clear(session)  # it is worth no session of a visitor
    if session.get(PERMANENT):
        state.kept_for = seconds


def stored(session: Session, key: str) -> object:
    """Return what the session held when it was opened."""
    state = session.state
    if key.encode() not in state.content:
        return None
    return state.settings.codec.decode(state.content).get(key)
