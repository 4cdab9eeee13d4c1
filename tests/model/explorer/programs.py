"""The programs: requests that meet, and the scenes they meet in."""

from collections.abc import Iterator
from itertools import combinations_with_replacement, product

from tests.model.explorer.request import Request
from tests.model.explorer.world import Program

STARTS = ("nobody", "visitor", "u1")
BROWSER = (
    "read",
    "edit",
    "count",
    "step_up",
    "sign_in u1",
    "sign_in u2",
    "end",
    "empty",
    "edit, sign_in u1",
    "sign_in u1, edit",
    "end, sign_in u1",
    "end_all u1, sign_in u1",
    "end_all u1, rotate",
)
MORE = (
    "nested",
    "rotate",
    "edit, rotate",
    "edit, sign_in u2",
    "sign_in u2, edit",
    "end, edit",
    "sign_in u1, step_up",
    "sign_in u1, end",
    "sign_in u1, end_all u1",
)
RENEWING = ("read", "edit", "step_up", "end")
CORE = ("edit", "count", "step_up", "sign_in u1", "sign_in u2", "end")
ATTACKER = ("edit", "count", "step_up", "rotate", "sign_in u2", "end", "empty")
STAFF = ("end_all u1", "end_all u2", "revoke", "list u1")


def named(who: str, steps: tuple[str, ...]) -> list[str]:
    return [f"{who}: {each}" for each in steps]


def pairs(start: str, browser: tuple[str, ...] = BROWSER) -> Iterator[tuple[str, ...]]:
    """Every two requests of which at least one is the browser's."""
    mine = named("browser", browser)
    yield from combinations_with_replacement(mine, 2)
    staff = STAFF if start != "nobody" else tuple(s for s in STAFF if s != "revoke")
    yield from product(mine, named("staff", staff))
    if start != "nobody":
        yield from product(mine, named("attacker", ATTACKER))


def triples(start: str, browser: tuple[str, ...] = CORE) -> Iterator[tuple[str, ...]]:
    """Every two requests of the browser, and a third of anybody."""
    mine = named("browser", browser)
    others = mine + named("staff", ("end_all u1",))
    if start != "nobody":
        others += named("staff", ("revoke",))
        others += named("attacker", ("edit", "step_up", "sign_in u2", "end"))
    for two in combinations_with_replacement(mine, 2):
        for third in others:
            if third not in mine or mine.index(third) >= mine.index(two[1]):
                yield (*two, third)


def program(texts: tuple[str, ...], servers: int) -> Program:
    """Return the program, with the requests dealt out to the servers in turn."""
    return tuple(Request.of(text, number % servers) for number, text in enumerate(texts))
