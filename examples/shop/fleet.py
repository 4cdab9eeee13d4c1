"""Three servers, the balancer and a service, as child processes that never outlive this one."""

import time
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final, Self
from urllib.parse import urlsplit

import httpx2

from coatcheck.tokens import SigningKeys
from examples.shop.access import KEYS
from examples.shop.child import Child
from examples.shop.clock import VARIABLE
from examples.shop.kinds import KINDS
from examples.shop.parcels import NAME as PARCELS
from examples.shop.parcels import SHOP
from examples.shop.ports import free_ports

NAMES: Final = ("A", "B", "C")
START: Final = 60  # seconds a process may take until it answers


class FleetError(Exception):
    """The fleet cannot run, or a process of it did not come up; the sentence says why or which."""


class Fleet:
    """Use as a context manager: inside, everything answers; afterwards, everything is gone.

    `store` is the store's URL, `clock` the file that moves the shop's time, `port` the balancer's
    (a free one by default), `log` where the processes write their warnings (by default: stderr),
    `kinds` the frameworks that the servers are written in, taken in turn.

    Raises FleetError, as entering it does: `store` is the memory of one process, or there is no
    such kind.
    """

    def __init__(
        self,
        store: str,
        *,
        clock: Path | None = None,
        port: int | None = None,
        log: IO[bytes] | None = None,
        kinds: Sequence[str] = ("fastapi",),
    ) -> None:
        if unknown := set(kinds) - KINDS.keys():
            known = ", ".join(KINDS)
            raise FleetError(f"there is no shop in {', '.join(unknown) or 'nothing'}, only {known}")
        if urlsplit(store).scheme == "memory":
            raise FleetError(
                f"{len(NAMES)} servers cannot share {store}, the memory of one process"
            )
        balancer, parcels, *servers = free_ports(2 + len(NAMES))
        names = (
            NAMES if len(kinds) == 1 else [*map("-".join, zip(NAMES, cycle(kinds), strict=False))]
        )
        self._kinds = dict(zip(names, cycle(kinds), strict=False))
        self.url, self.parcels = _url(port or balancer), _url(parcels)
        self.servers = {name: _url(each) for name, each in zip(names, servers, strict=True)}
        self.children: dict[str, Child] = {}
        self._log = log
        self._time = {VARIABLE: str(clock)} if clock else {}
        self._secrets = {"STORE": store, KEYS: SigningKeys.new_key()}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        for name, url in self.servers.items():
            kind = self._kinds[name]
            options = "--name", name, "--kind", kind
            self._launch(name, "examples.shop.server", url, *options, knows=self._secrets)
        for name, url in self.servers.items():
            self._wait(name, url)
        self._launch("balancer", "examples.shop.balancer", self.url, *self.servers.values())
        self._wait("balancer", self.url)
        self._launch(PARCELS, "examples.shop.parcels", self.parcels, knows={SHOP: self.url})
        self._wait(PARCELS, self.parcels)

    def _launch(
        self,
        name: str,
        module: str,
        url: str,
        *arguments: str,
        knows: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start a process; it `knows` what is in its environment, and nothing of the others'."""
        port, environment = str(urlsplit(url).port), {**self._time, **knows}
        self.children[name] = Child(
            module, "--port", port, *arguments, environment=environment, log=self._log
        )

    def _wait(self, name: str, url: str) -> None:
        """Return once `url` answers; raises FleetError if its process ends or takes too long."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if not self.children[name].runs():
                raise FleetError(f"{name} stopped while it was starting")
            if _answers(url):
                return
            time.sleep(0.05)
        raise FleetError(f"{name} did not answer within {START} seconds")

    def _stop(self) -> None:
        """Ask all at once, the balancer first, then wait for each."""
        children = list(reversed(self.children.values()))
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.stop()
        self.children.clear()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url + "/health", timeout=1).is_success
    except httpx2.TransportError:
        return False
