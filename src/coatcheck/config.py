"""Choose a store by URL, for applications that are configured by one."""

from difflib import get_close_matches
from urllib.parse import parse_qsl, unquote, urlsplit

from coatcheck.errors import ConfigurationError
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocol import Store
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.waiting import Kind

_SQL = ("postgresql", "postgres", "mysql", "mariadb")
_REDIS = [
    server + tls + topology
    for server in ("redis", "valkey")
    for tls in ("", "s")
    for topology in ("", "+sentinel", "+cluster")
]
_KNOWN = (
    "memory:, sqlite:///, redis:// (or valkey://), rediss://, unix://, redis+sentinel://, "
    "redis+cluster://, postgresql://, mysql:// or mariadb://"
)


def store_from_url(url: str, *, blocking: bool = False) -> Store:
    """Return the store a URL names.

    - `memory:`, this process's memory
    - `sqlite:///relative.db`, `sqlite:////absolute.db`; `?synchronous=full`
    - `redis://`, `rediss://`, `unix://`; `?prefix=`, `?wait=`, and redis-py's options
    - `redis+sentinel://host,host/name`, `redis+cluster://host,host`, `rediss+…` with TLS; `valkey`
      for `redis`
    - `postgresql://` (or `postgres://`), `mysql://`, `mariadb://`, with the driver of SQLAlchemy if
      need be, as in `postgresql+asyncpg://`; `?prefix=`, `?pool_size=`, and the driver's options

    Args:
        blocking: whether a client blocks, for `BlockingSessions`; memory and SQLite serve both.

    Raises:
        ConfigurationError: the URL is not understood; what it holds is not repeated.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError("url", "is no URL") from None
    if parts.scheme == "memory":
        if parts.netloc or parts.path or parts.query or parts.fragment:
            raise ConfigurationError("url", "there is nothing to add to memory:")
        return MemoryStore()
    if parts.scheme == "sqlite":
        options = dict(parse_qsl(parts.query))
        if parts.netloc or parts.fragment or not parts.path.startswith("/"):
            raise ConfigurationError("url", "an SQLite URL has three slashes, or four: sqlite:///a")
        if unknown := options.keys() - {"synchronous"}:
            raise ConfigurationError("url", f"unknown option {sorted(unknown)[0]!r} for SQLite")
        return SQLiteStore(unquote(parts.path[1:]), **options)
    if parts.scheme in (*_REDIS, "unix"):
        try:
            from coatcheck.stores.redis import RedisStore  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError("url", "Redis needs coatcheck[redis] installed") from error
        return RedisStore.from_url(url, kind=Kind.BLOCKING if blocking else Kind.ASYNCIO)
    if is_sql(parts.scheme):
        try:
            from coatcheck.stores.sql import SQLStore  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ConfigurationError(
                "url", "an SQL database needs coatcheck[postgresql] or coatcheck[mysql] installed"
            ) from error
        return SQLStore.from_url(url, kind=Kind.BLOCKING if blocking else Kind.ASYNCIO)
    near = get_close_matches(parts.scheme, ["memory", "sqlite", *_REDIS, *_SQL], n=1, cutoff=0.75)
    meant = f" (do you mean {near[0]}:?)" if near else ""
    raise ConfigurationError("url", f"names no known store{meant}: use {_KNOWN}")


def without_driver(url: str) -> str:
    """Return a database's URL without the driver in its scheme, which may be one for asyncio."""
    scheme, colon, rest = url.partition(":")
    return scheme.partition("+")[0] + colon + rest if is_sql(scheme) else url


def is_sql(scheme: str) -> bool:
    """Tell whether a URL with that scheme names a database of SQL that is a server."""
    return scheme.partition("+")[0] in _SQL
