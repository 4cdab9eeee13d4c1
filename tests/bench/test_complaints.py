"""The run fails for what coatcheck lost or refused, and for nothing that others did."""

from typing import Any

import pytest

from bench import http, survivors


def costs(subject: str, **of: int | None) -> dict[str, Any]:
    run: dict[str, Any] = {"subject": subject, "kind": "hot", "requests": 9, "refused": 0}
    return {"rounds": [[run | {"lost": None}], [run | {"lost": 0} | of]]}


@pytest.mark.parametrize("bad", [{"refused": 1}, {"lost": 1}])
def test_a_request_lost_or_refused_by_coatcheck(bad: dict[str, int]) -> None:
    assert len(http.wrong(costs("coatcheck-redis", **bad))) == 1
    assert http.wrong(costs("starsessions-redis", **bad)) == []


def test_a_run_in_which_nothing_went_wrong() -> None:
    assert http.wrong(costs("coatcheck-redis")) == []


@pytest.mark.parametrize("what", ["cart", "count"])
def test_a_change_that_did_not_survive(what: str) -> None:
    kept = [{"kept": 200, "lost": 0, "refused": 0}]
    found: dict[str, Any] = {"subject": "coatcheck-redis", "cart": kept, "count": kept}
    assert survivors.wrong([found]) == []
    found |= {what: [*kept, {"kept": 199, "lost": 0, "refused": 1}]}
    assert len(survivors.wrong([found])) == 1
    assert survivors.wrong([found | {"subject": "django-sqlite"}]) == []
