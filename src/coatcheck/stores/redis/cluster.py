"""A Redis Cluster: which node has a key, learnt from the nodes themselves.

A node that is not the one refuses, names the right one and has done nothing, so that the command is
sent there. Where nothing came back, only what changes nothing is sent again (S4).
"""

import asyncio
import random
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ResponseError,
    TryAgainError,
)

from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis.advice import advice
from coatcheck.stores.redis.node import Node
from coatcheck.stores.redis.outage import Command, Unreached, is_elsewhere, is_harmless
from coatcheck.waiting import Kind, pause

Address = tuple[str, int]

TRIES = 5
"""How often a command is sent: where its slot was, is, and moves to."""
PAUSE = 0.05
"""Seconds until a node is asked again that has half of the keys, or waits for an election."""
HALF_FOR = 2.0
"""Seconds in which the other half comes, while a slot moves."""
_ASKED = 3
"""How many nodes are asked for the map before it is given up."""
_SLOTS = 16_384
_KEYED_LATER = ("EVAL", "EVALSHA")
_KEYLESS = ("TIME",)


class Cluster:
    """Sends each command to the node of its first key.

    Args:
        open_node: makes the node of an address, without connecting.
        seeds: addresses to ask first.
    """

    is_led = True

    def __init__(self, open_node: Callable[[str, int], Node], seeds: Iterable[Address]) -> None:
        self._open_node, self._seeds = open_node, list(seeds)
        self._nodes: dict[Address, Node] = {}
        self._slots: list[Address | None] = [None] * _SLOTS
        self._masters: list[Address] = []
        self._mark = 0  # differs from map to map
        self._version = 0
        self.kind: Kind = self._node(self._seeds[0]).kind

    async def send(self, *command: bytes | str | int, waits: bool = False) -> Any:
        """Send a command to the node of its key; see `Node.send`."""
        if command[0] in _KEYLESS:
            return await self._send_to_any(command)
        slot = _slot(command)
        address, is_asking = await self._owner(slot), False
        tries, until = 0, 0.0
        while True:
            tries, version = tries + 1, self._version
            try:
                return await self._talk(address, command, waits, is_asking)
            except StoreUnavailable as error:
                if isinstance(error.__cause__, TryAgainError):
                    now = time.monotonic()
                    until = until or now + HALF_FOR
                    tries = 0 if now < until else TRIES
                if tries >= TRIES:
                    raise
                following = await self._next(error, slot, address, command, version)
                if following is None:
                    raise
                address, is_asking = following

    async def send_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands that only read, one pipeline a node; see `Node.send_all`."""
        groups: dict[Address, list[int]] = {}
        for number, command in enumerate(commands):
            groups.setdefault(await self._owner(_slot(command)), []).append(number)
        replies: list[Any] = [None] * len(commands)

        async def ask(address: Address, numbers: list[int]) -> None:
            try:
                found = await self._node(address).send_all([commands[n] for n in numbers])
            except StoreUnavailable:
                with suppress(StoreUnavailable):
                    await self._refresh(but=address)
                raise
            for n, reply in zip(numbers, found, strict=True):
                replies[n] = await self.send(*commands[n]) if is_elsewhere(reply) else reply

        asking = [ask(*group) for group in groups.items()]
        if self.kind is Kind.BLOCKING:
            for each in asking:
                await each
        else:
            await asyncio.gather(*asking)
        return replies

    async def scan(self, after: str | None, pattern: str, limit: int) -> tuple[str | None, Any]:
        """See `Node.scan`: one node after the other, and all again if slots moved meanwhile."""
        if after is None:
            await self._refresh()
        mark, number, cursor = (after or f"{self._mark}.0.0").split(".")
        node = self._node(self._masters[int(number) % len(self._masters)])
        following, keys = await node.scan(cursor, pattern, limit)
        if following is not None:
            return f"{mark}.{number}.{following}", keys
        await self._refresh()
        if int(mark) != self._mark:  # what moved to a node that was read already was missed
            return f"{self._mark}.0.0", keys
        is_last = int(number) + 1 == len(self._masters)
        return None if is_last else f"{mark}.{int(number) + 1}.0", keys

    async def masters(self) -> list[Node]:
        """Return the nodes that have slots."""
        await self._refresh()
        return [self._node(address) for address in self._masters]

    async def why(self, outage: StoreUnavailable) -> str:
        """Say what an outage comes from and what to do."""
        if outage.__cause__ is None:
            return "no node that answers knows all slots: see `redis-cli --cluster check`"
        return advice(outage.__cause__, "a node of the cluster")

    async def close(self) -> None:
        """See `Node.close`."""
        for node in list(self._nodes.values()):
            await node.close()

    def _node(self, address: Address) -> Node:
        if (node := self._nodes.get(address)) is None:
            node = self._nodes.setdefault(address, self._open_node(*address))
        return node

    async def _owner(self, slot: int) -> Address:
        if (address := self._slots[slot]) is None:
            await self._refresh()
            if (address := self._slots[slot]) is None:
                raise StoreUnavailable(f"Redis: no node of the cluster has slot {slot}")
        return address

    async def _talk(self, address: Address, command: Command, waits: bool, is_asking: bool) -> Any:
        node = self._node(address)
        if not is_asking:
            return await node.send(*command, waits=waits)
        _, reply = await node.send_all([("ASKING",), command], waits=waits)
        if isinstance(reply, StoreUnavailable):
            raise reply
        return reply

    async def _send_to_any(self, command: Command) -> Any:
        """Send what has no key to slot 0's node, whose clock all processes go by; else to others.

        Raises:
            StoreUnavailable: none answered.
        """
        if not self._masters:
            await self._refresh()
        asked: set[Address] = set()
        failure = StoreUnavailable("Redis: no node of the cluster is known")
        while left := [address for address in self._masters if address not in asked]:
            address = self._slots[0] if self._slots[0] in left else left[0]
            asked.add(address)
            try:
                return await self._node(address).send(*command)
            except StoreUnavailable as error:
                failure = error
            # Whoever begins asks for nothing but this: the map would stay that of nodes long gone.
            with suppress(StoreUnavailable):
                await self._refresh(but=address)
        raise failure

    async def _next(
        self, error: StoreUnavailable, slot: int, address: Address, command: Command, version: int
    ) -> tuple[Address, bool] | None:
        """Return where to send a command now, and whether by `ASKING`; `None` to give it up."""
        cause = error.__cause__
        if isinstance(cause, AskError):
            told: Any = cause
            target: Address = told.host or address[0], told.port
            if isinstance(cause, MovedError):
                self._slots[slot] = target
            return target, not isinstance(cause, MovedError)
        is_refused = isinstance(cause, TryAgainError | ClusterDownError)
        if cause is None or (isinstance(cause, ResponseError) and not is_refused):
            return None
        if is_refused:
            await pause(PAUSE)
        if version == self._version:  # nobody else has asked since
            with suppress(StoreUnavailable):
                await self._refresh(but=address)
        now = self._slots[slot] or address
        is_in_vain = isinstance(error, Unreached) and now == address
        return (
            (now, False) if is_refused or (is_harmless(error, command) and not is_in_vain) else None
        )

    async def _refresh(self, but: Address | None = None) -> None:
        """Ask for the map, that node last.

        Raises:
            StoreUnavailable: nobody knows it.
        """
        known = list({*self._masters, *self._seeds})
        random.shuffle(known)  # so that none is always the first to be bothered
        known.sort(key=lambda address: address == but)
        doubt = StoreUnavailable("Redis: no node of the cluster is known")
        for address in known[:_ASKED]:
            try:
                ranges = _ranges(await self._node(address).send("CLUSTER", "SLOTS"), address[0])
            except StoreUnavailable as error:
                doubt = error
                continue
            if ranges:
                slots: list[Address | None] = [None] * _SLOTS
                for first, last, owner in ranges:
                    slots[first : last + 1] = [owner] * (last + 1 - first)
                self._slots, self._masters = slots, sorted({owner for *_, owner in ranges})
                self._mark, self._version = zlib.crc32(repr(ranges).encode()), self._version + 1
                return
        raise doubt


def _slot(command: Command) -> int:
    key = command[3 if command[0] in _KEYED_LATER else 1]
    return key_slot(key if isinstance(key, bytes) else str(key).encode())


def _ranges(reply: Any, host: str) -> list[tuple[int, int, Address]]:
    """Return the slots that `CLUSTER SLOTS` tells, from first to last, and whose they are.

    A node that does not know its own name is where it was asked.
    """
    return sorted(
        (int(first), int(last), (master[0].decode() if master[0] else host, int(master[1])))
        for first, last, master, *_ in reply
    )
