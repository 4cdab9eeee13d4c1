"""From single runs to medians."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Run(NamedTuple):
    """One run of one kind of request against one subject.

    Attributes:
        cpu: microseconds of the web process's processor time a request.
        p99: latency in microseconds.
        refused: answers that were not 2xx.
        lost: writes that were answered and are not there; `None` where nobody can tell.
    """

    subject: str
    kind: str
    requests: int
    rate: float
    cpu: float
    p99: int
    refused: int
    lost: int | None


class Figures(NamedTuple):
    """Medians over the rounds.

    Attributes:
        speed: requests a second, as a share of what the baseline served in the same round.
        cpu: microseconds of processor time a request.
        added: `cpu` less the baseline's in the same round.
        requests, refused, lost: in all rounds; `lost` is `None` where nobody can tell.
    """

    speed: float
    cpu: float
    added: float
    p99: float
    requests: int
    refused: int
    lost: int | None


def figures(rounds: Sequence[Sequence[Run]], baseline: str) -> Mapping[tuple[str, str], Figures]:
    """Return the figures of each subject and kind.

    Raises:
        KeyError: a round lacks a run that another one, or its baseline, has.
    """
    found = [{(run.subject, run.kind): run for run in runs} for runs in rounds]

    def over(key: tuple[str, str], of: Callable[[Run, Run], float]) -> float:
        return median(of(runs[key], runs[baseline, key[1]]) for runs in found)

    return {
        key: Figures(
            speed=over(key, lambda run, base: run.rate / base.rate),
            cpu=over(key, lambda run, _: run.cpu),
            added=over(key, lambda run, base: run.cpu - base.cpu),
            p99=over(key, lambda run, _: run.p99),
            requests=sum(runs[key].requests for runs in found),
            refused=sum(runs[key].refused for runs in found),
            lost=_total(runs[key].lost for runs in found),
        )
        for key in found[0]
    }


def _total(lost: Iterable[int | None]) -> int | None:
    known = [each for each in lost if each is not None]
    return sum(known) if known else None
