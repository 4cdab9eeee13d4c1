"""Sessions in a database of SQL: PostgreSQL, MySQL or MariaDB."""

from coatcheck.stores.sql.store import SQLStore

__all__ = ["SQLStore"]
