"""Ask a Redis how it is set up. What its user may not ask is not known, and said so."""

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from coatcheck.errors import StoreUnavailable

if TYPE_CHECKING:
    from coatcheck.stores.redis import RedisStore  # its client is an extra
    from coatcheck.stores.redis.node import Node


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """The server's settings; `None` where they may not be read.

    Attributes:
        name: of one of several servers.
        host: the address, `None` for a Unix socket.
        user: the ACL user of the connection; `has_password` whether it had to prove it.
        max_memory: bytes; 0 is no limit.
        eviction: `maxmemory-policy`.
        fsync: of the append-only file.
        snapshots: whether `save` has any rule.
        evicted: keys thrown away since the server started, as memory was full.
        replicas: how many follow it now; `is_led` whether others would take its place.
    """

    host: str | None
    is_encrypted: bool
    has_password: bool
    user: str | None = None
    version: str | None = None
    eviction: str | None = None
    max_memory: int | None = None
    used_memory: int | None = None
    appends: bool | None = None
    fsync: str | None = None
    snapshots: bool | None = None
    evicted: int | None = None
    replicas: int | None = None
    is_led: bool = False
    name: str | None = None


def is_redis(store: object) -> "TypeGuard[RedisStore]":
    """Tell whether a store is a Redis; without its client none is."""
    module: Any = sys.modules.get("coatcheck.stores.redis")
    return module is not None and isinstance(store, module.RedisStore)


async def ask(store: "RedisStore") -> list[RedisFacts]:
    """Ask each server that sessions are in for what the checks need.

    Raises:
        StoreUnavailable: one does not answer.
    """
    masters = await store.masters()
    found = [await _ask(master, store.is_led) for master in masters]
    if len(masters) == 1:
        return found
    return [replace(facts, name=master.name) for facts, master in zip(found, masters, strict=True)]


async def _ask(server: "Node", is_led: bool) -> RedisFacts:
    await server.send("TIME")  # what is refused from here on is not allowed
    info = _lines(await _try(server, "INFO"))
    config = {
        name: _pair(await _try(server, "CONFIG", "GET", name)) for name in ("save", "appendfsync")
    }
    wire = server.wire
    save, appends = config["save"], info.get("aof_enabled")
    return RedisFacts(
        host=wire.host,
        is_encrypted=wire.is_encrypted,
        has_password=wire.has_password,
        user=_text(await _try(server, "ACL", "WHOAMI")),
        version=info.get("redis_version"),
        eviction=info.get("maxmemory_policy"),
        max_memory=_number(info.get("maxmemory")),
        used_memory=_number(info.get("used_memory")),
        appends=None if appends is None else appends == "1",
        fsync=config["appendfsync"],
        snapshots=None if save is None else bool(save.strip()),
        evicted=_number(info.get("evicted_keys")),
        replicas=_number(info.get("connected_slaves")),
        is_led=is_led,
    )


async def _try(server: "Node", *command: str) -> Any:
    try:
        return await server.send(*command)
    except StoreUnavailable:
        return None


def _lines(reply: object) -> dict[str, str]:
    """Return the fields of INFO."""
    pairs = (line.partition(":") for line in (_text(reply) or "").splitlines())
    return {name: value for name, _, value in pairs}


def _pair(reply: object) -> str | None:
    """Return the value of CONFIG GET: a mapping in RESP3, else a list."""
    if isinstance(reply, dict):
        values = list(cast("dict[object, object]", reply).values())
    else:
        values = cast("list[object]", reply or [])[1::2]
    return _text(values[0]) if values else None


def _text(reply: object) -> str | None:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
