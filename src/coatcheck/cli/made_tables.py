"""The tables of an SQL database, made by the command."""

from typing import TYPE_CHECKING

from coatcheck.config import without_driver
from coatcheck.errors import ConfigurationError
from coatcheck.waiting import Kind, finish

if TYPE_CHECKING:
    from coatcheck.stores.sql import SQLStore


def make(url: str) -> list[str]:
    """Make them, or bring them up to date; return what was done, a line each.

    Raises:
        ConfigurationError: the URL is wrong, what it needs is not installed, or its user may not.
        StoreUnavailable: the database does not answer, or refuses it.
    """
    return finish(_store(url).create_tables()) or ["nothing to do"]


def definitions(url: str) -> list[str]:
    """Return the statements that make them, a line each; no database is asked.

    Raises:
        ConfigurationError: the URL is wrong, or what it needs is not installed.
    """
    return [f"{statement};" for statement in _store(url).table_definitions()]


def _store(url: str) -> "SQLStore":
    try:
        from coatcheck.stores.sql import SQLStore  # noqa: PLC0415 - an extra
    except ImportError:
        missing = "needs coatcheck[postgresql] or coatcheck[mysql] installed"
        raise ConfigurationError("url", missing) from None
    return SQLStore.from_url(without_driver(url), kind=Kind.BLOCKING)
