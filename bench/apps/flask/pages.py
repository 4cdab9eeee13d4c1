"""The requests that are measured, written once for all applications that are Flask's."""

import time
from collections.abc import Callable

from flask import Flask, Response, jsonify, session

from bench import data


def increase() -> None:
    """Count as any application would, by an assignment."""
    session["n"] = session.get("n", 0) + 1


def no_login(user: str) -> None:
    """The user is in the data already; only coatcheck has a login of its own."""


def read() -> str:
    return str(session["preferences"]["currency"])


def write() -> str:
    increase()
    return "written"


def anonymous() -> str:
    return "somebody" if "user" in session else "nobody"


def counter() -> str:
    return str(session["n"])


def empty() -> str:
    session["survivors"], session["n"] = {}, 0
    return "started"


def add(item: str) -> str:
    cart = session["survivors"]
    time.sleep(0.005)
    cart[item] = 1
    session["survivors"] = cart  # Flask's own would not notice a nested change
    return "added"


def cart() -> Response:
    return jsonify(sorted(session["survivors"]))


def application(
    *,
    increase_exactly: Callable[[], None] = increase,
    login: Callable[[str], None] = no_login,
) -> Flask:
    """Return the application.

    Args:
        increase_exactly: counts when requests meet, if the library has a way to.
        login: tells the library who the session belongs to, if it wants to know.
    """

    def fill(number: int) -> str:
        content = data.session(number)
        session.update(content)
        login(content["user"])
        return "filled"

    def count() -> str:
        _ = session["n"]
        time.sleep(0.005)
        increase_exactly()
        return "counted"

    app = Flask("bench")
    for view in (read, write, anonymous, counter, empty, cart, count):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    app.add_url_rule("/fill/<int:number>", view_func=fill)
    app.add_url_rule("/add/<item>", view_func=add)
    return app
