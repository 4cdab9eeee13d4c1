"""Requests of several browsers, phase by phase in any order, beside a plain model; on every store.

`make model` runs it for longer: long_machine.py.
"""

import pytest
from hypothesis import HealthCheck, Phase, settings

from coatcheck.waiting import Kind
from tests.kinds import EVERY, FORMS
from tests.model.machine.machine import run_machine

BRIEF = settings(
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.generate, Phase.shrink],
)
RUNS = [(kind, form) for form in FORMS for kind in EVERY]


@pytest.mark.parametrize(("store_url", "form"), RUNS, indirect=True)
def test_browsers_and_a_thief_find_what_the_model_says(
    store_url: str, form: Kind, request: pytest.FixtureRequest
) -> None:
    """Each kind in each form has examples of its own; there are more where one costs the least."""
    run = (request.node.callspec.params["store_url"], form)
    examples = 110 if run in [("memory", Kind.ASYNCIO), ("sqlite", Kind.ASYNCIO)] else 25
    run_machine(store_url, form, settings(BRIEF, max_examples=examples), RUNS.index(run))
