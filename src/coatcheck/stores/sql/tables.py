"""The tables of sessions in an SQL database, as SQLAlchemy describes them to Alembic, too.

The table is the index of subjects. A tombstone takes the place of its record, in the same row, so
that the primary key alone decides who was first (S1), at any level of isolation. No common write
changes a column with an index: `due` is when a sweep has to look at the row again.
"""

from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.dialects import mysql, postgresql

_LONGEST = 200


# Compared byte by byte; MySQL has that for bytes alone, without trailing blanks.
_Text = (
    String(255)
    .with_variant(postgresql.VARCHAR(255, collation="C"), "postgresql")
    .with_variant(mysql.VARBINARY(255), "mysql", "mariadb")
)
_Bytes = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
_Head = LargeBinary(17).with_variant(mysql.VARBINARY(17), "mysql", "mariadb")
_INNODB: dict[str, Any] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}
_UNICODE: dict[str, Any] = {
    f"{name}_{option}": value
    for name in ("mysql", "mariadb")
    for option, value in {"charset": "utf8mb4", "collate": "utf8mb4_bin"}.items()
}
_Moment = DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


class Tables(NamedTuple):
    """What a store keeps, a table each.

    Attributes:
        sessions: a row for each record and each tombstone. `value` is all of it, packed; what
            statements look at stands beside it. `head` is how the value of a record starts, and
            null in a tombstone; `place` is null in a record that was not put into the index.
        bars: the bar of a subject, and the last place that was given in its index.
        counters: of attempts, until nobody asks about them any more.
        versions: one row, which version these tables are of.
        audit: an event each, in UTC; only `coatcheck.observe.sql_table` writes here.
    """

    sessions: Table
    bars: Table
    counters: Table
    versions: Table
    audit: Table


def tables(metadata: MetaData, prefix: str = "coatcheck") -> Tables:
    """Describe the tables in `metadata`, as `target_metadata` of Alembic, for one.

    Args:
        prefix: of the tables' names, to keep applications in one database apart.
    """
    sessions = Table(
        f"{prefix}_sessions",
        metadata,
        Column("id", _Text, primary_key=True),
        Column("owner", _Text),
        Column("seen_at", BigInteger, nullable=False),
        Column("idle", BigInteger, nullable=False),
        Column("ends_at", BigInteger, nullable=False),
        Column("due", BigInteger, nullable=False),
        Column("place", BigInteger),
        Column("head", _Head),
        Column("value", _Bytes, nullable=False),
        postgresql_with={"fillfactor": "80"},
        **_INNODB,
    )
    Index(f"{prefix}_sessions_owner", sessions.c.owner, sessions.c.id)
    Index(f"{prefix}_sessions_due", sessions.c.due)
    bars = Table(
        f"{prefix}_bars",
        metadata,
        Column("owner", _Text, primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("place", BigInteger, nullable=False),
        **_INNODB,
    )
    Index(f"{prefix}_bars_place", bars.c.place)
    counters = Table(
        f"{prefix}_counters",
        metadata,
        Column("name", _Text, primary_key=True),
        Column("count", BigInteger, nullable=False),
        Column("until", BigInteger, nullable=False),
        **_INNODB,
    )
    Index(f"{prefix}_counters_until", counters.c.until)
    versions = Table(
        f"{prefix}_version",
        metadata,
        Column("version", BigInteger, primary_key=True, autoincrement=False),
        **_INNODB,
    )
    audit = Table(
        f"{prefix}_audit",
        metadata,
        Column("number", BigInteger, Identity(), primary_key=True),
        Column("time", _Moment, nullable=False),
        Column("event", String(40), nullable=False),
        Column("session", String(40)),
        Column("subject", String(255)),
        Column("actor", String(255)),
        Column("cause", String(255)),
        Column("address", String(255)),
        Column("agent", String(255)),
        Column("facts", JSON),
        **_INNODB,
        **_UNICODE,
    )
    Index(f"{prefix}_audit_time", audit.c.time)
    Index(f"{prefix}_audit_subject", audit.c.subject, audit.c.time)
    return Tables(sessions, bars, counters, versions, audit)


def owner(subject: str | None) -> str:
    """Return how a subject is written, everybody for `None`, in ASCII: readable where it can be."""
    if subject is None:
        return "*"
    if len(subject) <= _LONGEST and subject.isascii() and "\0" not in subject:
        return "=" + subject
    return "#" + sha256(subject.encode()).hexdigest()
