"""A session that nobody has looked at yet.

The first look, of whatever kind, turns it into an ordinary `Session` (so that from then on nothing
is intercepted), or raises why it could not be loaded. The adapter can tell afterwards: a response
depends on the session only if somebody looked.
"""

from typing import Any

from coatcheck.core.session import Session


class Unseen(Session):
    """Every method and attribute is a look; `in`, `len`, `bool`, `==` and iteration are too."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name == "intents":  # the bookkeeping, not the session
            return super().__getattribute__(name)
        _look(self)
        return getattr(self, name)


def unseen(session: Session) -> Session:
    """Return `session` itself, not looked at."""
    session.__class__ = Unseen
    return session


def is_seen(session: Session) -> bool:
    """Tell whether anybody looked, without looking."""
    return type(session) is not Unseen


def _look(session: Session) -> None:
    if (failure := session.intents.failure) is not None:
        raise failure
    object.__setattr__(session, "__class__", Session)


def _watch(name: str) -> None:
    """Make a special method a look; Python does not ask `__getattribute__` for those."""

    def looked_at(self: Session, *arguments: Any) -> Any:
        _look(self)
        return getattr(Session, name)(self, *arguments)

    setattr(Unseen, name, looked_at)


for _name in (
    "__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__len__",
    "__reversed__", "__eq__", "__ne__", "__lt__", "__or__", "__ror__", "__ior__", "__repr__",
    "__str__", "__format__", "__reduce_ex__",
):  # fmt: skip
    _watch(_name)
