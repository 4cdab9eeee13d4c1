"""All that doctor found, and what it did not look at."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from coatcheck.doctor.finding import Finding, Severity

SCHEMA = 1
"""Raised when a member of the JSON changes its meaning or goes; new ones may come without."""


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        target: what was looked at, without its secrets.
        checked: the checks that ran.
        skipped: those that did not, and why.
    """

    target: str
    findings: list[Finding] = field(default_factory=list[Finding])
    checked: list[str] = field(default_factory=list[str])
    skipped: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, check: str, findings: Iterable[Finding]) -> None:
        """Note that a check ran, and what it found; the same twice counts once."""
        if check not in self.checked:
            self.checked.append(check)
        self.findings += [one for one in findings if one not in self.findings]

    def skip(self, check: str, why: str) -> None:
        """Note that a check did not run."""
        self.skipped[check] = why

    def sorted(self) -> list[Finding]:
        """Return the findings, the worst first."""
        return sorted(self.findings, key=lambda finding: -finding.severity.weight)

    def has(self, at_least: Severity) -> bool:
        """Tell whether anything was found that matters so much."""
        return any(finding.severity.weight >= at_least.weight for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; what its members mean is in docs/how-to/doctor.md."""
        counted = Counter(finding.severity for finding in self.findings)
        return {
            "schema": SCHEMA,
            "target": self.target,
            "summary": {severity.value: counted[severity] for severity in Severity},
            "findings": [asdict(finding) for finding in self.sorted()],
            "checked": self.checked,
            "skipped": [{"check": check, "why": why} for check, why in self.skipped.items()],
        }
