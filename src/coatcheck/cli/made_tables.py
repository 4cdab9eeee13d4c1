"""The tables of an SQL database, made by the command."""

from urllib.parse import urlsplit

from coatcheck.errors import ConfigurationError
from coatcheck.waiting import Kind, finish


def make(url: str) -> list[str]:
    """Make them, or bring them up to date; return what was done, a line each.

    Raises:
        ConfigurationError: the URL is wrong, or what it needs is not installed.
        StoreUnavailable: the database does not answer, or refuses it.
    """
    try:
        from coatcheck.stores.sql import SQLStore  # noqa: PLC0415 - an extra
    except ImportError:
        missing = "needs coatcheck[postgresql] or coatcheck[mysql] installed"
        raise ConfigurationError("url", missing) from None
    # The application's driver may be one for asyncio.
    database, plus, driver = urlsplit(url).scheme.partition("+")
    blocking = url.replace(plus + driver, "", 1) if driver else url
    store = SQLStore.from_url(blocking, kind=Kind.BLOCKING)
    return finish(store.create_tables()) or [f"{database}: nothing to do"]
