"""Every order in which two requests can happen, call by call, on one server and on two.

What is checked, and what the letters mean: explorer/ledger.py, outcomes.py and endings.py. `make
model` goes on with three requests, with faults, and with SQLite: long_explorer.py.
"""

from collections.abc import Iterable
from unittest.mock import patch

import pytest

from coatcheck import AtLimit, Policy
from coatcheck.core.verdict import Verdict
from coatcheck.waiting import Kind
from tests.model.explorer.programs import BROWSER, RENEWING, STARTS, pairs, program
from tests.model.explorer.search import Explorer, Found
from tests.model.explorer.world import FAULTS, Scene

# How many servers there are, and how their store waits.
SETTINGS = {
    "two servers": (2, Kind.ASYNCIO),
    "one server": (1, Kind.ASYNCIO),
    "one server, a store that seldom waits": (1, Kind.EITHER),
}
on_servers = pytest.mark.parametrize(("servers", "kind"), SETTINGS.values(), ids=SETTINGS)
SECONDS_AGO = 1_000
MINUTES_AGO = 60_000


def explored(
    explorer: Explorer, programs: Iterable[tuple[str, ...]], scene: Scene, servers: int
) -> Found:
    """Explore all programs, and say how much that was."""
    found = Found()
    for texts in programs:
        explorer.explore(program(texts, servers), scene, found)
    print(f"{scene.start}, {servers} servers: {found}")
    return found


# How many endings there are at least, just below what is found: fewer, and something is not
# explored any more.
ENDINGS = {"nobody": 375, "visitor": 1_400, "u1": 1_750}
ENDINGS_OF_RENEWALS = {"visitor": 240, "u1": 360, "u1, stolen": 175}


@pytest.mark.parametrize("start", STARTS)
def test_no_two_requests_break_anything(explorer: Explorer, start: str) -> None:
    found = explored(explorer, pairs(start, BROWSER), Scene(start, tick=0), servers=1)
    assert not found.violations, explorer.tell(found)
    assert found.endings > ENDINGS[start]


@pytest.mark.parametrize("start", ENDINGS_OF_RENEWALS)
def test_no_two_requests_break_anything_when_a_renewal_is_due(
    explorer: Explorer, start: str
) -> None:
    scene = Scene(start, tick=0, age=20 * MINUTES_AGO)
    found = explored(explorer, pairs(start, RENEWING), scene, servers=2)
    assert not found.violations, explorer.tell(found)
    assert found.endings > ENDINGS_OF_RENEWALS[start]


# What meets, whether something goes wrong once, and how long ago the session was last used.
NO_FAULT = frozenset[str]()
UNANSWERED = frozenset({"lose call", "lose answer of call"})
BROKEN_OFF = frozenset({"cancel", "cancel late", "crash"})
MEETINGS: dict[str, tuple[str, tuple[str, ...], frozenset[str], int]] = {
    "end, end": ("u1", ("browser: end", "browser: end"), NO_FAULT, 0),
    "end, step_up": ("u1", ("browser: end", "browser: step_up"), NO_FAULT, 0),
    "step_up, rotate": ("u1", ("browser: step_up", "browser: rotate"), NO_FAULT, 0),
    "first edit, sign_in": ("nobody", ("browser: edit", "browser: sign_in u1"), NO_FAULT, 0),
    "sign_in, end_all": ("nobody", ("browser: sign_in u1", "staff: end_all u1"), NO_FAULT, 0),
    "sign_in, end_everything": (
        "visitor",
        ("browser: sign_in u1", "staff: end_everything"),
        NO_FAULT,
        0,
    ),
    "sign_in, edit": ("visitor", ("browser: sign_in u1", "browser: count"), NO_FAULT, 0),
    "sign_in, crash": ("visitor", ("browser: sign_in u1",), BROKEN_OFF, 0),
    "end_all, crash, end_all": ("u1", ("staff: end_all u1", "staff: end_all u1"), BROKEN_OFF, 0),
    "count, count, no answer": ("u1", ("browser: count", "browser: count"), UNANSWERED, 0),
    "count, cancelled count": ("u1", ("browser: count", "browser: count"), BROKEN_OFF, 0),
    "step_up, old token": ("u1", ("browser: step_up", "attacker: edit"), NO_FAULT, 0),
    "reads, edit": (
        "u1",
        ("browser: read", "browser: edit", "browser: read"),
        NO_FAULT,
        5 * MINUTES_AGO,
    ),
    "read, touch lost": ("u1", ("browser: read",), UNANSWERED, 5 * MINUTES_AGO),
    "read, end, touch lost": ("u1", ("browser: read", "browser: end"), FAULTS, 5 * MINUTES_AGO),
    "edit near the end": (
        "u1",
        ("browser: edit", "browser: read"),
        UNANSWERED,
        30 * MINUTES_AGO - SECONDS_AGO,
    ),
}


