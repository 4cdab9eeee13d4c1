"""What a store says to an SQL database, in the dialect of that and in the way of its driver."""

from typing import Any, NamedTuple

from sqlalchemy import Dialect, text

from coatcheck.errors import ConfigurationError
from coatcheck.stores.sql.tables import Tables


class Statement(NamedTuple):
    """A statement as a driver takes it.

    Attributes:
        names: of its values, in their order; `None` where the driver takes them by name.
    """

    sql: str
    names: tuple[str, ...] | None

    @property
    def only_reads(self) -> bool:
        """Whether to send it again changes nothing."""
        return self.sql.startswith("SELECT")

    def given(self, values: dict[str, Any]) -> Any:
        """Return the values as the driver takes them."""
        return values if self.names is None else tuple([values[name] for name in self.names])


_EXPIRES_AT = "least(seen_at + idle, ends_at)"

_COMMON = {
    "load": "SELECT value, seen_at FROM {sessions} WHERE id = :id",
    "lock": "SELECT value, seen_at FROM {sessions} WHERE id = :id FOR UPDATE",
    "save": """
        UPDATE {sessions} SET seen_at = greatest(seen_at, :seen_at), idle = :idle,
            ends_at = :ends_at, due = least(due, :due), head = :head, value = :value
        WHERE id = :id AND head = :expected {returning_id}""",
    "touch": """
        UPDATE {sessions} SET seen_at = :seen_at
        WHERE id = :id AND seen_at < :seen_at AND head IS NOT NULL""",
    "bury": """
        UPDATE {sessions} SET owner = NULL, place = NULL, head = NULL, seen_at = :seen_at,
            idle = :idle, ends_at = :ends_at, due = :due, value = :value
        WHERE id = :id""",
    "bar": "SELECT at, place FROM {bars} WHERE owner = :owner",
    "bars": "SELECT max(at) FROM {bars} WHERE owner IN (:owner, :everybody)",
    "lock_bar": "SELECT at, place FROM {bars} WHERE owner = :owner FOR UPDATE",
    "try_bar": "SELECT at FROM {bars} WHERE owner = :owner FOR UPDATE SKIP LOCKED",
    "set_bar": "UPDATE {bars} SET at = :at, place = :place WHERE owner = :owner",
    "place": "UPDATE {sessions} SET place = :place WHERE id = :id AND head IS NOT NULL",
    "placed": """
        SELECT id FROM {sessions} WHERE owner = :owner AND place IS NOT NULL ORDER BY place""",
    "owned": "SELECT id FROM {sessions} WHERE owner = :owner",
    "page": """
        SELECT id, value, seen_at FROM {sessions}
        WHERE id > :after AND head IS NOT NULL ORDER BY id LIMIT :limit""",
    "page_of": """
        SELECT id, value, seen_at FROM {sessions}
        WHERE owner = :owner AND id > :after ORDER BY id LIMIT :limit""",
    "count": "SELECT count(*) FROM {sessions} WHERE head IS NOT NULL",
    "count_of": "SELECT count(*) FROM {sessions} WHERE owner = :owner",
    "tallied": "SELECT count FROM {counters} WHERE name = :name",
    "due": f"""
        SELECT id, {_EXPIRES_AT}, head FROM {{sessions}} WHERE due < :before
        ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED""",
    "postpone": f"UPDATE {{sessions}} SET due = {_EXPIRES_AT} WHERE id {{one_of}}",
    "forget": "DELETE FROM {sessions} WHERE id {one_of}",
    "audit": """
        INSERT INTO {audit} (time, event, session, subject, actor, cause, address, agent, facts)
        VALUES (:time, :event, :session, :subject, :actor, :cause, :address, :agent, :facts)""",
    "commit": "COMMIT",
    "rollback": "ROLLBACK",
}
_CREATE = """
    INSERT INTO {sessions} (id, owner, seen_at, idle, ends_at, due, head, value)
    VALUES (:id, :owner, :seen_at, :idle, :ends_at, :due, :head, :value) {unless_there}"""
_FIRST_BAR = """
    INSERT INTO {bars} (owner, at, place) VALUES (:owner, 0, 0) {unless_there}"""
_OLD_BARS = "{bars} WHERE place < :before AND at < :before AND owner <> :kept LIMIT :limit"
_OLD_COUNTERS = "{counters} WHERE until < :before LIMIT :limit"
_POSTGRESQL = {
    "begin": "BEGIN ISOLATION LEVEL READ COMMITTED",
    "create": _CREATE + " {returning_id}",
    "first_bar": _FIRST_BAR,
    "tally": """
        INSERT INTO {counters} AS c (name, count, until) VALUES (:name, 1, :until)
        ON CONFLICT (name) DO UPDATE SET count = c.count + 1 RETURNING count""",
    "forget_bars": f"""
        DELETE FROM {{bars}}
        WHERE owner IN (SELECT owner FROM {_OLD_BARS} FOR UPDATE SKIP LOCKED)""",
    "forget_counters": f"""
        DELETE FROM {{counters}}
        WHERE name IN (SELECT name FROM {_OLD_COUNTERS} FOR UPDATE SKIP LOCKED)""",
    "time": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}
# What is there already is an error of MySQL's; its drivers here answer it as a row not made.
_MYSQL = {
    "begin": "START TRANSACTION",
    "create": _CREATE,
    "first_bar": _FIRST_BAR,
    "tally": """
        INSERT INTO {counters} (name, count, until) VALUES (:name, 1, :until)
        ON DUPLICATE KEY UPDATE count = count + 1""",
    "forget_bars": f"DELETE FROM {_OLD_BARS}",
    "forget_counters": f"DELETE FROM {_OLD_COUNTERS}",
    "time": "SELECT CAST(unix_timestamp(sysdate(3)) * 1000 AS SIGNED)",
}
_WORDS = {
    "postgresql": {
        "unless_there": "ON CONFLICT DO NOTHING",
        "returning_id": "RETURNING id",
        "one_of": "= ANY(:ids)",
    },
    "mysql": {"unless_there": "", "returning_id": "", "one_of": "IN :ids"},
}
_OWN = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL}


def statements(tables: Tables, dialect: Dialect) -> dict[str, Statement]:
    """Return all that a store says, by name.

    Raises:
        ConfigurationError: it is another database.
    """
    if (own := _OWN.get(dialect.name)) is None:
        raise ConfigurationError(
            "engine", f"{dialect.name} is not supported: use PostgreSQL, MySQL or MariaDB"
        )
    words = {
        **_WORDS["postgresql" if own is _POSTGRESQL else "mysql"],
        **{kind: table.name for kind, table in tables._asdict().items()},
    }
    return {
        name: _compiled(source.format(**words), dialect) for name, source in (_COMMON | own).items()
    }


def _compiled(source: str, dialect: Dialect) -> Statement:
    compiled = text(" ".join(source.split())).compile(dialect=dialect)
    names = compiled.positiontup if compiled.positional else None  # pyright: ignore
    return Statement(str(compiled), None if names is None else tuple(names))
