"""Make the tables of sessions, and bring those of an earlier version up to date."""

from collections.abc import Mapping, Sequence

from sqlalchemy import (
    ClauseElement,
    Connection,
    Dialect,
    MetaData,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from coatcheck.errors import ConfigurationError
from coatcheck.stores.sql.tables import tables

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
    look = inspect(connection)
    missing = [table for table in made if not look.has_table(table.name)]
    found = 0
    if made.versions not in missing:
        found = connection.execute(select(func.max(made.versions.c.version))).scalar() or 0
    if found > last:
        raise ConfigurationError(
            "store",
            f"its tables are of version {found}, made by a newer coatcheck: update this one",
        )
    done: list[str] = []
    names = {kind: table.name for kind, table in made._asdict().items()}
    for version in range(found or last, last):
        for statement in steps.get(version, ()):
            connection.execute(text(statement.format(**names)))
        connection.execute(update(made.versions).values(version=version + 1))
        done.append(f"brought up to version {version + 1}")
    metadata.create_all(connection, missing)
    if not found:  # also where Alembic made them
        connection.execute(insert(made.versions).values(version=last))
    return done + [f"made {table.name}" for table in missing]


def definitions(dialect: Dialect, prefix: str) -> list[str]:
    """Return the statements that make all tables, for somebody else to run."""
    metadata = MetaData()
    made = tables(metadata, prefix)
    elements: list[ClauseElement] = [CreateTable(table) for table in made]
    elements += [CreateIndex(index) for table in made for index in sorted(table.indexes, key=str)]
    elements.append(insert(made.versions).values(version=VERSION))
    return [
        _one_line(str(element.compile(dialect=dialect, compile_kwargs={"literal_binds": True})))
        for element in elements
    ]


def _one_line(statement: str) -> str:
    return " ".join(statement.split()).replace("( ", "(").replace(" )", ")")
