"""A session that nobody has looked at yet.

The first look, of whatever kind, turns it into an ordinary `Session` (so that from then on nothing
is intercepted), or raises why it could not be loaded. The adapter can tell afterwards
(`state.is_seen`): a response depends on the session only if somebody looked.
"""

from typing import Any

from coatcheck.core.session import Session


class Unseen(Session):
    """Every method and attribute is a look; `in`, `len`, `bool`, `==` and iteration are too.

    The library's `state` is none. Nor is `repr`, which shows nothing, so that a log of the scope
    changes no response. `__class__` is one: `json.dumps` asks for nothing else of an empty dict.
    """

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name == "state":
            return super().__getattribute__(name)
        _look(self)
        return getattr(self, name)

    def __repr__(self) -> str:
        return "<Session not looked at>"


def unseen(session: Session) -> Session:
    """Return `session` itself, not looked at."""
    session.state.is_seen = False
    session.__class__ = Unseen
    return session


def _look(session: Session) -> None:
    state = session.state
    state.is_seen = True
    if state.failure is not None:
        raise state.failure
    session.__class__ = Session


def _watch(name: str) -> None:
    """Make a special method a look; Python does not ask `__getattribute__` for those."""

    def looked_at(self: Session, *arguments: Any) -> Any:
        _look(self)
        return getattr(Session, name)(self, *arguments)

    setattr(Unseen, name, looked_at)


for _name in (
    "__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__len__",
    "__reversed__", "__eq__", "__ne__", "__lt__", "__or__", "__ror__", "__ior__", "__format__",
    "__reduce_ex__",
):  # fmt: skip
    _watch(_name)
