"""Whether a policy keeps to the ceilings of a profile (R-032)."""

from collections.abc import Iterator

from coatcheck.core.limits import shown
from coatcheck.core.policy import Policy
from coatcheck.core.profiles import PROFILES, describe_policy
from coatcheck.doctor.finding import Finding, Severity

NAME = "timeouts"
DEFAULT = "aal2"
"""For a policy that names no profile."""


def check(policy: Policy, transport: object, profile: str | None) -> Iterator[Finding]:
    """Judge timeouts and cookies by the profile named, else by the policy's own."""
    if profile is None and policy.profile is not None:
        for line in describe_policy(policy, transport).exceeded:
            yield Finding(
                Severity.INFO,
                NAME,
                f"is {line.value}, because: {line.reason}",
                f"{line.of}.{line.setting}",
                f"nothing while that reason holds; the ceiling is {line.ceiling}",
                line.source,
            )
        return
    chosen = PROFILES[profile or DEFAULT]
    for limit in chosen.limits:
        owner = policy if limit.of == "Policy" else transport
        if not hasattr(owner, limit.setting):
            continue
        value = getattr(owner, limit.setting)
        if not limit.permits(value):
            yield Finding(
                Severity.WARNING,
                NAME,
                f"is {shown(value)}, where profile {chosen.name} wants {limit.ceiling}",
                f"{limit.of}.{limit.setting}",
                "lower it, or take another profile and write the reason down",
                limit.source,
            )
