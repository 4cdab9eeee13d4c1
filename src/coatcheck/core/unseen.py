"""A session that nobody has looked at yet.

The first look, of whatever kind, turns it into an ordinary `Session` (so that from then on nothing
is intercepted), or raises why it could not be loaded. One can tell afterwards (`state.is_seen`): a
response depends on the session, and a commit has to look for changes, only if somebody looked.
"""

from typing import Any, ClassVar

from coatcheck.core.session import Session
from coatcheck.core.state import State


class Unseen(Session):
    """Every method and attribute is a look; `in`, `len`, `bool`, `==` and iteration are too.

    Its data is put away in the state, so that nothing can see it before.

    The library's `state` is none. Nor is `repr`, which shows nothing, so that a log of the scope
    changes no response. `__class__` is one: `json.dumps` asks for nothing else of an empty dict.

    Attributes:
        seen: what the first look turns it into; a framework may ask for more than a `Session`.
    """

    __slots__ = ()
    seen: ClassVar[type[Session]] = Session

    def __init__(self, state: State) -> None:
        self.state = state
        state.is_seen, state.unseen = False, {}

    def __getattribute__(self, name: str) -> Any:
        if name == "state":
            return dict.__getattribute__(self, name)  # pyright: ignore[reportUnknownMemberType]
        look(self)
        return getattr(self, name)

    def __repr__(self) -> str:
        return "<Session not looked at>"


def look(session: Session) -> Session:
    """Return `session`, looked at.

    Raises:
        StoreUnavailable: it could not be loaded.
        RuntimeError: the response has started, without saying that it depends on the session, and
            goes on.
    """
    state = session.state
    if state.unseen is None:
        return session
    if state.is_late and not state.is_sent:
        raise RuntimeError(
            "the session is looked at for the first time after the response started, which may be "
            "cached by now: look at it before, as in `session = request.session; len(session)`"
        )
    state.is_seen = True
    if state.failure is not None:
        raise state.failure
    dict[str, Any].update(session, state.unseen)
    kind = type(session)
    session.__class__ = kind.seen if issubclass(kind, Unseen) else kind
    state.unseen = None
    return session


def look_away(session: Session, kind: type[Session]) -> None:
    """Make a session what it was before a look that no response can say; what was put in is lost.

    Args:
        kind: what it was, an `Unseen`.
    """
    state = session.state
    state.unseen, state.is_seen = dict(session), False
    dict[str, Any].clear(session)
    session.__class__ = kind


def _watch(name: str) -> None:
    """Make a special method a look; Python does not ask `__getattribute__` for those."""

    def looked_at(self: Session, *arguments: Any) -> Any:
        look(self)
        return getattr(type(self), name)(self, *arguments)

    setattr(Unseen, name, looked_at)


for _name in (
    "__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__", "__len__",
    "__reversed__", "__eq__", "__ne__", "__lt__", "__or__", "__ror__", "__ior__", "__format__",
    "__reduce_ex__",
):  # fmt: skip
    _watch(_name)
