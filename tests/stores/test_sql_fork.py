"""SQL stores that were used before a fork, as by servers that load the application first."""

import asyncio
import os
import stat
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.conftest import new_url
from tests.kinds import DRIVERS


def sockets() -> int:
    number = 0
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that reads this folder
            number += stat.S_ISSOCK(fd.stat().st_mode)
    return number


@contextmanager
def runner(kind: Kind) -> Generator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """Yield what runs coroutines, those of asyncio in one event loop."""
    if kind is Kind.BLOCKING:
        yield finish
        return
    with asyncio.Runner() as loop:
        loop.get_loop()  # it has sockets too
        yield loop.run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_child_connects_anew_and_leaves_the_parents_connections_alone(
    request: pytest.FixtureRequest, driver: str, tmp_path: Path
) -> None:
    """Fails when both talk on one connection: each might be told of the other's session."""
    name, kind = DRIVERS[driver]
    store = SQLStore.from_url(new_url(request, name, tmp_path), kind=kind)
    before_it, in_it = make_record(), make_record()
    with runner(kind) as run:
        run(store.save(before_it, None))
        if (child := os.fork()) == 0:
            is_well = False
            with suppress(Exception), runner(kind) as run_in_it:
                before = sockets()
                run_in_it(store.save(in_it, None))
                is_well = run_in_it(store.load(before_it.id)) == before_it
                run_in_it(store.close())
                is_well = is_well and sockets() == before
            os._exit(not is_well)
        assert os.waitpid(child, 0)[1] == 0
        before = sockets()
        assert run(store.load(in_it.id)) == in_it
        assert sockets() == before
        run(store.close())
        assert sockets() == before - 1
