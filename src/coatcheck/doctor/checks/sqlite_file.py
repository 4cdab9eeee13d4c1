"""Who can read an SQLite file, and what it promises when the power goes."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sqlite_facts import SQLiteFacts

NAME = "sqlite-file"
_STICKY = 0o1000


def check(facts: SQLiteFacts) -> Iterator[Finding]:
    """Judge mode, owner and journal."""
    where, clause = f"file {facts.path}", "ASVS 5.0 V14.2.4"

    def found(severity: Severity, what: str, do: str, clause: str = clause) -> Finding:
        return Finding(severity, NAME, what, where, do, clause)

    if rights := facts.rights:
        if rights.mode & 0o077:
            mode = f"its mode is {rights.mode:03o}"
            what = f"{mode}: others on this machine can read or change sessions"
            yield found(Severity.ERROR, what, f"chmod 600 {facts.path}")
        if rights.folder_mode & 0o022 and not rights.folder_mode & _STICKY:
            mode = f"its folder's mode is {rights.folder_mode:03o}"
            what = f"{mode}: others can put another in its place"
            yield found(Severity.ERROR, what, "take the right to write from group and others")
        if not rights.is_ours:
            what = "belongs to another user than doctor runs as"
            yield found(Severity.INFO, what, "see that it is the application's user")
    if facts.journal is None:
        yield found(Severity.ERROR, "holds no sessions of coatcheck", "name another file")
    elif facts.journal != "wal":
        what = f"its journal_mode is {facts.journal}: readers wait for writers"
        do = "let coatcheck open it once, on a local disk: it sets WAL"
        yield found(Severity.WARNING, what, do, "")
    if facts.synchronous == "NORMAL":
        what = "when the power goes, the last moments are lost, and logouts with them"
        do = "add ?synchronous=full to the URL, if that is too much"
        yield found(Severity.INFO, what, do, "ASVS 5.0 V7.4.1")
