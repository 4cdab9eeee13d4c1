"""Tables in Markdown, from the results."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench import data
from bench.rounds import Figures, Run, figures
from bench.subjects import BASELINE, COATCHECK, KINDS, SUBJECTS, Subject
from bench.targets import Target, targets

_TITLES = {
    "read": "Read one value",
    "write": "Change one value",
    "anonymous": "No cookie, look at the session",
    "hot": "Change one value, all in one session",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def medians(http: Mapping[str, Any]) -> Mapping[tuple[str, str], Figures]:
    """Return the figures of each subject and kind."""
    return figures([[Run(**run) for run in runs] for runs in http["rounds"]], BASELINE.name)


def report(results: Mapping[str, Any]) -> str:
    """Return the whole page; parts that were not measured are left out."""
    parts: list[str] = []
    if http := results.get("http"):
        found = medians(http)
        parts += [_setting(http["settings"]), *(_kind(kind, found, http) for kind in KINDS)]
        parts += [_targets(targets(found, http["counts"], http["memory"])), _sizes(http)]
    if survivors := results.get("survivors"):
        title = "## What survives when requests of one session meet\n\n"
        parts.append(title + survivors_table(survivors))
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join(["# Results\n", *parts, f"Versions: {versions}.\n"])


def _setting(settings: Mapping[str, Any]) -> str:
    pinned = (
        "on a core of its own, the load and Redis on another"
        if settings["pinned"]
        else "not pinned"
    )
    return (
        f"Medians of {settings['rounds']} rounds of {settings['seconds']} s;"
        f" {settings['connections']} connections, {settings['sessions']} sessions; one web process,"
        f" {pinned}. *CPU added* is the web process's processor time a request, less that without"
        " sessions (in brackets: all of it); *speed* is requests a second, as a share of those"
        " without sessions.\n"
    )


def _kind(kind: str, found: Mapping[tuple[str, str], Figures], http: Mapping[str, Any]) -> str:
    rows = [
        _row(subject, found[subject.name, kind], http["counts"][subject.name].get(kind, {}))
        for subject in SUBJECTS
    ]
    head = [name for name in rows[0] if any(row[name] for row in rows) or name == ""]
    return f"## {_TITLES[kind]}\n\n" + table(head, [[row[name] for name in head] for row in rows])


def _row(subject: Subject, of: Figures, counted: Mapping[str, float]) -> dict[str, str]:
    """Return the cells by the heads of their columns; what is not known or of interest is empty."""
    on_redis = subject.store == "redis"
    return {
        "": subject.title,
        "CPU added, µs": f"{of.added:.0f}" if subject is not BASELINE else f"({of.cpu:.0f})",
        "speed": f"{of.speed:.2f}",
        "p99, ms": f"{of.p99 / 1000:.1f}",
        "Redis commands": _count(counted.get("redis_commands") if on_redis else None),
        "under load": _count(counted.get("redis_commands_at_once") if on_redis else None),
        "Set-Cookie": _count(counted.get("set_cookies")),
        "writes lost": "" if of.lost is None else f"{of.lost} of {of.requests - of.refused}",
        "refused": str(of.refused or ""),
    }


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}".rstrip("0").rstrip(".")


def _targets(found: Sequence[Target]) -> str:
    rows = [
        [each.text, f"{each.limit:g}", _count(each.value), "reached" if each.is_reached else "no"]
        for each in found
    ]
    return "## Targets\n\n" + table(["", "at most", "is", ""], rows)


def _sizes(http: Mapping[str, Any]) -> str:
    memory, counts = http["memory"], http["counts"]
    cookies = ", ".join(
        f"{subject.title} {counts[subject.name]['cookie_bytes']}"
        for subject in SUBJECTS
        if subject is not BASELINE and subject not in COATCHECK[1:]
    )
    return (
        f"The data of each session has 1,000 bytes in MessagePack, as coatcheck keeps it, and"
        f" {len(json.dumps(data.session(0))):,} in JSON, as the others do. In Redis coatcheck takes"
        f" {memory['bytes']:,} bytes a session, its entry in the user's index included (MEMORY"
        f" USAGE of {memory['keys']:,} keys of {memory['sessions']:,} sessions; all that Redis"
        f" holds grew by {memory['growth']:,} a session). Bytes of a request's cookie: {cookies}.\n"
    )


def survivors_table(survivors: Sequence[Mapping[str, Any]]) -> str:
    """Return what each library keeps of the requests; the README shows it too."""
    total = survivors[0]["requests"]
    rows = [
        [each["title"], str(each["processes"]), *(_range(each[what]) for what in ("cart", "count"))]
        for each in survivors
    ]
    head = ["", "processes", f"items kept of {total}", f"count of {total}"]
    return table(head, rows)


def _range(repetitions: Sequence[Mapping[str, int]]) -> str:
    kept = sorted(each["kept"] for each in repetitions)
    middle = kept[len(kept) // 2]
    text = str(middle) if kept[0] == kept[-1] else f"{middle} ({kept[0]}-{kept[-1]})"
    refused = sum(each["refused"] for each in repetitions)
    return f"{text}, {refused} refused" if refused else text
