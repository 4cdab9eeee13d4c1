"""Make the tables of sessions, and bring those of an earlier version up to date."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, MetaData, func, insert, inspect, select, text, update

from coatcheck.errors import ConfigurationError
from coatcheck.stores.sql_tables import tables

VERSION = 1
STEPS: Mapping[int, Sequence[str]] = {}
"""What leads from a version to the next: statements, with `{sessions}` for a table's name."""


def bring_up_to_date(
    connection: Connection, prefix: str, steps: Mapping[int, Sequence[str]] = STEPS
) -> list[str]:
    """Make what is missing, in the connection's transaction; return what was done, a line each.

    Doing it again does nothing.

    Raises:
        ConfigurationError: the tables are of a newer version.
    """
    metadata = MetaData()
    made = tables(metadata, prefix)
    last = max([VERSION, *(version + 1 for version in steps)])
    done: list[str] = []
    if not inspect(connection).has_table(made.sessions.name):
        metadata.create_all(connection)
        connection.execute(insert(made.versions).values(version=last))
        return [f"made {table.name}" for table in made]
    found = connection.execute(select(func.max(made.versions.c.version))).scalar() or 0
    if found > last:
        raise ConfigurationError(
            "store",
            f"its tables are of version {found}, made by a newer coatcheck: update this one",
        )
    names = {kind: table.name for kind, table in made._asdict().items()}
    for version in range(found, last):
        for statement in steps.get(version, ()):
            connection.execute(text(statement.format(**names)))
        connection.execute(update(made.versions).values(version=version + 1))
        done.append(f"brought up to version {version + 1}")
    return done
