"""The machine of test_machine.py, for longer and by chance; `make model` runs it."""

import pytest
from hypothesis import settings

from coatcheck.waiting import Kind
from tests.kinds import USUAL
from tests.model.machine.machine import run_machine
from tests.model.test_machine import BRIEF, RUNS

LONG = settings(BRIEF, stateful_step_count=60, derandomize=False)
OFTEN = [(kind, Kind.ASYNCIO) for kind in USUAL]
EXAMPLES = [(*run, 2_000 if run in OFTEN else 150) for run in RUNS]


@pytest.mark.parametrize(
    ("store_url", "form", "examples"), EXAMPLES, indirect=["store_url", "form"]
)
def test_the_same_for_longer(store_url: str, form: Kind, examples: int) -> None:
    run_machine(store_url, form, settings(LONG, max_examples=examples))
