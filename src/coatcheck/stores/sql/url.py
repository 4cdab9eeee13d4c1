"""What the query of a database's URL says, as each driver takes it."""

import ssl
from typing import Any

from sqlalchemy.engine import URL

from coatcheck.errors import ConfigurationError

_CHECKED = {"verify-ca": False, "verify-full": True}


def without(url: URL, option: str, default: str) -> tuple[URL, str]:
    """Take an option of ours out of a URL's query."""
    value = url.query.get(option, default)
    return url.difference_update_query([option]), value if isinstance(value, str) else value[-1]


def for_driver(url: URL, driver: str) -> tuple[URL, dict[str, Any]]:
    """Return a URL with what its driver reads in text, and what it takes otherwise.

    `sslmode`, `sslrootcert` and `statement_cache_size=0` (nothing is prepared, as PgBouncer wants
    it) mean the same to asyncpg and to psycopg, so that one URL serves both.

    Raises:
        ConfigurationError: a file or a number is none.
    """
    options: dict[str, Any] = {}
    if driver in ("asyncpg", "psycopg") and "statement_cache_size" in url.query:
        url, size = without(url, "statement_cache_size", "")
        if not size.isdecimal() or (driver == "psycopg" and int(size)):
            raise ConfigurationError("url", "statement_cache_size must be a number, psycopg's 0")
        options |= (
            {"prepare_threshold": None}
            if driver == "psycopg"
            else {"statement_cache_size": int(size)}
        )
    if driver == "asyncpg" and "sslmode" in url.query:
        url, mode = without(url, "sslmode", "")
        url, file = without(url, "sslrootcert", "")
        options["ssl"] = mode if mode not in _CHECKED or not file else _context(file, mode)
    return url, options


def _context(file: str, mode: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=file)
    except OSError:  # an SSLError is one
        raise ConfigurationError("url", "sslrootcert names no file of certificates") from None
    context.check_hostname = _CHECKED[mode]
    return context
