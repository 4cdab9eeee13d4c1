"""The whole of deploy/ on one machine: nginx, three servers, Redis, each as its file says."""

import os
import select
import shlex
import socket
import ssl
import sys
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import httpx2

from tests.deploy.redis_as_composed import redis_as_composed
from tests.deploy.shipped import settings, shipped
from tests.servers import Server, free_port, program
from tests.web.https import certify

NAME = "shop.example.com"
SERVERS = ("1", "2", "3")
GUEST = "127.0.0.2"  # nginx and the servers are at 127.0.0.1

# What Debian's own /etc/nginx/nginx.conf says, as far as it could weaken what we say.
_FRAME = """
daemon off;
pid {folder}/nginx.pid;
worker_processes 2;
events {{ worker_connections 64; }}
http {{
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    gzip on;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/shop.conf;
}}
"""


class Arrival:
    """A request that waits inside a server until it is let go, or the `with` is left."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.settimeout(90)
        self.server = connection.recv(64).decode().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        self._connection.close()


class Site:
    """Where the shop is reached, its servers by name, and the gate where requests stall."""

    def __init__(self, folder: Path, tls: int, plain: int, gate: socket.socket) -> None:
        self.folder, self.tls, self.plain, self._gate = folder, tls, plain, gate
        self.servers: dict[str, Server] = {}

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))

    def browser(self) -> httpx2.Client:
        """Return a client that calls the site by its name, from an address of its own."""
        transport = httpx2.HTTPTransport(verify=self.trust, local_address=GUEST)
        return httpx2.Client(
            base_url=f"https://127.0.0.1:{self.tls}",
            headers={"Host": NAME},
            transport=transport,
            event_hooks={"request": [_name_the_site]},
            timeout=90,
        )

    def arrival(self) -> Arrival:
        """Wait for the next request that stalls."""
        connection, _ = self._gate.accept()
        return Arrival(connection)

    def has_arrivals(self) -> bool:
        waiting, _, _ = select.select([self._gate], [], [], 0)
        return bool(waiting)


def _name_the_site(request: httpx2.Request) -> None:
    request.extensions["sni_hostname"] = NAME


@contextmanager
def site(folder: Path) -> Generator[Site]:
    certify(folder)
    with ExitStack() as running:
        gate = running.enter_context(socket.create_server(("127.0.0.1", 0)))
        gate.settimeout(90)
        data = folder / "data"
        data.mkdir()
        redis = running.enter_context(redis_as_composed(data))
        site = Site(folder, free_port(), free_port(), gate)
        for name in SERVERS:
            server = _server(name, folder, STORE=redis.url(), GATE=str(gate.getsockname()[1]))
            running.callback(server.stop)
            site.servers[name] = server
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.start, site.servers.values()))
        nginx = _nginx(site)
        running.callback(nginx.stop)
        nginx.start()
        yield site


def _server(name: str, folder: Path, **environment: str) -> Server:
    """Return a server that runs as its unit says, but for the names of what is ours."""
    port = free_port()
    unit = shipped(
        "systemd/shop@.service",
        {
            "/srv/shop/current/venv/bin/uvicorn shop:app": (
                f"{sys.executable} -m uvicorn tests.deploy.app:app",
                1,
            ),
            "800%i": (str(port), 1),
            "%i": (name, 2),
        },
    )
    (command,) = settings(unit)["ExecStart"]
    (named,) = settings(unit)["Environment"]
    given = [named, *(f"{key}={value}" for key, value in environment.items())]
    ours = f"PYTHONPATH={os.pathsep.join(sys.path)}"
    return Server(["env", ours, *given, *shlex.split(command)], port, folder)


def _nginx(site: Site) -> Server:
    folder = site.folder
    (folder / "shop.conf").write_text(shipped("nginx/shop.conf", changes(site)))
    (folder / "nginx.conf").write_text(_FRAME.format(folder=folder))
    return Server([*command(site)], site.tls, folder)


def command(site: Site) -> list[str]:
    folder = site.folder
    return [program("nginx"), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]


def changes(site: Site) -> Mapping[str, tuple[str, int]]:
    """What of nginx/shop.conf is one's own: ports, addresses, the certificate's two files."""
    live = f"/etc/letsencrypt/live/{NAME}"
    return {
        "listen 443 ": (f"listen 127.0.0.1:{site.tls} ", 2),
        "listen [::]:443 ": (f"listen 127.0.0.3:{site.tls} ", 2),
        "listen 80": (f"listen 127.0.0.1:{site.plain}", 2),
        "listen [::]:80": (f"listen 127.0.0.3:{site.plain}", 2),
        f"{live}/fullchain.pem": (f"{site.folder}/certificate.pem", 1),
        f"{live}/privkey.pem": (f"{site.folder}/key.pem", 1),
        **{
            f"127.0.0.1:800{name}": (f"127.0.0.1:{server.port}", 1)
            for name, server in site.servers.items()
        },
    }
