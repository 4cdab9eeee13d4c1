"""SQL stores that were used before a fork, as by servers that load the application first."""

import asyncio
import gc
import os
import socket
import stat
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.conftest import new_url
from tests.kinds import DRIVERS


def connections(port: int) -> int:
    """Return how many this process has to a server; other tests' sockets may close at any time."""
    number = 0
    for fd in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers
        with suppress(OSError):  # the one that reads this folder, and what is connected to nobody
            if stat.S_ISSOCK(os.fstat(int(fd)).st_mode):
                with socket.socket(fileno=os.dup(int(fd))) as same:
                    number += same.family == socket.AF_INET and same.getpeername()[1] == port
    return number


@contextmanager
def runner(kind: Kind) -> Generator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Yield what runs coroutines, those of asyncio in one event loop."""
    if kind is Kind.BLOCKING:
        yield finish
        return
    with asyncio.Runner() as loop:
        yield loop.run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_child_connects_anew_and_leaves_the_parents_connections_alone(
    request: pytest.FixtureRequest, driver: str, tmp_path: Path
) -> None:
    """Fails when both talk on one connection: each might be told of the other's session."""
    name, kind = DRIVERS[driver]
    url = new_url(request, name, tmp_path)
    port = urlsplit(url).port or 0
    gc.collect()  # what other tests left behind
    store = SQLStore.from_url(url, kind=kind)
    before_it, in_it = make_record(), make_record()
    with runner(kind) as run:
        run(store.save(before_it, None))
        if (child := os.fork()) == 0:
            is_well = False
            gc.disable()  # it would close what the parent's connections are here, at any time
            with suppress(Exception), runner(kind) as run_in_it:
                before = connections(port)
                run_in_it(store.save(in_it, None))
                is_well = run_in_it(store.load(before_it.id)) == before_it
                run_in_it(store.close())
                is_well = is_well and connections(port) == before
            os._exit(not is_well)
        assert os.waitpid(child, 0)[1] == 0
        before = connections(port)
        assert run(store.load(in_it.id)) == in_it
        assert connections(port) == before
        run(store.close())
        assert connections(port) == before - 1
