"""A Redis or Valkey of one's own, a master behind Sentinel, or a cluster, while the shop runs."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from examples.shop.fleet import START, FleetError
from examples.shop.ports import free_ports
from examples.shop.program import find, run, running

DOWN_AFTER: Final = 2_000  # milliseconds of silence until a server is taken for dead


@contextlib.contextmanager
def redis_servers(name: str, *more: str) -> Generator[str]:
    """Start them, and give their URL.

    Args:
        name: `redis`, `valkey`, `sentinel` (a master and a replica that three sentinels watch) or
            `cluster` (of three masters with a replica each).
        more: options of each server.

    Raises:
        FleetError: a program is not installed, or does not start.
    """
    with tempfile.TemporaryDirectory(prefix="coatcheck-") as folder, _Servers(folder, more) as own:
        yield _MAKERS[name](own)


class _Servers(contextlib.ExitStack):
    def __init__(self, folder: str, more: tuple[str, ...]) -> None:
        super().__init__()
        self.folder, self._more = Path(folder), more

    def start(self, *options: str, program: str = "redis-server") -> int:
        """Start one in a folder of its own, and return its port."""
        (port,) = free_ports(1)
        folder = self.folder / str(port)
        folder.mkdir()
        command = [find(program), *options, "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", str(folder), "--save", "", "--repl-diskless-sync-delay", "0"]
        self.enter_context(running([*command, *self._more], port, folder))
        return port


def _redis(own: _Servers) -> str:
    return f"redis://127.0.0.1:{own.start()}"


def _valkey(own: _Servers) -> str:
    return f"valkey://127.0.0.1:{own.start(program='valkey-server')}"


def _sentinel(own: _Servers) -> str:
    master = own.start()
    own.start("--replicaof", f"127.0.0.1 {master}")
    sentinels: list[int] = []
    for number in range(3):
        settings = own.folder / f"sentinel-{number}.conf"
        settings.write_text(
            f"sentinel monitor shop 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds shop {DOWN_AFTER}\n"
        )
        sentinels.append(own.start(str(settings), "--sentinel"))
    return f"redis+sentinel://{_hosts(sentinels)}/shop"


def _cluster(own: _Servers) -> str:
    how = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(DOWN_AFTER)]
    how += ["--cluster-require-full-coverage", "no"]
    nodes = [own.start(*how, "--cluster-port", str(bus)) for bus in free_ports(6)]
    create = [find("redis-cli"), "--cluster", "create", *_hosts(nodes).split(",")]
    run([*create, "--cluster-replicas", "1", "--cluster-yes"], own.folder)
    for node in nodes:
        _wait_until("cluster_state:ok", node, "CLUSTER", "INFO")
    return f"redis+cluster://{_hosts(nodes[:3])}"


def _wait_until(said: str, port: int, *question: str) -> None:
    ask = [find("redis-cli"), "-p", str(port), *question]
    deadline = time.monotonic() + START
    while said.encode() not in subprocess.run(ask, capture_output=True, check=False).stdout:
        if time.monotonic() > deadline:
            raise FleetError(f"the server on port {port} never said {said}")
        time.sleep(0.05)


def _hosts(ports: list[int]) -> str:
    return ",".join(f"127.0.0.1:{port}" for port in ports)


_MAKERS: Final[dict[str, Callable[[_Servers], str]]] = {
    "redis": _redis,
    "valkey": _valkey,
    "sentinel": _sentinel,
    "cluster": _cluster,
}
