"""What docs/how-to/redis.md tells operators to write and to run makes what it says."""

import asyncio
import re
import subprocess
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from coatcheck import Sessions, store_from_url
from tests.docs.test_redis_examples import use
from tests.redis_topologies import USER, until
from tests.servers import Server, free_port, program

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "redis.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"<!-- tested: {name} -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def said(start: str) -> str:
    """Return what the page says from `start` on, to the end of the line or the code."""
    *_, found = re.findall(rf"{re.escape(start)}[^`\n]*", PAGE)
    return str(found)


def at(ports: list[int], text: str) -> str:
    """Put ports of this machine in the places of the page's hosts, in their order."""
    places = iter(ports)
    return re.sub(r"10\.0\.0\.\d(:\d+)?", lambda _: f"127.0.0.1:{next(places)}", text)


class Machines:
    """Where an operator writes files and starts servers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack

    def start(self, settings: str, *options: str) -> Server:
        port = free_port()
        folder = self._folder / str(port)
        folder.mkdir()
        (folder / "file.conf").write_text(re.sub(r"10\.0\.0\.\d", "127.0.0.1", settings))
        command = [program("redis-server"), str(folder / "file.conf"), "--port", str(port)]
        command += ["--dir", str(folder), "--loglevel", "warning", *options]
        server = Server(command, port, folder)
        self._stack.callback(server.kill)
        server.start()
        return server

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", command], cwd=self._folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make_user(self, server: Server) -> None:
        command = block("user").replace("redis-cli", f"redis-cli -p {server.port}")
        assert self.run(command) == "OK\n"

    def say(self, servers: list[Server], question: str, *answers: str) -> list[Server]:
        """Return the servers that say all this."""
        told = [self.run(f"redis-cli -p {server.port} -a {question}") for server in servers]
        return [
            server
            for server, said in zip(servers, told, strict=True)
            if all(answer in said for answer in answers)
        ]


@pytest.fixture
def machines(tmp_path: Path) -> Generator[Machines]:
    with ExitStack() as stack:
        yield Machines(tmp_path, stack)


def test_the_user_is_who_the_contract_runs_as() -> None:
    """Fails when the page's list lacks a command that the store sends, or has one too many."""
    words = block("user").replace("\\\n", " ").replace("'", "").split()
    assert {word for word in words if word[0] == "+"} == {rule for rule in USER if rule[0] == "+"}


def test_sentinel_from_nothing(machines: Machines) -> None:
    """And over a failover. Fails when the new master does not know the user."""
    settings, watching = block("redis.conf"), block("sentinel.conf")
    first = machines.start(re.sub("replicaof .*", "", settings), "--repl-diskless-sync-delay", "0")
    there = settings.replace(" 6379", f" {first.port}")
    others = [machines.start(there, "--repl-diskless-sync-delay", "0") for _ in range(2)]
    for server in (first, *others):
        machines.make_user(server)
    watching = watching.replace(" 6379 ", f" {first.port} ")
    sentinels = [machines.start(watching, "--sentinel") for _ in range(3)]
    asked, known = "for-sentinels SENTINEL MASTER mymaster", ["slaves\n2\n", "sentinels\n2\n"]
    until(lambda: machines.say(sentinels, asked, *known) == sentinels)
    url = at([sentinel.port for sentinel in sentinels], said("redis+sentinel://shop"))
    follow(url)
    quorum, failover = said("redis-cli -p 26379"), "SENTINEL FAILOVER mymaster"
    quorum = quorum.replace("26379", str(sentinels[0].port))
    assert machines.run(quorum).startswith("OK 3 usable Sentinels")
    machines.run(quorum.replace("SENTINEL CKQUORUM mymaster", failover))
    until(lambda: not machines.say(sentinels, asked, f"port\n{first.port}\n"))
    until(lambda: machines.say(others, "between-servers INFO", "role:master", "slave0:"))
    follow(url)


def follow(url: str) -> None:
    """Use the store of a URL as the examples are."""

    async def work() -> None:
        await use(Sessions(store_from_url(url)))

    asyncio.run(work())


def test_a_cluster_from_nothing(machines: Machines) -> None:
    settings = block("cluster.conf")
    servers = [machines.start(settings, "--cluster-port", str(free_port())) for _ in range(6)]
    ports = [server.port for server in servers]
    create = re.search(r"redis-cli -a \S+ --cluster create .*?\n```", PAGE, re.DOTALL)
    assert create
    machines.run(at(ports, create[0].removesuffix("\n```")) + " --cluster-yes")
    for server in servers:
        machines.make_user(server)
    asked = "between-servers CLUSTER INFO"
    until(lambda: machines.say(servers, asked, "cluster_state:ok") == servers)
    follow(at(ports, said("redis+cluster://shop:secret@10")))
