"""Tell what is open here of forks: a child has what its parent has open, and must not touch it."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def _nothing(_: object) -> None:
    pass


def tell_of_forks(
    each: T,
    *,
    before: Callable[[T], None] = _nothing,
    in_parent: Callable[[T], None] = _nothing,
    in_child: Callable[[T], None] = _nothing,
) -> None:
    """Call these with `each` around every fork from now on, as long as it is there.

    Args:
        before: in the thread that forks, which waits for it.
        in_parent, in_child: what follows.
    """
    _watching[each] = before, in_parent, in_child


_watching = WeakKeyDictionary[Any, tuple[Callable[[Any], None], ...]]()
_told: list[Any] = []


def _before() -> None:
    for reference in _watching.keyrefs():
        if (each := reference()) is not None:
            _watching[each][0](each)
            _told.append(each)  # only now: another thread may be forking, and be waited for


def _after(place: int) -> None:
    while _told:
        each = _told.pop()
        _watching[each][place](each)


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(
        before=_before, after_in_parent=partial(_after, 1), after_in_child=partial(_after, 2)
    )
