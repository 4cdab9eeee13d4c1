"""What a URL of Redis or Valkey says: where the servers are, and how to talk to them."""

import re
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import redis.connection
from redis.exceptions import RedisError

from coatcheck.errors import ConfigurationError
from coatcheck.stores.redis.wait import Wait

driver: Any = redis.connection  # whose functions have no types

DEFAULTS: dict[str, Any] = {"socket_timeout": 2.0, "socket_connect_timeout": 2.0}
_OURS = ("prefix", "wait", "wait_timeout", "sentinel_username", "sentinel_password")
_TAKEN = {"retry", "maint_notifications_config", "connection_class", "host", "port", "path"}
"""What a store sets itself, or the rest of the URL does."""
_SCHEME = re.compile(r"(redis|valkey)(s?)(?:\+(sentinel|cluster))?|(unix)")


class Topology(StrEnum):
    """How the servers of a URL work together."""

    ONE = "one"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Target(NamedTuple):
    """What a URL says.

    Attributes:
        addresses: host and port of each server, sentinel or node; empty for a Unix socket.
        service: what the sentinels call the master.
        settings: of redis-py's connections, without host and port.
        sentinel: of the connections to sentinels.
        most: connections of a pool.
    """

    topology: Topology
    addresses: list[tuple[str, int]]
    service: str
    settings: dict[str, Any]
    sentinel: dict[str, Any]
    most: int
    is_encrypted: bool
    prefix: str
    wait: Wait | None


def parse(url: str) -> Target:
    """Read a URL; what it says is not tried.

    Raises:
        ConfigurationError: it is wrong; the password in it is not repeated.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError("url", "is no URL") from None
    if (match := _SCHEME.fullmatch(parts.scheme)) is None:
        raise ConfigurationError("url", "is no URL of Redis or Valkey")
    topology = Topology(match[3] or "one")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    ours = {name: query.pop(name) for name in _OURS if name in query}
    if taken := query.keys() & _TAKEN:
        raise ConfigurationError("url", f"is no Redis URL: look at {min(taken)}")
    service, database = "", parts.path.strip("/")
    if topology is Topology.SENTINEL:
        service, _, database = database.partition("/")
        if not service:
            raise ConfigurationError("url", "name the master after the sentinels: …/mymaster")
    elif ours.keys() & {"sentinel_username", "sentinel_password"}:
        raise ConfigurationError("url", "there is no sentinel: use redis+sentinel://")
    if match[4]:
        database = ""
    if database and not (database.isascii() and database.isdigit()):
        raise ConfigurationError("url", "the database after the host must be a number")
    if topology is Topology.CLUSTER and int(database or query.get("db", "0") or 0):
        raise ConfigurationError("url", "a cluster has no databases but 0")
    login, _, hosts = parts.netloc.rpartition("@")
    addresses = [] if match[4] else _addresses(hosts, topology)
    if match[4]:
        plain = f"unix://{parts.netloc}{parts.path}"
    else:
        plain = f"redis{match[2]}://{login}{'@' if login else ''}/{database}"
    try:
        settings: dict[str, Any] = DEFAULTS | driver.parse_url(f"{plain}?{urlencode(query)}")
    except (ValueError, TypeError, AttributeError, RedisError) as error:
        raise ConfigurationError("url", f"is no Redis URL{_named(error)}") from None
    settings.pop("connection_class", None)
    for setting in DEFAULTS:
        if settings[setting] <= 0:
            raise ConfigurationError("url", f"{setting} must be more than 0 seconds")
    login_of_sentinel = {
        name.removeprefix("sentinel_"): value
        for name, value in ours.items()
        if name.startswith("sentinel_")
    }
    return Target(
        topology,
        addresses,
        unquote(service),
        settings,
        login_of_sentinel,
        settings.pop("max_connections", 32),
        bool(match[2]),
        ours.get("prefix", "coatcheck"),
        wait_of(ours.get("wait", "0"), ours.get("wait_timeout", "1"), settings),
    )


def wait_of(replicas: str | int, seconds: str | float, settings: dict[str, Any]) -> Wait | None:
    """Return what writes wait for, `None` for no replica.

    Raises:
        ConfigurationError: it is no number, or takes longer than an answer may.
    """
    try:
        wait = Wait(int(replicas), float(seconds))
    except ValueError:
        raise ConfigurationError("wait", "must be a number of replicas, and of seconds") from None
    if wait.replicas < 0:
        raise ConfigurationError("wait", "must be a number of replicas")
    limit = settings.get("socket_timeout") or float("inf")
    if wait.replicas and not 0 < wait.seconds < limit:
        raise ConfigurationError("wait_timeout", "must be more than 0 and less than socket_timeout")
    return wait if wait.replicas else None


def _addresses(hosts: str, topology: Topology) -> list[tuple[str, int]]:
    names = hosts.split(",")
    if topology is Topology.ONE and len(names) > 1:
        what = "several hosts need redis+sentinel:// or redis+cluster://"
        raise ConfigurationError("url", what)
    default = 26_379 if topology is Topology.SENTINEL else 6_379
    found: list[tuple[str, int]] = []
    for name in names:
        try:
            parts = urlsplit(f"//{name}")
            host, port = unquote(parts.hostname or ""), parts.port
        except ValueError:
            raise ConfigurationError("url", "a port must be a number") from None
        if not host and topology is not Topology.ONE:
            raise ConfigurationError("url", "a host is missing")
        found.append((host or "localhost", default if port is None else port))
    return found


def _named(error: Exception) -> str:
    """Return which option the driver does not like, where it says so."""
    option = re.search(r"argument '(\w+)'|for '(\w+)'", str(error))
    return f": look at {option[1] or option[2]}" if option else ""


def unknown_option(error: Exception) -> ConfigurationError:
    """Return what to raise where a connection does not know a setting of the URL."""
    return ConfigurationError("url", f"is no Redis URL{_named(error)}")
