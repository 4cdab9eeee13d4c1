"""The kinds of stores, and which tests run on which: the one place that says so.

Every kind passes the whole contract in both forms (tests/stores). Above the contract the same code
runs on all, so that most tests need no more than the `USUAL`. What shows only where requests meet
runs on more kinds: the model, in tasks and threads, is on `EVERY`, and so is what meets in one
process; what starts processes of its own takes those that share it.
"""

import pytest

from coatcheck.waiting import Kind

USUAL = ["memory", "sqlite", "redis"]
"""One of each design: Python itself, SQL in a file, scripts on a server."""
SERVERS = ["redis", "sentinel", "cluster", "valkey", "postgresql", "mariadb"]
SHARED = ["sqlite", *SERVERS]
"""Those that several processes can have open."""
EVERY = ["memory", *SHARED]
FORMS = [Kind.ASYNCIO, Kind.BLOCKING]
DRIVERS = {
    "asyncpg": ("postgresql", Kind.ASYNCIO),
    "psycopg": ("postgresql", Kind.BLOCKING),
    "asyncmy": ("mariadb", Kind.ASYNCIO),
    "pymysql": ("mariadb", Kind.BLOCKING),
}
"""Of SQL databases: for which kind, in which form."""

ON_EVERY = pytest.mark.parametrize("store_url", EVERY, indirect=True)
ON_SHARED = pytest.mark.parametrize("store_url", SHARED, indirect=True)
ON_DATABASES = pytest.mark.parametrize(
    "store_url", ["sqlite", "redis", "postgresql", "mariadb"], indirect=True
)
"""Each program once, for what takes long: the other kinds are Redis, found in another way."""
IN_BOTH_FORMS = pytest.mark.parametrize("form", FORMS, indirect=True)
