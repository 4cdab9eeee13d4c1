"""What the explorer has no time for in `make test`; `make model` runs it.

Two requests that do more, in a time that passes, with faults, and over SQLite; three requests.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from coatcheck import AtLimit, Policy
from tests.model.explorer.chance import predictable
from tests.model.explorer.loop import SteppedLoop
from tests.model.explorer.programs import BROWSER, CORE, MORE, RENEWING, STARTS, pairs, triples
from tests.model.explorer.search import Explorer
from tests.model.explorer.store import ObservedSQLite
from tests.model.explorer.world import Scene
from tests.model.test_explorer import BROKEN_OFF, MINUTES_AGO, UNANSWERED, explored

SIGN_INS = ("edit", "step_up", "sign_in u1", "sign_in u2", "end", "edit, sign_in u1")


@pytest.fixture
def sqlite(tmp_path: Path) -> Generator[Explorer]:
    """Explores over a file of SQLite."""
    loop, store = SteppedLoop(), ObservedSQLite(tmp_path / "sessions.db")
    with predictable() as chance:
        yield Explorer(chance, loop, store)
    loop.run_until_complete(store.close())
    loop.close()


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("start", STARTS)
def test_two_requests_that_do_more(explorer: Explorer, start: str, servers: int) -> None:
    found = explored(explorer, pairs(start, BROWSER + MORE), Scene(start, tick=0), servers)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize("start", STARTS)
def test_two_requests_in_a_time_that_passes(explorer: Explorer, start: str) -> None:
    """What an end of all reaches depends on when a request was opened."""
    found = explored(explorer, pairs(start, BROWSER), Scene(start, tick=1), servers=2)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("start", ["visitor", "u1", "u1, stolen"])
def test_two_requests_when_a_renewal_is_due(explorer: Explorer, start: str, servers: int) -> None:
    scene = Scene(start, tick=0, age=20 * MINUTES_AGO)
    found = explored(explorer, pairs(start, BROWSER), scene, servers)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize("faults", [UNANSWERED | {"lose"}, BROKEN_OFF], ids=["unheard", "broken"])
@pytest.mark.parametrize("start", ["visitor", "u1"])
def test_a_renewal_and_a_fault(explorer: Explorer, start: str, faults: frozenset[str]) -> None:
    scene = Scene(start, tick=0, age=20 * MINUTES_AGO, faults=faults)
    found = explored(explorer, pairs(start, RENEWING), scene, servers=2)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("faults", [UNANSWERED | {"lose"}, BROKEN_OFF], ids=["unheard", "broken"])
@pytest.mark.parametrize("start", STARTS)
def test_two_requests_and_a_fault(
    explorer: Explorer, start: str, faults: frozenset[str], servers: int
) -> None:
    scene = Scene(start, tick=0, faults=faults)
    found = explored(explorer, pairs(start, SIGN_INS), scene, servers)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize(
    "faults", [frozenset[str](), UNANSWERED, BROKEN_OFF], ids=["none", "unheard", "broken"]
)
@pytest.mark.parametrize("at_limit", AtLimit)
@pytest.mark.parametrize("start", STARTS)
def test_two_requests_under_a_limit(
    explorer: Explorer, start: str, at_limit: AtLimit, faults: frozenset[str]
) -> None:
    """Each user may have one session."""
    policy = Policy(max_sessions=1, at_limit=at_limit)
    scene = Scene(start, tick=0, faults=faults, policy=policy)
    found = explored(explorer, pairs(start, SIGN_INS), scene, servers=2)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize("at_limit", AtLimit)
@pytest.mark.parametrize("start", STARTS)
def test_three_requests_under_a_limit(explorer: Explorer, start: str, at_limit: AtLimit) -> None:
    policy = Policy(max_sessions=1, at_limit=at_limit)
    programs = triples(start, ("edit", "sign_in u1", "sign_in u2", "end"))
    found = explored(explorer, programs, Scene(start, tick=0, policy=policy), servers=2)
    assert not found.violations, explorer.tell(found)


@pytest.mark.parametrize("at_limit", AtLimit)
def test_two_requests_under_a_limit_over_sqlite(sqlite: Explorer, at_limit: AtLimit) -> None:
    policy = Policy(max_sessions=1, at_limit=at_limit)
    found = explored(sqlite, pairs("u1", SIGN_INS), Scene("u1", tick=0, policy=policy), servers=2)
    assert not found.violations, sqlite.tell(found)


@pytest.mark.parametrize("start", STARTS)
def test_two_requests_over_sqlite(sqlite: Explorer, start: str) -> None:
    found = explored(sqlite, pairs(start, SIGN_INS), Scene(start, tick=0), servers=2)
    assert not found.violations, sqlite.tell(found)


@pytest.mark.parametrize("servers", [1, 2])
@pytest.mark.parametrize("start", STARTS)
def test_three_requests(explorer: Explorer, start: str, servers: int) -> None:
    found = explored(explorer, triples(start, CORE), Scene(start, tick=0), servers)
    assert not found.violations, explorer.tell(found)
