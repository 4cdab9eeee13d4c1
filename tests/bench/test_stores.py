"""Stores beside their bare drivers: what is shown, what the run fails for, and that it runs."""

from typing import Any

from bench import stores
from bench.redis import redis_server
from bench.report import report


def rates(share: float) -> dict[str, Any]:
    return {
        aim.name: {"store": [share, 9 * share, share], "bare": [1.0, 9.0, 2.0]}
        for aim in stores.AIMS
    }


def test_the_ratio_is_of_what_was_measured_together() -> None:
    page = report({"stores": rates(0.7), "versions": {}})
    assert "| PostgreSQL, read | 32 | 1 | 2 | 0.70 | 0.6 | reached |" in page
    assert "| Redis, read | 128 | 1 | 2 | 0.70 | 2.5 | no |" in page


def test_the_run_fails_for_what_is_slower_than_it_should_be() -> None:
    assert stores.wrong(rates(3)) == []
    assert [line.partition(",")[0] for line in stores.wrong(rates(0.7))] == ["Redis", "Redis"]


def test_it_runs() -> None:
    with redis_server() as redis:
        found = stores.benchmark(redis, 1, 0.1)
    assert all(rate > 0 for of in found.values() for each in of.values() for rate in each)
