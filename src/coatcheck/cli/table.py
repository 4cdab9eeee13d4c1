"""Show a report to people."""

import re
from typing import Any

from rich.console import Console
from rich.containers import Lines
from rich.table import Table
from rich.text import Text

from coatcheck.doctor.finding import Severity
from coatcheck.doctor.report import Report

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


def show(report: Report, console: Console) -> None:
    """Print the findings, what was not checked, and a summary."""
    if report.findings:
        table = Table("", "check", "what and where", "what to do", title=None, show_lines=True)
        for finding in report.sorted():
            table.add_row(
                Text(finding.severity, _STYLES[finding.severity]),
                Text(finding.check),
                _WithURL(f"{finding.where}: {finding.what}"),
                Text(finding.do + (f" ({finding.clause})" if finding.clause else "")),
            )
        console.print(table)
    for check, why in report.skipped.items():
        console.print(Text(f"not checked: {check}: {why}"))
    counted = [
        f"{sum(finding.severity is severity for finding in report.findings)} {severity}"
        for severity in reversed(Severity)
    ]
    summary = f"{report.target}: {len(report.checked)} checks: {', '.join(counted)}"
    console.print(Text(_folded(summary, console.width)))


class _WithURL(Text):
    """Text whose long words, such as the URLs of several hosts, are broken between their parts."""

    def wrap(self, console: Console, width: int, **how: Any) -> Lines:
        """See `Text.wrap`."""
        return Text(_folded(self.plain, width)).wrap(console, width, **how)


def _folded(text: str, width: int) -> str:
    """Break words that are longer than a line after a comma or a slash, where they have any."""
    part = rf"\S{{1,{width}}}$|\S{{1,{width}}}(?<=[,/])|\S{{1,{width}}}"
    long = rf"\S{{{width + 1},}}"
    return re.sub(long, lambda word: "\n".join(re.findall(part, word[0])), text)
