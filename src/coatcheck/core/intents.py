"""What a request can want of its session: privilege changes, and edits of the data."""

from collections.abc import Callable
from typing import NamedTuple

from coatcheck.core.merge import Data

LIBRARY_KEYS = "coatcheck:"
"""Prefix of keys the library keeps among the data."""

_OF_FORMS = ("_csrftoken", "csrf_token")


def moves(key: str) -> bool:
    """Tell whether a visitor's value goes along to the one who signs in (P5).

    The library's own does not, nor what Django and Flask-WTF check forms by: who could plant the
    visitor's session knows it.
    """
    return not key.startswith(LIBRARY_KEYS) and key not in _OF_FORMS


def moving(data: Data) -> Data:
    """Return the data without what does not move."""
    return {key: value for key, value in data.items() if moves(key)}


class Login(NamedTuple):
    """An authentication of before that a session goes on with; milliseconds UTC."""

    authenticated_at: int
    ends_at: int


class SignIn(NamedTuple):
    """The request proved who its user is; or goes on with what an earlier one proved.

    Attributes:
        login: what it goes on with.
    """

    subject: str
    assurance: int
    login: Login | None = None


class StepUp(NamedTuple):
    """The signed-in user proved more."""

    assurance: int


class Rotate(NamedTuple):
    """The user's privileges changed in another way."""


Privilege = SignIn | StepUp | Rotate | None
"""A privilege change: each starts a new lineage, which retires every older token at once (P1)."""


class Difference(NamedTuple):
    """Plain edits of the dict: the encoded data before and after them."""

    before: bytes
    after: bytes

    def __repr__(self) -> str:
        return f"<Difference of {len(self.before)} to {len(self.after)} bytes>"


Edit = Callable[[Data], object]
Step = Difference | Edit
"""Something done to the data, that can be done again to other data."""
