"""Ask an SQL database how it is set up. What its user may not ask is not known."""

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from coatcheck.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from coatcheck.stores.sql import SQLStore  # SQLAlchemy is an extra

MANY = 10_000
"""Up to here it is counted what was not swept."""
_LATE = 10 * 60_000
_POSTGRESQL = {
    "release": "SELECT current_setting('server_version')",
    "encrypted": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "superuser": "SELECT rolsuper FROM pg_roles WHERE rolname = current_user",
    "owner": """
        SELECT pg_get_userbyid(relowner) = current_user FROM pg_class
        WHERE oid = to_regclass('{sessions}')""",
    "fsync": "SELECT current_setting('fsync')",
    "commit": "SELECT current_setting('synchronous_commit')",
}
_MYSQL = {
    "release": "SELECT version()",
    "encrypted": "SHOW SESSION STATUS LIKE 'Ssl_cipher'",
    "grants": "SHOW GRANTS",
    "commit": "SELECT @@innodb_flush_log_at_trx_commit",
}
_BOTH = {
    "version": "SELECT max(version) FROM {versions}",
    "late": """
        SELECT count(*)
        FROM (SELECT 1 FROM {sessions} WHERE due < {since} LIMIT {limit}) AS late""",
}


@dataclass(frozen=True, slots=True)
class SQLFacts:
    """The server's settings; `None` where they may not be read, or there is no such thing.

    Attributes:
        product: `PostgreSQL`, `MariaDB` or `MySQL`; `release` which one.
        host: the address, `None` for a Unix socket.
        is_superuser: whether the user may do everything on the server.
        is_owner: whether the user may drop the tables.
        tables_version: of our tables, and `known_version` the one of this coatcheck.
        fsync: whether PostgreSQL waits for the disk at all.
        commit: `synchronous_commit`, or `innodb_flush_log_at_trx_commit`.
        late: rows that should have been swept more than ten minutes ago, at most `MANY`.
    """

    product: str
    host: str | None
    release: str | None = None
    is_encrypted: bool | None = None
    is_superuser: bool | None = None
    is_owner: bool | None = None
    tables_version: int | None = None
    known_version: int = 1
    fsync: bool | None = None
    commit: str | None = None
    late: int | None = None


def is_sql(store: object) -> "TypeGuard[SQLStore]":
    """Tell whether a store is an SQL database; without SQLAlchemy none is."""
    module: Any = sys.modules.get("coatcheck.stores.sql")
    return module is not None and isinstance(store, module.SQLStore)


async def ask(store: "SQLStore") -> SQLFacts:
    """Ask for what the checks need.

    Raises:
        StoreUnavailable: the server does not answer.
        ConfigurationError: the tables are missing.
    """
    from coatcheck.stores.sql.schema import VERSION  # noqa: PLC0415 - an extra

    names: dict[str, Any] = {kind: table.name for kind, table in store.tables._asdict().items()}
    await store.load("")  # what is refused from here on is not allowed
    names |= {"since": await store.time() - _LATE, "limit": MANY}
    is_postgresql = store.database == "postgresql"
    questions = (_POSTGRESQL if is_postgresql else _MYSQL) | _BOTH
    said = {name: await _try(store, sql.format(**names)) for name, sql in questions.items()}
    release = _first(said["release"])
    version, late = _first(said["version"]), _first(said["late"])
    facts: dict[str, Any] = {
        "release": None if release is None else str(release),
        "commit": _text(_first(said["commit"])),
        "tables_version": None if version is None else int(version),
        "known_version": VERSION,
        "late": None if late is None else int(late),
    }
    if is_postgresql:
        fsync = _first(said["fsync"])
        return SQLFacts(
            "PostgreSQL",
            _reached(store.host),
            is_encrypted=_first(said["encrypted"]),
            is_superuser=_first(said["superuser"]),
            is_owner=_first(said["owner"]),
            fsync=None if fsync is None else fsync == "on",
            **facts,
        )
    grants, cipher = said["grants"], said["encrypted"]
    return SQLFacts(
        "MariaDB" if "mariadb" in str(release).lower() else "MySQL",
        _reached(store.host),
        is_encrypted=None if cipher is None else any(row[1] for row in cipher),
        is_superuser=None if grants is None else any(_is_of_all(str(row[0])) for row in grants),
        is_owner=None if grants is None else any(_may_drop(str(row[0])) for row in grants),
        **facts,
    )


async def _try(store: "SQLStore", sql: str) -> list[tuple[Any, ...]] | None:
    try:
        return await store.ask(" ".join(sql.split()))
    except (StoreUnavailable, ConfigurationError):
        return None


def _first(rows: list[tuple[Any, ...]] | None) -> Any:
    return rows[0][0] if rows else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _reached(host: str | None) -> str | None:
    """Return a host name; libpq takes a path for a Unix socket, and so does an empty one."""
    return None if not host or host.startswith("/") else host


def _is_of_all(grant: str) -> bool:
    """Tell whether a line of SHOW GRANTS is about all databases, and more than logging in."""
    return " ON *.* " in grant and not grant.startswith("GRANT USAGE ")


def _may_drop(grant: str) -> bool:
    rights = grant.partition(" ON ")[0]
    return bool(re.search(r"\b(DROP|ALL PRIVILEGES)\b", rights))
