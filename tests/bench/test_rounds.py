"""Single runs become medians; each is compared with the baseline of its own round."""

import pytest

from bench.rounds import Figures, Run, figures


def run(subject: str, cpu: float, rate: float = 1000, lost: int | None = None, **of: int) -> Run:
    numbers = {"requests": 10, "p99": 5_000, "refused": 0} | of
    return Run(subject=subject, kind="read", rate=rate, cpu=cpu, lost=lost, **numbers)


def test_added_is_the_median_of_differences_within_rounds() -> None:
    """A difference of medians would be 100 - 50 here, taken across rounds."""
    rounds = [
        [run("none", 50), run("ours", 60)],
        [run("none", 90), run("ours", 100)],
        [run("none", 40), run("ours", 110)],
    ]
    of = figures(rounds, "none")["ours", "read"]
    assert (of.cpu, of.added) == (100, 10)


def test_speed_is_a_share_of_the_baselines_in_the_same_round() -> None:
    rounds = [
        [run("none", 1, rate=1_000), run("ours", 1, rate=500)],
        [run("none", 1, rate=100), run("ours", 1, rate=50)],
        [run("none", 1, rate=10), run("ours", 1, rate=9)],
    ]
    assert figures(rounds, "none")["ours", "read"].speed == 0.5


def test_losses_and_refusals_are_added_up_and_not_knowing_stays_so() -> None:
    rounds = [
        [run("none", 1), run("ours", 1, lost=3, refused=1)],
        [run("none", 1), run("ours", 1, lost=0, refused=4)],
    ]
    found = figures(rounds, "none")
    assert found["ours", "read"] == Figures(1.0, 1.0, 0.0, 5_000, 20, 5, 3)
    assert found["none", "read"].lost is None


def test_a_round_without_a_baseline_is_no_round() -> None:
    with pytest.raises(KeyError):
        figures([[run("ours", 1)]], "none")
