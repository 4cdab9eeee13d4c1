"""SQLite under threads that do not know of each other: closed in use, forked in use."""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coatcheck import SQLiteStore
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import make_record
from coatcheck.waiting import finish


@contextmanager
def busy(store: SQLiteStore, threads: int) -> Generator[list[BaseException]]:
    """Let threads read and write, until the block is over."""
    is_over, failures = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            while not is_over.is_set():
                record = make_record()
                finish(store.save(record, None))
                assert finish(store.load(record.id)) == record
        except BaseException as failure:
            failures.append(failure)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield failures
    finally:
        is_over.set()
        for worker in workers:
            worker.join()


def test_a_store_may_be_closed_while_other_threads_use_it(tmp_path: Path) -> None:
    """At the end of an application that still serves: it opens anew. Fails, by a crash of the
    process, when a connection is closed in the middle of another thread's statement.
    """
    store = SQLiteStore(tmp_path / "s.db")
    with busy(store, 4) as failures:
        for _ in range(50):
            finish(store.close())
    assert failures == []
    finish(store.close())


# Python itself warns of forks beside threads, as it should; servers do it all the same.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_beside_a_thread_that_uses_the_store_does_no_harm(tmp_path: Path) -> None:
    """Fails, by a child that hangs or closes what is its parent's, when something is left open."""
    store = SQLiteStore(tmp_path / "s.db")
    with busy(store, 2) as failures:
        for _ in range(20):
            if (child := os.fork()) == 0:
                record = make_record()
                try:
                    finish(store.save(record, None))
                    os._exit(0 if finish(store.load(record.id)) == record else 1)
                except StoreUnavailable:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
    assert failures == []
    finish(store.close())
