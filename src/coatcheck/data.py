"""A session's keys as typed attributes.

A view holds no data of its own: what is read, set and deleted is the dict's. The annotations are
for type checkers alone.
"""

import sys
from collections.abc import Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from coatcheck.core.state import State

T = TypeVar("T")


class SessionData:
    """The keys that an application keeps in its sessions, with their types and defaults.

        class Shop(SessionData):
            language: str = "en"
            cart: dict[str, int] = default(dict[str, int])
            nickname: str

        shop = Shop(request.session)
        shop.cart["hat"] = 1  # session["cart"] == {"hat": 1}

    A key that is missing is read as its default, and without one raises `AttributeError`. What is
    only read is not stored. `del` removes the key. Values are not checked while the program runs:
    what an older version of the application stored comes back as it is.

    Any dict will do, so that it works inside `Session.edit` as well; Flask's proxy too, once for
    all requests.

    Raises:
        TypeError: a default can be changed in place, and all sessions would share it.
    """

    __slots__ = ("_session",)

    def __init__(self, session: MutableMapping[str, Any]) -> None:
        self._session = session

    def __init_subclass__(cls) -> None:
        """Turn what is annotated, and the new defaults of what was, into keys."""
        inherited = [name for name in vars(cls) if _is_key(getattr(super(cls, cls), name, None))]
        for name in dict.fromkeys([*_annotated(cls), *inherited]):
            setattr(cls, name, _Key(name, vars(cls).get(name, _MISSING)))

    if not TYPE_CHECKING:  # a type checker would take it for leave to set anything

        def __setattr__(self, name: str, value: object) -> None:
            if not hasattr(type(self), name):
                raise AttributeError(f"{type(self).__name__} has no key {name!r}")
            super().__setattr__(name, value)


class _Made:
    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


def default(make: Callable[[], T]) -> T:
    """Let a key that is missing be read as `make()`, which is stored once it is changed in place.

    For lists, dicts and sets: `default(dict[str, int])`, `default(lambda: ["en"])`.
    """
    return cast("T", _Made(make))


_MISSING = object()


class _Key:
    """The descriptor of one key."""

    def __init__(self, name: str, default: object) -> None:
        if default is not _MISSING and type(default).__hash__ is None:
            raise TypeError(f"all sessions would share the default of {name!r}: use default(...)")
        self._name, self._default = name, default

    def __get__(self, view: SessionData | None, owner: type[SessionData]) -> Any:
        if view is None:
            return self
        session, name = view._session, self._name  # pyright: ignore[reportPrivateUsage] # one file
        try:
            return session[name]
        except KeyError:
            if self._default is _MISSING:
                raise AttributeError(f"the session has no {name!r}") from None
        if not isinstance(self._default, _Made):
            return self._default
        return _put(session, name, self._default.make())

    def __set__(self, view: SessionData, value: object) -> None:
        session = view._session  # pyright: ignore[reportPrivateUsage] # one file
        session[self._name] = value
        if (state := _state(session)) is not None and state.lent is not None:
            state.lent.pop(self._name, None)  # it is no default any more, even if it is the same

    def __delete__(self, view: SessionData) -> None:
        view._session.pop(self._name, None)  # pyright: ignore[reportPrivateUsage] # one file


def _put(session: MutableMapping[str, Any], name: str, value: object) -> object:
    """Put a default into the data, as it may be changed there."""
    if (state := _state(session)) is None:
        session[name] = value  # a dict inside `edit`, which is run again on another
    else:
        state.lend(session, name, value)
    return value


def _state(session: object) -> State | None:
    state = getattr(session, "state", None)
    return state if isinstance(state, State) else None


def _is_key(attribute: object) -> bool:
    return isinstance(attribute, _Key)


def _annotated(cls: type) -> Iterable[str]:
    """Return the names a class annotates, but those it keeps to itself."""
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations  # noqa: PLC0415 - new in 3.14

        annotations = get_annotations(cls, format=Format.STRING)  # whatever can be resolved by now
    else:
        annotations = vars(cls).get("__annotations__", {})
    return [name for name, kind in annotations.items() if "ClassVar" not in _outermost(kind)]


def _outermost(kind: object) -> str:
    """Return `typing.ClassVar` of `ClassVar[int]`, whether it was written as text or not."""
    return (kind if isinstance(kind, str) else repr(kind)).partition("[")[0]
