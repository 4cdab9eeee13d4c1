"""The servers that a client or a URL leads to: one, a master that sentinels know, or a cluster."""

from collections.abc import Callable
from typing import Any, cast

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncioRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from coatcheck.errors import ConfigurationError
from coatcheck.stores.redis.cluster import Cluster
from coatcheck.stores.redis.node import TLS, Node
from coatcheck.stores.redis.url import DEFAULTS, Target, Topology, unknown_option
from coatcheck.stores.redis.wait import Wait
from coatcheck.waiting import Kind

Servers = Node | Cluster

SENTINEL_PATIENCE = 0.5
"""Seconds that one sentinel may take before the next is asked: commands wait for it."""
_TURN = 2.0
"""Seconds that a command waits for a free connection."""
_OF_NODES = ("username", "password", "credential_provider", "client_name", "protocol")
"""Settings of a cluster's client, beside those of sockets and TLS, that its nodes are for."""


class _SentinelPool(redis.sentinel.SentinelConnectionPool, redis.BlockingConnectionPool):
    """Whose connections lead to the master, and which lets wait for one."""


class _AsyncioSentinelPool(
    redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool
):
    """The same for asyncio."""


def servers_at(target: Target, kind: Kind) -> Servers:
    """Return the servers of a URL; none is connected to yet.

    Raises:
        ConfigurationError: the driver does not know an option.
    """
    settings = dict(target.settings)
    pool = {"max_connections": target.most, "timeout": settings.pop("timeout", _TURN)}
    if target.topology is Topology.SENTINEL:
        known = _sentinels(target, kind, settings)
        pools = _AsyncioSentinelPool if kind is Kind.ASYNCIO else _SentinelPool
        made = pools(
            target.service, known, ssl=target.is_encrypted, **pool, **settings, **_ours(kind)
        )
        _try_settings(made, connection_pool=made)
        return Node(made, kind, target.wait)
    if target.topology is Topology.CLUSTER:
        settings.pop("db", None)
        _try_settings(_pool(kind, target.is_encrypted, settings))
        opening = _opening(kind, target.is_encrypted, {**settings, **pool}, target.wait)
        return Cluster(opening, target.addresses)
    for host, port in target.addresses:
        settings |= {"host": host, "port": port}
    one = _pool(kind, target.is_encrypted, {**settings, **pool})
    _try_settings(one)
    return Node(one, kind, target.wait)


def servers_of(client: object, wait: Wait | None) -> Servers:
    """Return the servers of a client of redis-py.

    Raises:
        ConfigurationError: the client does not fit.
    """
    driver: Any = client  # what one type of client returns, the other awaits
    if isinstance(client, redis.RedisCluster | redis.asyncio.RedisCluster) and not _queues(client):
        return _cluster_of(driver, wait)
    if not isinstance(client, redis.Redis | redis.asyncio.Redis) or _queues(client):
        raise ConfigurationError(
            "client",
            f"{type(client).__module__}.{type(client).__name__} is no client that sessions can "
            "use: give a Redis or RedisCluster of redis-py, or of redis.asyncio, or use "
            "store_from_url",
        )
    kind = Kind.ASYNCIO if isinstance(client, redis.asyncio.Redis) else Kind.BLOCKING
    pool = driver.connection_pool
    settings = cast("dict[str, Any]", pool.connection_kwargs)
    _refuse_text(settings)
    retry = settings.get("retry")
    if retry is not None and (not hasattr(retry, "get_retries") or retry.get_retries() != 0):
        raise ConfigurationError(
            "client",
            "set retry=Retry(NoBackoff(), 0): a driver that repeats a save without asking can "
            "apply it twice; coatcheck repeats what is safe to repeat",
        )
    if not getattr(pool, "is_master", True):
        raise ConfigurationError("client", "leads to replicas: use Sentinel.master_for")
    return Node(pool, kind, wait)


def _cluster_of(client: Any, wait: Wait | None) -> Cluster:
    """Return the cluster of a client, by connections of its own with the client's settings.

    The client's own repeat commands, and do not tell which.
    """
    kind = Kind.ASYNCIO if isinstance(client, redis.asyncio.RedisCluster) else Kind.BLOCKING
    given = cast("dict[str, Any]", client.get_connection_kwargs())
    _refuse_text(given)
    is_encrypted = bool(given.get("ssl")) or issubclass(given.get("connection_class", object), TLS)
    settings = DEFAULTS | {
        name: value
        for name, value in given.items()
        if value is not None and (name in _OF_NODES or name.startswith(("socket_", "ssl_")))
    }
    nodes = [*client.nodes_manager.startup_nodes.values(), *client.get_nodes()]
    seeds = {(str(node.host), int(node.port)): None for node in nodes}
    settings |= {"max_connections": 32, "timeout": _TURN}
    return Cluster(_opening(kind, is_encrypted, settings, wait), seeds)


def _opening(
    kind: Kind, is_encrypted: bool, settings: dict[str, Any], wait: Wait | None
) -> Callable[[str, int], Node]:
    def open_node(host: str, port: int) -> Node:
        return Node(_pool(kind, is_encrypted, {**settings, "host": host, "port": port}), kind, wait)

    return open_node


def _pool(kind: Kind, is_encrypted: bool, settings: dict[str, Any]) -> Any:
    module: Any = redis.asyncio if kind is Kind.ASYNCIO else redis
    way = "Connection"
    if settings.get("path"):
        way = "UnixDomainSocketConnection"
    elif is_encrypted:
        way = "SSLConnection"
    return module.BlockingConnectionPool(
        connection_class=getattr(module, way), **settings, **_ours(kind)
    )


def _sentinels(target: Target, kind: Kind, settings: dict[str, Any]) -> Any:
    """Return what asks the sentinels, by the same sockets and TLS as the servers."""
    module: Any = redis.asyncio.sentinel if kind is Kind.ASYNCIO else redis.sentinel
    same = {name: value for name, value in settings.items() if name.startswith(("socket_", "ssl_"))}
    limits = {name: min(SENTINEL_PATIENCE, settings[name]) for name in DEFAULTS}
    given = {**same, **limits, **target.sentinel, **_ours(kind), "ssl": target.is_encrypted}
    return module.Sentinel(target.addresses, sentinel_kwargs=given)


def _ours(kind: Kind) -> dict[str, Any]:
    """Return what the driver is told besides: to repeat nothing (S4)."""
    module: Any = redis.asyncio if kind is Kind.ASYNCIO else redis
    made = AsyncioRetry if kind is Kind.ASYNCIO else Retry
    settings: dict[str, Any] = {"retry": made(NoBackoff(), 0)}
    if hasattr(module.ConnectionPool, "maint_notifications_enabled"):
        # With them a pool hands out connections that a restart of Redis has closed.
        settings["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    return settings


def _try_settings(pool: Any, **others: Any) -> None:
    """Have the driver name what it does not know.

    Raises:
        ConfigurationError: it does.
    """
    try:
        pool.connection_class(**{**pool.connection_kwargs, **others})
    except (ValueError, TypeError, AttributeError, RedisError) as error:
        raise unknown_option(error) from None


def _queues(client: object) -> bool:
    """Tell whether a client is a pipeline, which sends nothing by itself."""
    return hasattr(client, "command_stack") or hasattr(client, "cluster_client")


def _refuse_text(settings: dict[str, Any]) -> None:
    if settings.get("decode_responses"):
        raise ConfigurationError("client", "set decode_responses=False, records are bytes")
