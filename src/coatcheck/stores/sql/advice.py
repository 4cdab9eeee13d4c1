"""What to do about an error of a database, in our words: its own text may hold values."""

import re

from coatcheck.stores.sql.drivers import is_late

_USER = "it refuses the user: see user and password in its URL, and whom the server lets in"
_DATABASE = "it has no such database: make it, or see the name in its URL"
_RIGHT = "its user lacks a right: grant SELECT, INSERT, UPDATE and DELETE on the tables"
_TLS = "there is no TLS as its URL wants it: see the options there that begin with ssl"
_STARTING = "it is just starting, or stopping: try again"
_FULL = "it has no connection left: lower pool_size, or raise the server's limit"

# SQLSTATEs of PostgreSQL, numbers of MySQL and MariaDB.
_BY_CODE = {
    "28000": _USER,
    "28P01": _USER,
    "1045": _USER,
    "1130": _USER,
    "1698": _USER,
    "3D000": _DATABASE,
    "1049": _DATABASE,
    "1044": "it has no such database, or none for this user: see its URL, or grant the user rights",
    "42501": _RIGHT,
    "1142": _RIGHT,
    "1143": _RIGHT,
    "53300": _FULL,
    "1040": _FULL,
    "1203": _FULL,
    "1226": _FULL,
    "57P03": _STARTING,
}

# What is said of a failed connection, in English, without a code: psycopg has none then. What the
# server itself said comes first: of a host with two addresses, the other may have refused.
_BY_TEXT = {
    "password authentication failed": _USER,
    "no password supplied": "it wants a password: put it into its URL",
    'role ".*" does not exist': "it has no such user: make it, or see the name in its URL",
    "is not permitted to log in": _USER,
    "no pg_hba.conf entry": "it does not let this user in: see its pg_hba.conf, and ?sslmode=",
    'database ".*" does not exist': _DATABASE,
    "permission denied for database": "this user may not enter that database: GRANT CONNECT",
    "too many (connections|clients)|remaining connection slots": _FULL,
    "the database system is (starting up|shutting down)": _STARTING,
    "(does not support|rejected) SSL|certificate": _TLS,
    "failed to resolve host|Name or service not known|Temporary failure in name resolution": "its "
    "host is not known: see its URL",
    "Connection refused|No such file": "nothing listens there: see that it runs, and host and port "
    "in its URL",
}


def advice(error: BaseException, code: str | None) -> str | None:
    """Say what is the case and what to do; `None` where that is anybody's guess.

    Args:
        code: what the database calls it, `None` where it did not say any.
    """
    if code is not None:
        return _BY_CODE.get(code)
    if is_late(error):
        return "there was no answer in time: see that it runs, and is not overloaded"
    for pattern, do in _BY_TEXT.items():
        if re.search(pattern, str(error)):
            return do
    if type(error).__module__.startswith("psycopg"):  # a server may speak another language
        return "see that it runs, and host, port, database, user and password in its URL"
    return "it does not answer: see that it runs, and host and port in its URL"
