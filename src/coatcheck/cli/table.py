"""Show a report to people."""

from rich.console import Console
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
                Text(f"{finding.where}: {finding.what}"),
                Text(finding.do + (f" ({finding.clause})" if finding.clause else "")),
            )
        console.print(table)
    for check, why in report.skipped.items():
        console.print(Text(f"not checked: {check}: {why}"))
    counted = [
        f"{sum(finding.severity is severity for finding in report.findings)} {severity}"
        for severity in reversed(Severity)
    ]
    console.print(Text(f"{report.target}: {len(report.checked)} checks: {', '.join(counted)}"))
