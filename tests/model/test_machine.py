"""Requests of several browsers, phase by phase in any order, beside a plain model; on every store.

`make model` runs it for longer: long_machine.py.
"""

import asyncio
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, Phase, settings

from coatcheck import Store, store_from_url
from tests.model.machine.machine import run_machine

BRIEF = settings(
    max_examples=110,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.generate, Phase.shrink],
)


@pytest.fixture
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def model_store(store_url: str, runner: asyncio.Runner) -> Generator[Store]:
    """A store that waits in the runner's event loop."""
    store = store_from_url(store_url)
    yield store
    runner.run(store.close())


def test_browsers_and_a_thief_find_what_the_model_says(
    model_store: Store, runner: asyncio.Runner
) -> None:
    run_machine(model_store, runner, BRIEF)
