"""The machine of test_machine.py, for longer and by chance; `make model` runs it."""

import asyncio

import pytest
from hypothesis import settings

from coatcheck import Store
from tests.model.machine.machine import run_machine
from tests.model.test_machine import BRIEF, model_store, runner

LONG = settings(BRIEF, max_examples=2_000, stateful_step_count=60, derandomize=False)
__all__ = ["model_store", "runner"]


@pytest.mark.parametrize("store_url", ["memory", "sqlite", "redis"], indirect=True)
def test_the_same_for_longer(model_store: Store, runner: asyncio.Runner) -> None:
    run_machine(model_store, runner, LONG)
