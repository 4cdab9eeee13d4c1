"""The table of outcomes as code: every privilege change meets everything that can be stored."""

from itertools import product

import pytest

from coatcheck.core.intents import Privilege, Rotate, SignIn, StepUp
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.verdict import Verdict, decide
from coatcheck.testing import make_record, make_tombstone, next_version

VISITOR, ALICE = make_record(), make_record(subject="alice")
PRIVILEGES: dict[str, Privilege] = {
    "edit": None,
    "step_up": StepUp(2),
    "rotate": Rotate(),
    "alice": SignIn("alice", 1),
    "bob": SignIn("bob", 1),
}


def moved(base: Record, subject: str) -> Tombstone:
    return make_tombstone(base.id, Ended.MOVED, moved_to_subject=subject)


def stored_kinds(base: Record) -> dict[str, Stored]:
    ends = [why for why in Ended if why is not Ended.MOVED]
    return {
        "as it was": base,
        "edited": next_version(base),
        "new lineage": next_version(base, lineage_digest=bytes(16)),
        "moved to alice": moved(base, "alice"),
        "moved to bob": moved(base, "bob"),
        "absent": None,
        **{f"ended: {why}": make_tombstone(base.id, why) for why in ends},
    }


def expected(base: Record, privilege: str, stored: str) -> Verdict:
    """Spell the table out once more, in other words."""
    if stored in ("as it was", "edited"):
        return Verdict.APPLY
    if privilege in ("alice", "bob"):
        if stored == "new lineage" and base.subject == privilege:
            return Verdict.COPY
        if base.subject is None and stored == f"moved to {privilege}":
            return Verdict.KEEP
        return Verdict.EMPTY
    if stored == "new lineage" or stored.startswith("moved"):
        return Verdict.SUPERSEDED
    return Verdict.DROP if privilege == "edit" else Verdict.UNAUTHENTICATED


@pytest.mark.parametrize("base", [VISITOR, ALICE], ids=["visitor", "alice"])
def test_every_cell(base: Record) -> None:
    """S1 to S3, P2, P4 to P7."""
    kinds = stored_kinds(base)
    for privilege, stored in product(PRIVILEGES, kinds):
        verdict = decide(base, PRIVILEGES[privilege], kinds[stored])
        assert verdict is expected(base, privilege, stored), (privilege, stored)
