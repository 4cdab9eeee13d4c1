"""The table of rules names the tests that `python -m tools.rules` sees fail, and no others."""

import re

import pytest

from tools.removals import REMOVALS, Removal
from tools.rules import ROOT

COUNTS = {"S": 5, "P": 7, "R": 9, "C": 4, "G": 4, "J": 6, "N": 5, "T": 5, "D": 4}
RULES = [f"{letter}{number + 1}" for letter, count in COUNTS.items() for number in range(count)]
ROW = re.compile(r"^\| (?P<rule>[A-Z]\d) \| .+ \| (?P<where>.+) \| (?P<tests>.*)\|$", re.MULTILINE)


def table() -> dict[str, re.Match[str]]:
    page = (ROOT / "docs/reference/rules.md").read_text()
    return {row["rule"]: row for row in ROW.finditer(page)}


def test_every_rule_is_in_the_table_once_and_in_its_order() -> None:
    page = (ROOT / "docs/reference/rules.md").read_text()
    assert [row["rule"] for row in ROW.finditer(page)] == RULES


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_the_tests_that_fail_without_it(rule: str) -> None:
    row = table()[rule]
    named = re.findall(r"`([^`]+)`", row["tests"])
    taken_out = dict.fromkeys(removal.test for removal in REMOVALS if removal.rule == rule)
    assert named == list(taken_out)
    assert (row["where"] == "not built yet") is not bool(named)


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.what)
def test_what_is_taken_out_is_there(removal: Removal) -> None:
    source = (ROOT / "src/coatcheck" / removal.file).read_text()
    assert source.count(removal.old) == 1
    assert (ROOT / removal.test.partition("::")[0]).is_file()
