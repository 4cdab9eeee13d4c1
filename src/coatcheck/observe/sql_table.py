"""An audit trail in PostgreSQL, MySQL or MariaDB: a row an event, in `coatcheck_audit`."""

import json
import time
from collections.abc import Sequence
from typing import Any

from coatcheck.config import without_driver
from coatcheck.core.events import Event
from coatcheck.core.info import moment
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.waiting import Kind, finish

AGAIN_AFTER = 5
"""Seconds that a database is left alone for after it failed."""
_LONGEST = 255


class SQLTable:
    """Appends a row an event to the table that `coatcheck tables` made.

    It waits for the database: in `Audit(..., slow=True)` for an event loop, and where a request
    must not wait; behind, events are written many at once. Its user needs the right to INSERT only.

    A database that failed is left alone for `AGAIN_AFTER` seconds, so that no request waits for it
    again and again; what comes meanwhile is lost, and told as `events_lost`.

    Args:
        store: with an `Engine`, no `AsyncEngine`. `from_url` makes one.

    Raises:
        ConfigurationError: it is of the other kind.
    """

    def __init__(self, store: SQLStore) -> None:
        if store.kind is not Kind.BLOCKING:
            raise ConfigurationError("store", "SQLTable needs an Engine, not an AsyncEngine")
        self._store = store
        self._again_at = 0.0

    @classmethod
    def from_url(cls, url: str) -> "SQLTable":
        """Connect as `store_from_url` does, by one connection, in threads whatever driver it names.

        Raises:
            ConfigurationError: the URL is wrong.
        """
        return cls(SQLStore.from_url(without_driver(url), kind=Kind.BLOCKING))

    def __call__(self, event: Event) -> None:
        """Append an event.

        Raises:
            StoreUnavailable: the database does not answer, or refuses it.
            ConfigurationError: the table is missing.
        """
        self.write_all([event])

    def write_all(self, events: Sequence[Event]) -> None:
        """Append events: all of them, or none. Raises as for one."""
        if time.monotonic() < self._again_at:
            raise StoreUnavailable("the audit's database failed a moment ago")
        try:
            finish(self._store.audit([_row(event) for event in events]))
        except Exception:
            self._again_at = time.monotonic() + AGAIN_AFTER
            raise

    def close(self) -> None:
        """Let go of the connections."""
        finish(self._store.close())


def _row(event: Event) -> dict[str, Any]:
    said = event.facts.items()
    facts = {name: _clean(fact) if isinstance(fact, str) else fact for name, fact in said}
    return {
        "time": moment(event.at),
        "event": str(event.kind),
        "session": _clean(event.id),
        "subject": _clean(event.subject),
        "actor": _clean(event.actor),
        "cause": _clean(event.cause),
        "address": _clean(event.client.address),
        "agent": _clean(event.client.agent),
        "facts": json.dumps(facts) if facts else None,
    }


def _clean(text: str | None) -> str | None:
    """Return text that every database takes: of at most 255 characters, without NUL."""
    if text is None:
        return None
    kept = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"
