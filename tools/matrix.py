"""Check the table of security requirements against the tests that ran: `pytest -p tools.matrix`.

A row of docs/reference/security.md that says that a requirement is met, or partly, names the tests
that show it, by pytest's node ids, those of parametrised tests without the parameters. The run
fails unless each of them ran and passed, with all its parameters. So it is for a run of all tests.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pytest

PAGE = "docs/reference/security.md"
ROW = re.compile(
    r"^\| (?P<requirement>R-\d{3}) \|.*\| (?P<verdict>[^|]*) \| (?P<tests>[^|]*)\|$", re.MULTILINE
)
CLAIM = re.compile(r"(met|partly)\b")


class Row(NamedTuple):
    """A requirement, what is said of it, and the tests that show it."""

    requirement: str
    verdict: str
    tests: list[str]


def rows(page: str) -> list[Row]:
    """Read the rows of all tables of the page."""
    return [
        Row(row["requirement"], row["verdict"].strip(), re.findall(r"`([^`]+)`", row["tests"]))
        for row in ROW.finditer(page)
    ]


def unshown(claims: Iterable[Row], passed: Mapping[str, bool]) -> list[str]:
    """Tell which rows claim more than tests showed, given whether each test that ran has passed."""
    variations: dict[str, list[bool]] = {}
    for test, good in passed.items():
        variations.setdefault(test.partition("[")[0], []).append(good)
    wrong: list[str] = []
    for row in claims:
        if not CLAIM.match(row.verdict):
            continue
        if not row.tests:
            wrong.append(f"{row.requirement} names no test")
        for test in row.tests:
            if test not in variations:
                wrong.append(f"{row.requirement} names a test that did not run: {test}")
            elif not all(variations[test]):
                wrong.append(f"{row.requirement} names a test that did not pass: {test}")
    return wrong


class Matrix:
    """Watches a run of pytest, and lets it fail for rows that it does not show."""

    def __init__(self) -> None:
        self._passed: dict[str, bool] = {}
        self._wrong: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Skipped is not passed, nor is what was expected to fail."""
        self._passed[report.nodeid] = self._passed.get(report.nodeid, True) and report.passed

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Compare; a run that was broken off shows nothing either way."""
        if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        page = (session.config.rootpath / PAGE).read_text()
        self._wrong = unshown(rows(page), self._passed)
        if self._wrong:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is wrong."""
        if self._wrong:
            terminalreporter.section(f"{PAGE} claims too much")
            for line in self._wrong:
                terminalreporter.line(line)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch, where the reports of all tests come together."""
    if not hasattr(config, "workerinput"):  # pytest-xdist's, which run a part each
        config.pluginmanager.register(Matrix(), "matrix")
