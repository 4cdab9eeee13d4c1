"""How a session is bound to the client its user was proved on: what changed since, and what then.

Each signal is easy to copy and changes for honest people too, so that it is the number of those
that change at once which counts (NIST SP 800-63B-4 5.3; OWASP Session Management, "Binding the
Session ID to Other User Properties").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Flag, IntEnum
from functools import lru_cache
from ipaddress import ip_network

from coatcheck.core.address import parse
from coatcheck.core.record import NOBODY, Client
from coatcheck.errors import ConfigurationError

_PREFIX = {4: 24, 6: 48}
"""Bits of an address that stay the same while a line or a cell of a network does."""


class Drift(Flag):
    """The signals that are not as they were when the user was proved."""

    ADDRESS = 1
    """Another network: other 24 bits of IPv4, other 48 of IPv6."""
    BROWSER = 2
    """Another family of user agent; another version of it is no change."""
    SYSTEM = 4
    """Another system in the user agent."""
    PLATFORM = 8
    """Another platform in the client hints."""
    LANGUAGE = 16
    """No language in common."""

    @property
    def score(self) -> int:
        """The sum of the signals' weights: address and browser 2, every other 1."""
        return sum(_WEIGHTS[signal] for signal in self)

    def __str__(self) -> str:
        return ",".join(str(signal.name).lower() for signal in self)


_WEIGHTS = {
    Drift.ADDRESS: 2,
    Drift.BROWSER: 2,
    Drift.SYSTEM: 1,
    Drift.PLATFORM: 1,
    Drift.LANGUAGE: 1,
}
NO_DRIFT = Drift(0)
EVERYTHING = ~NO_DRIFT
STRONG = Drift.ADDRESS | Drift.BROWSER | Drift.PLATFORM
"""What a stolen cookie in a thief's own browser shows at least."""


class Action(IntEnum):
    """What is done about a drift, from mild to strict; each does what the milder ones do, too."""

    OBSERVE = 0
    """An event, no more."""
    NOTIFY = 1
    """Whom the application named is told, to write to the user."""
    STEP_UP = 2
    """The request is nobody's until the user is proved again; the session is kept."""
    END = 3
    """The session is ended."""


Bound = Callable[[Drift], Action]
"""A policy of binding: a pure function. It is asked about every drift there is at the start."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The ladder: from which score on a drift has which consequence. By default none has any.

    Attributes:
        notify, step_up, end: the least score for each; `None`: never.

    Raises:
        ConfigurationError: they are not in order, or another address alone would cost a user the
            session: a phone changes it between two cells. A function of your own may do so.
    """

    notify: int | None = None
    step_up: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        least = 1
        for name in ("notify", "step_up", "end"):
            score: object = getattr(self, name)
            if score is None:
                continue
            if type(score) is not int or not least <= score <= EVERYTHING.score:
                raise ConfigurationError(
                    f"Binding.{name}", f"{score!r} is no score from {least} to {EVERYTHING.score}"
                )
            if name != "notify" and score <= Drift.ADDRESS.score:
                raise ConfigurationError(
                    f"Binding.{name}",
                    f"{score} is reached by another address alone, as phones have all day",
                )
            least = score

    def __call__(self, drift: Drift) -> Action:
        """Return what is to be done."""
        score = drift.score
        for action, least in (
            (Action.END, self.end),
            (Action.STEP_UP, self.step_up),
            (Action.NOTIFY, self.notify),
        ):
            if least is not None and score >= least:
                return action
        return Action.OBSERVE


OBSERVING = Binding()
"""The default."""


def actions(bound: Bound) -> Mapping[Drift, Action]:
    """Return what a policy does about every drift there is.

    Raises:
        ConfigurationError: it is no function of a drift, or answers with no action.
    """
    found: dict[Drift, Action] = {}
    for value in range(1, EVERYTHING.value + 1):
        drift = Drift(value)
        try:
            action = bound(drift)
        except Exception as error:
            raise ConfigurationError("Policy.binding", f"fails on {drift}: {error!r}") from error
        if not isinstance(action, Action):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("Policy.binding", f"{action!r} is no Action")
        found[drift] = action
    return found


def compare(recorded: Client, present: Client) -> Drift:
    """Return what differs between two clients; which of them is which makes no difference.

    What is not known (`None`) of one side is no change, as records of before have no hints; what a
    client leaves out is one, as a thief could leave out whatever gives him away. Nothing is known
    of `NOBODY`.
    """
    if recorded == present or NOBODY in (recorded, present):
        return NO_DRIFT
    drift = NO_DRIFT
    if recorded.address != present.address and network(recorded.address) != network(
        present.address
    ):
        drift |= Drift.ADDRESS
    if recorded.agent != present.agent:
        browser, system = _parts(recorded.agent)
        other_browser, other_system = _parts(present.agent)
        if browser != other_browser:
            drift |= Drift.BROWSER
        if system != other_system:
            drift |= Drift.SYSTEM
    if _differ(recorded.platform, present.platform):
        drift |= Drift.PLATFORM
    if _differ(recorded.languages, present.languages) and not _share(recorded, present):
        drift |= Drift.LANGUAGE
    return drift


def differences(recorded: Client, present: Client, drift: Drift) -> dict[str, str]:
    """Return what each signal was and is, by its name: nothing finer than what is compared."""
    before, after = _coarse(recorded), _coarse(present)
    return {
        name: f"{was or 'none'} -> {now or 'none'}"
        for signal, name, was, now in zip(Drift, _NAMES, before, after, strict=True)
        if signal in drift
    }


@lru_cache(maxsize=4096)
def network(address: str | None) -> str | None:
    """Return the network that an address counts as; what is no address counts as itself."""
    parsed = parse(address)
    return str(ip_network((parsed, _PREFIX[parsed.version]), strict=False)) if parsed else address


_NAMES = tuple(str(signal.name).lower() for signal in Drift)


def _coarse(client: Client) -> tuple[str | None, ...]:
    return (network(client.address), *_parts(client.agent), client.platform, client.languages)


def _parts(agent: str | None) -> tuple[str, str]:
    browser, _, system = (agent or "").partition(" on ")
    return browser, system


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


def _share(one: Client, other: Client) -> bool:
    languages, others = (one.languages or "").split(","), (other.languages or "").split(",")
    return not set(languages).isdisjoint(others)
