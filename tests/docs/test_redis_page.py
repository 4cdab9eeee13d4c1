"""What docs/how-to/redis.md tells operators to write and to run makes what it says.

The lines are run as printed, but for the addresses: the page's three machines are three of this
one's, with the ports that the page names.
"""

import asyncio
import re
import secrets
import subprocess
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from coatcheck import Sessions, store_from_url
from tests.docs.test_redis_examples import use
from tests.redis_topologies import USER, until
from tests.servers import Server, program

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "redis.md").read_text()
HOSTS = [f"10.0.0.{number}" for number in (1, 2, 3)]
"""The page's."""
REDIS, SENTINEL = 6379, 26379


def block(name: str) -> str:
    found = re.search(rf"<!-- tested: {name} -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def said(start: str) -> str:
    """Return what the page says from `start` on, to the end of the line or the code."""
    *_, found = re.findall(rf"{re.escape(start)}[^`\n]*", PAGE)
    return str(found)


class Machines:
    """Where an operator writes files, starts servers and runs commands."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        # Addresses of this machine that nobody else's test has.
        self._net = f"127.{1 + secrets.randbelow(254)}.{secrets.randbelow(256)}."

    def here(self, text: str) -> str:
        """Put addresses of this machine in the places of the page's."""
        return text.replace("10.0.0.", self._net)

    def start(self, host: str, port: int, settings: str, *options: str) -> Server:
        """Start a server with the page's settings, on one of the page's machines."""
        own = self.here(settings.replace("bind 10.0.0.1", f"bind {host}"))
        folder = self._folder / f"{host}-{port}"
        folder.mkdir()
        (folder / "file.conf").write_text(own)
        address = self.here(host)
        command = [program("redis-server"), str(folder / "file.conf"), "--port", str(port)]
        command += ["--dir", str(folder), "--loglevel", "warning"]
        command += ["--bind-source-addr", address, *options]  # as from a machine of its own
        server = Server(command, port, folder, host=address)
        self._stack.callback(server.kill)
        server.start()
        return server

    def run(self, commands: str) -> str:
        """Run lines of the page, and return what they print."""
        done = subprocess.run(
            ["sh", "-e", "-c", self.here(commands)],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def say(self, hosts: list[str], port: int, question: str, *answers: str) -> list[str]:
        """Return the machines whose server says all this."""
        told = {host: self.run(f"redis-cli -h {host} -p {port} -a {question}") for host in hosts}
        return [host for host in hosts if all(answer in told[host] for answer in answers)]

    def follow(self, url: str) -> None:
        """Use the store of a URL of the page as the examples are."""

        async def work() -> None:
            await use(Sessions(store_from_url(self.here(url))))

        asyncio.run(work())


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
    settings, soon = block("redis.conf"), ("--repl-diskless-sync-delay", "0")
    first, *others = HOSTS
    machines.start(first, REDIS, re.sub("replicaof .*", "", settings), *soon)
    for host in others:
        machines.start(host, REDIS, settings, *soon)
    assert machines.run(block("user")).split() == ["OK"] * 6
    for host in HOSTS:
        machines.start(host, SENTINEL, block("sentinel.conf"), "--sentinel")
    asked, known = "for-sentinels SENTINEL MASTER mymaster", ["slaves\n2\n", "sentinels\n2\n"]
    until(lambda: machines.say(HOSTS, SENTINEL, asked, *known) == HOSTS)
    url = said("redis+sentinel://shop")
    machines.follow(url)
    quorum, *master = machines.run(block("quorum")).splitlines()
    assert quorum.startswith("OK 3 usable Sentinels")
    assert master == [machines.here(first), str(REDIS)]
    assert machines.run(block("failover")).split() == ["OK", "OK"]
    left = f"ip\n{machines.here(first)}\n"
    until(lambda: not machines.say(HOSTS, SENTINEL, asked, left))
    until(lambda: machines.say(others, REDIS, "between-servers INFO", "role:master", "slave0:"))
    machines.follow(url)


def test_a_cluster_from_nothing(machines: Machines) -> None:
    settings, ports = block("cluster.conf"), (REDIS, REDIS + 1)
    for port in ports:
        for host in HOSTS:
            machines.start(host, port, settings)
    create = re.search(r"redis-cli -a \S+ --cluster create .*?\n```", PAGE, re.DOTALL)
    assert create
    machines.run(create[0].removesuffix("\n```") + " --cluster-yes")
    for port in ports:
        user = block("user").replace("-h $host", f"-h $host -p {port}")
        assert machines.run(user).split() == ["OK"] * 6
    asked, first = "between-servers CLUSTER INFO", ports[0]
    until(lambda: machines.say(HOSTS, first, asked, "cluster_state:ok") == HOSTS)
    machines.follow(said("redis+cluster://shop:secret@10"))
