"""What the requests of the shop do."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from coatcheck import Session, Sessions

Action = Callable[[Sessions, Session, list[str]], Awaitable[object]]


async def act(sessions: Sessions, session: Session, path: str) -> bytes:
    """Do what a path says, such as `/add/apple`, and return the body of the answer."""
    _, name, *words = path.split("/")
    return json.dumps(await ACTIONS[name](sessions, session, words)).encode()


async def login(_: Sessions, session: Session, words: list[str]) -> None:
    session.sign_in(words[0])


async def logout(_: Sessions, session: Session, words: list[str]) -> None:
    session.end()


async def step_up(_: Sessions, session: Session, words: list[str]) -> None:
    session.step_up(2)


async def rotate(_: Sessions, session: Session, words: list[str]) -> None:
    session.privilege_changed()


async def add(_: Sessions, session: Session, words: list[str]) -> None:
    """Put something into the cart: a nested value of its own."""
    session.setdefault("cart", {})[words[0]] = 1


async def put(_: Sessions, session: Session, words: list[str]) -> None:
    """Set a key of its own."""
    session[words[0]] = 1


async def count(_: Sessions, session: Session, words: list[str]) -> None:
    session.edit(increment)


async def read(_: Sessions, session: Session, words: list[str]) -> Mapping[str, object]:
    return {"subject": session.subject, "data": dict(session)}


async def ping(_: Sessions, session: Session, words: list[str]) -> str:
    """Never look at the session."""
    return "pong"


async def login_alone(sessions: Sessions, session: Session, words: list[str]) -> None:
    """End all sessions of the user, and then sign in."""
    await sessions.end_all(words[0], keep=session)
    session.sign_in(words[0])


ACTIONS: Mapping[str, Action] = {
    action.__name__.replace("_", "-"): action
    for action in (login, logout, step_up, rotate, add, put, count, read, ping, login_alone)
}


def increment(data: dict[str, Any]) -> None:
    data["count"] = data.get("count", 0) + 1
