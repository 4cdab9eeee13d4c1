"""Tables in Markdown, from the results."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench import data
from bench.rounds import Figures, Run, figures
from bench.stores import AIMS, ratio
from bench.subjects import GROUPS, Group, Subject
from bench.targets import Target, hostile_targets, memory_targets, targets

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


def medians(group: Group, costs: Mapping[str, Any]) -> Mapping[tuple[str, str], Figures]:
    """Return the figures of each subject and kind."""
    rounds = [[Run(**run) for run in runs] for runs in costs["rounds"]]
    return figures(rounds, group.baseline.name)


def report(results: Mapping[str, Any]) -> str:
    """Return the whole page; parts that were not measured are left out.

    Raises:
        LookupError: the results of a group are older than one of its subjects.
    """
    parts: list[str] = []
    aims: list[Target] = []
    for group in GROUPS:
        if costs := results.get(group.name):
            if new := [each.title for each in group.subjects if each.name not in costs["counts"]]:
                again = f"measure it again with `make bench ARGS={group.name}`"
                raise LookupError(f"{group.name} has no results of {', '.join(new)}: {again}")
            found = medians(group, costs)
            parts += [f"## {group.title}\n", _setting(group, costs["settings"])]
            parts += [_kind(group, kind, found, costs) for kind in group.kinds]
            parts.append(_cookies(group, costs["counts"]))
            aims += targets(group, found, costs["counts"])
    if memory := results.get("memory"):
        parts.append(_memory(memory))
        aims += memory_targets(memory)
    if hostile := results.get("hostile"):
        aims += hostile_targets(hostile)
    if rates := results.get("stores"):
        parts.append(_stores(rates))
    if aims:
        parts.append(_targets(aims))
    if survivors := results.get("survivors"):
        title = "## What survives when requests of one session meet\n\n"
        parts.append(title + survivors_table(survivors))
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return "\n".join(["# Results\n", *parts, f"Versions: {versions}.\n"])


def _setting(group: Group, settings: Mapping[str, Any]) -> str:
    server = "granian process of 4 threads" if group.baseline.is_wsgi else "uvicorn process"
    pinned = (
        "on a core of its own, the load and Redis on another"
        if settings["pinned"]
        else "not pinned"
    )
    return (
        f"Medians of {settings['rounds']} rounds of {settings['seconds']} s;"
        f" {settings['connections']} connections, {settings['sessions']} sessions; one {server},"
        f" {pinned}. *CPU added* is the web process's processor time a request, less that without"
        " sessions (in brackets: all of it); *speed* is requests a second, as a share of those"
        " without sessions.\n"
    )


def _kind(
    group: Group, kind: str, found: Mapping[tuple[str, str], Figures], costs: Mapping[str, Any]
) -> str:
    rows = [
        _row(subject, found[subject.name, kind], costs["counts"][subject.name].get(kind, {}))
        for subject in group.subjects
    ]
    head = [name for name in rows[0] if any(row[name] for row in rows) or name == ""]
    return f"### {_TITLES[kind]}\n\n" + table(head, [[row[name] for name in head] for row in rows])


def _row(subject: Subject, of: Figures, counted: Mapping[str, float]) -> dict[str, str]:
    """Return the cells by the heads of their columns; what is not known or of interest is empty."""
    on_redis = subject.store == "redis"
    return {
        "": subject.title,
        "CPU added, µs": f"{of.added:.0f}" if not subject.is_baseline else f"({of.cpu:.0f})",
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


def _cookies(group: Group, counts: Mapping[str, Any]) -> str:
    cookies = ", ".join(
        f"{subject.title} {counts[subject.name]['cookie_bytes']}"
        for subject in (*group.others, *group.ours[:1])
    )
    return f"Bytes of a request's cookie: {cookies}.\n"


def _memory(memory: Mapping[str, int]) -> str:
    return (
        "## Memory\n\n"
        f"The data of each session has 1,000 bytes in MessagePack, as coatcheck keeps it, and"
        f" {len(json.dumps(data.session(0))):,} in JSON, as most others do. In Redis coatcheck"
        f" takes {memory['bytes']:,} bytes a session, its entry in the user's index included"
        f" (MEMORY USAGE of {memory['keys']:,} keys of {memory['sessions']:,} sessions; all that"
        f" Redis holds grew by {memory['growth']:,} a session).\n"
    )


def _stores(rates: Mapping[str, Any]) -> str:
    rows = [
        [
            aim.title,
            str(aim.tasks),
            f"{(share := ratio(rates[aim.name])):.2f}",
            f"{aim.least:g}",
            "reached" if share >= aim.least else "no",
        ]
        for aim in AIMS
    ]
    head = ["", "tasks", "is", "at least", ""]
    return (
        "## Stores beside their bare drivers\n\n"
        "Calls a second of one process with asyncio through the store, in those by asyncpg's or"
        " redis-py's own pool as it comes, in the same run; medians of the rounds' ratios.\n\n"
        + table(head, rows)
    )


def survivors_table(survivors: Sequence[Mapping[str, Any]]) -> str:
    """Return what each library keeps of the requests; docs/how-to/measure.md shows it too."""
    total = survivors[0]["requests"]
    rows = [
        [each["title"], _processes(each), *(_range(each[what]) for what in ("cart", "count"))]
        for each in survivors
    ]
    head = ["", "processes", f"items kept of {total}", f"count of {total}"]
    return table(head, rows)


def _processes(of: Mapping[str, Any]) -> str:
    threads = of.get("threads")
    return f"{of['processes']} of {threads} threads" if threads else str(of["processes"])


def _range(repetitions: Sequence[Mapping[str, int]]) -> str:
    kept = sorted(each["kept"] for each in repetitions)
    middle = kept[len(kept) // 2]
    text = str(middle) if kept[0] == kept[-1] else f"{middle} ({kept[0]}-{kept[-1]})"
    refused = sum(each["refused"] for each in repetitions)
    return f"{text}, {refused} refused" if refused else text
