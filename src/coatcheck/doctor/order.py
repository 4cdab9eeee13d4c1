"""What doctor is asked to look at."""

from dataclasses import dataclass, field, replace
from typing import Self

from coatcheck.doctor.target import path_of, shown_url
from coatcheck.doctor.trial import Plan


@dataclass(frozen=True, slots=True)
class Order:
    """What was given on the command line.

    Attributes:
        target: a URL, or `module:app`.
        store: the URL of a store.
        sessions: `module:name` of a `Sessions`, where it is not found in the application.
        profile: whose ceilings the policy is held to.
        host: as which an application object is asked.
        ca: certificates to believe besides the system's.
        plan: what to ask the application for.
    """

    target: str | None = field(default=None, repr=False)
    store: str | None = field(default=None, repr=False)
    sessions: str | None = None
    profile: str | None = None
    host: str = "localhost"
    ca: str | None = None
    plan: Plan = field(default_factory=Plan)

    @property
    def url(self) -> str | None:
        """The target, if it is a URL."""
        return self.target if self.target is not None and "://" in self.target else None

    @property
    def shown(self) -> str:
        """What it is about, without secrets."""
        if self.url is not None:
            return shown_url(self.url)
        return self.target or self.sessions or shown_url(self.store or "")

    def with_entry(self) -> Self:
        """Let the path of the URL be the page for everybody, unless one is named."""
        if self.url is None or self.plan.entry is not None:
            return self
        return replace(self, plan=replace(self.plan, entry=path_of(self.url)))