@pytest.mark.parametrize(("start", "texts", "faults", "age"), MEETINGS.values(), ids=MEETINGS)
@on_servers
def test_a_meeting(
    explorer: Explorer,
    start: str,
    texts: tuple[str, ...],
    faults: frozenset[str],
    age: int,
    servers: int,
    kind: Kind,
) -> None:
    scene = Scene(start, age=age, faults=faults, kind=kind)
    found = explored(explorer, [texts], scene, servers)
    assert not found.violations, explorer.tell(found)


# What signs in where only so many sessions of a user may be.
SIGN_INS: dict[str, tuple[str, tuple[str, ...], int, frozenset[str]]] = {
    "two from nobody": ("nobody", ("browser: sign_in u1",) * 2, 1, NO_FAULT),
    "two from a visitor": ("visitor", ("browser: sign_in u1",) * 2, 1, NO_FAULT),
    "two again": ("u1", ("browser: sign_in u1",) * 2, 1, NO_FAULT),
    "three": ("nobody", ("browser: sign_in u1",) * 3, 2, NO_FAULT),
    "beside a thief": ("u1", ("browser: sign_in u1", "attacker: sign_in u1"), 1, NO_FAULT),
    "beside an end": ("u1", ("browser: sign_in u1", "attacker: end"), 1, NO_FAULT),
    "from u1 and to it": ("u1", ("browser: sign_in u2", "attacker: sign_in u1"), 1, NO_FAULT),
    "after the end of all": (
        "u1",
        ("browser: end_all u1, sign_in u1", "attacker: step_up"),
        1,
        NO_FAULT,
    ),
    "no answer": ("nobody", ("browser: sign_in u1",) * 2, 1, UNANSWERED),
    "broken off": ("visitor", ("browser: sign_in u1",) * 2, 1, BROKEN_OFF),
}


@pytest.mark.parametrize("at_limit", AtLimit)
@pytest.mark.parametrize(("start", "texts", "limit", "faults"), SIGN_INS.values(), ids=SIGN_INS)
def test_a_limit_holds(
    explorer: Explorer,
    start: str,
    texts: tuple[str, ...],
    limit: int,
    faults: frozenset[str],
    at_limit: AtLimit,
) -> None:
    """G4: whoever signs in at the same moment, and whatever goes wrong."""
    policy = Policy(max_sessions=limit, at_limit=at_limit)
    scene = Scene(start, tick=0, faults=faults, policy=policy)
    found = explored(explorer, [texts], scene, servers=2)
    assert not found.violations, explorer.tell(found)


TRIPLES = [
    ("u1", ("browser: count", "browser: step_up", "browser: count")),
    ("u1", ("browser: count", "browser: count", "attacker: step_up")),
    ("u1", ("browser: sign_in u1", "browser: step_up", "browser: end")),
    ("u1", ("browser: edit", "browser: end", "staff: end_all u1")),
    ("visitor", ("browser: edit", "browser: sign_in u1", "browser: sign_in u2")),
]


@pytest.mark.parametrize(("start", "texts"), TRIPLES)
@on_servers
def test_three_requests(
    explorer: Explorer, start: str, texts: tuple[str, ...], servers: int, kind: Kind
) -> None:
    """On one server two of them can wait for the first, and join."""
    found = explored(explorer, [texts], Scene(start, tick=0, kind=kind), servers)
    assert not found.violations, explorer.tell(found)


def test_it_finds_what_is_wrong_and_tells_how(explorer: Explorer) -> None:
    """A library without S2: an edit is merged across a privilege change."""
    texts = ("browser: edit", "browser: step_up")
    with patch("coatcheck.core.change.decide", return_value=Verdict.APPLY):
        found = explored(explorer, [texts], Scene(), servers=2)
        told = explorer.tell(found)
    assert "[b] an edit crossed a privilege change" in found.violations
    assert "1 let: save A2 v2 of u1 over v1 -> None" in told
    assert "0 let: save A2 v3 of u1 over v2 -> None" in told


def test_the_same_events_lead_to_the_same_world(explorer: Explorer) -> None:
    """What exploring by doing it all again rests on."""
    steps = program(("browser: sign_in u1", "browser: edit, step_up", "staff: end_all u1"), 2)
    keys: list[list[object]] = []
    for _ in range(2):
        world = explorer.run(steps, Scene("visitor"), ())
        keys.append([])
        while events := world.events():
            world.do(events[len(events) // 2])
            keys[-1].append(world.key())
        world.dispose()
    assert keys[0] == keys[1]
    assert len(set(map(hash, keys[0]))) == len(keys[0])
