"""Ready policies for applications of four kinds of risk, each with its ceilings.

`aal1` to `aal3` are those of NIST SP 800-63B-4; `bank` is stricter than any. All of them are what
ASVS 5.0 V7.1.1 asks to be written down: `describe_policy` prints it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from coatcheck.core.binding import STRONG, Action, Binding
from coatcheck.core.limits import Limit, Owner, Profile, shown
from coatcheck.core.policy import Policy
from coatcheck.errors import ConfigurationError

_MINUTES, _HOURS, _DAYS = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_at_most, _exactly = Limit.at_most, Limit.exactly
_STEP_UP = Limit(
    "binding",
    "a new proof when address, browser and platform change together",
    "NIST SP 800-63B-4 5.3; OWASP Session Management, binding",
    lambda bound: bound(STRONG) >= Action.STEP_UP,
    Binding(notify=3, step_up=4, end=6),
)

# A line for each ceiling; what is not named has none. The value is the ceiling unless it is below.
PROFILES = {
    "aal1": Profile(
        "aal1",
        (_at_most("absolute", 30 * _DAYS, "NIST SP 800-63B-4 2.1.3; ASVS 5.0 V7.3.2"),),
    ),
    "aal2": Profile(
        "aal2",
        (
            _at_most("absolute", 24 * _HOURS, "NIST SP 800-63B-4 2.2.3; ASVS 5.0 V7.3.2"),
            _at_most("idle", 1 * _HOURS, "NIST SP 800-63B-4 2.2.3; ASVS 5.0 V7.3.1"),
        ),
    ),
    "aal3": Profile(
        "aal3",
        (
            _at_most("absolute", 12 * _HOURS, "NIST SP 800-63B-4 2.3.3; ASVS 5.0 V7.3.2"),
            _at_most("idle", 15 * _MINUTES, "NIST SP 800-63B-4 2.3.3; ASVS 5.0 V7.3.1"),
        ),
    ),
    "bank": Profile(
        "bank",
        (
            _at_most("absolute", 12 * _HOURS, "NIST SP 800-63B-4 2.3.3; ASVS 5.0 V7.3.2"),
            _at_most("idle", 15 * _MINUTES, "NIST SP 800-63B-4 2.3.3; ASVS 5.0 V7.3.1"),
            _STEP_UP,
            _at_most("renew_after", 15 * _MINUTES, "OWASP Session Management, Renewal Timeout"),
            _exactly("on_replay", "end", "OWASP Session Management, Renewal Timeout"),
            _exactly("same_site", "Strict", "ASVS 5.0 V3.3.2", "Cookie"),
            _exactly("max_age", None, "OWASP Session Management, Expire and Max-Age", "Cookie"),
            _exactly("domain", None, "ASVS 5.0 V3.3.3", "Cookie"),
            _exactly("secure", True, "ASVS 5.0 V3.3.1", "Cookie"),
            _exactly("http_only", True, "ASVS 5.0 V3.3.4", "Cookie"),
        ),
    ),
}
_BELOW: dict[str, dict[str, Any]] = {"aal1": {"idle": 1 * _DAYS}}


def profile(name: str, *, because: Mapping[str, str] | None = None, **settings: Any) -> Policy:
    """Return the policy of a profile, with what is asked for in place of its own values.

    Args:
        name: `aal1`, `aal2`, `aal3` or `bank`.
        because: by setting of the policy or of the cookie, why it may exceed its ceiling. It is
            then no error but a warning at the start, and listed by `describe_policy`.
        settings: as for `Policy`.

    Raises:
        ConfigurationError: there is no such profile, or a setting exceeds its ceiling without a
            reason. So does `dataclasses.replace` on what is returned.
    """
    if name not in PROFILES:
        raise ConfigurationError("profile", f"{name!r} is none of {', '.join(PROFILES)}")
    chosen = replace(PROFILES[name], reasons=tuple((because or {}).items()))
    own = {limit.setting: limit.value for limit in chosen.of("Policy")}
    return Policy(profile=chosen, **{**own, **_BELOW.get(name, {}), **settings})


class Judged(StrEnum):
    """How a setting stands to its ceiling."""

    MET = "met"
    EXCEEDED = "exceeded"
    FREE = "no ceiling"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True)
class Line:
    """One setting, its value and its ceiling, in words; `reason` is why it exceeds it."""

    of: Owner
    setting: str
    value: str
    judged: Judged
    ceiling: str = ""
    source: str = ""
    reason: str = ""

    def __str__(self) -> str:
        name = self.setting if self.of == "Policy" else f"cookie {self.setting}"
        text = f"{name:<18} {self.value:<42} {self.judged}"
        if self.ceiling:
            text += f": {self.ceiling} ({self.source})"
        return f"{text}, because: {self.reason}" if self.reason else text


@dataclass(frozen=True, slots=True)
class Description:
    """Every setting of a policy, for those who have to answer for it; as text, a line for each."""

    profile: str | None
    lines: tuple[Line, ...]

    @property
    def exceeded(self) -> tuple[Line, ...]:
        """The settings that are weaker than the profile's ceilings."""
        return tuple(line for line in self.lines if line.judged is Judged.EXCEEDED)

    def __str__(self) -> str:
        return "\n".join([f"profile {self.profile or 'none'}", *map(str, self.lines)])


def describe_policy(policy: Policy, transport: object = None) -> Description:
    """Return the policy as it is: what ASVS 5.0 V7.1.1 and V7.1.3 ask to be documented.

    Args:
        transport: the cookie's settings, which a profile may have ceilings for as well.
    """
    limits = {limit.setting: limit for limit in policy.profile.limits} if policy.profile else {}
    lines = [
        _line(policy, "Policy", field.name, getattr(policy, field.name), limits.get(field.name))
        for field in fields(policy)
        if field.name != "profile"
    ]
    for limit in policy.profile.of("Cookie") if policy.profile else ():
        if hasattr(transport, limit.setting):
            value = getattr(transport, limit.setting)
            lines.append(_line(policy, "Cookie", limit.setting, value, limit))
        else:
            unknown = Line("Cookie", limit.setting, "?", Judged.UNKNOWN)
            lines.append(replace(unknown, ceiling=limit.ceiling, source=limit.source))
    return Description(policy.profile.name if policy.profile else None, tuple(lines))


def _line(policy: Policy, of: Owner, setting: str, value: object, limit: Limit | None) -> Line:
    if limit is None:
        return Line(of, setting, shown(value), Judged.FREE)
    judged = Judged.MET if limit.permits(value) else Judged.EXCEEDED
    reason = (
        (policy.profile and policy.profile.reason(setting)) if judged is Judged.EXCEEDED else ""
    )
    return Line(of, setting, shown(value), judged, limit.ceiling, limit.source, reason or "")
