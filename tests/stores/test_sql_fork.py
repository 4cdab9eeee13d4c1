"""SQL stores that were used before a fork, as by servers that load the application first."""

import os
import stat
from contextlib import suppress
from pathlib import Path

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.parametrize(
    "driver", [name for name, (_, kind) in DRIVERS.items() if kind is Kind.BLOCKING]
)
def test_a_child_connects_anew_and_leaves_the_parents_connections_alone(
    request: pytest.FixtureRequest, driver: str, tmp_path: Path
) -> None:
    """Fails when both talk on one connection: each might be told of the other's session."""
    url = new_url(request, DRIVERS[driver][0], tmp_path)
    store = SQLStore.from_url(url, kind=Kind.BLOCKING)
    before_it, in_it = make_record(), make_record()
    finish(store.save(before_it, None))
    if (child := os.fork()) == 0:
        is_well = False
        with suppress(Exception):
            before = sockets()
            finish(store.save(in_it, None))
            is_well = finish(store.load(before_it.id)) == before_it
            finish(store.close())
            is_well = is_well and sockets() == before
        os._exit(not is_well)
    assert os.waitpid(child, 0)[1] == 0
    before = sockets()
    assert finish(store.load(in_it.id)) == in_it
    assert sockets() == before
    finish(store.close())
    assert sockets() == before - 1
