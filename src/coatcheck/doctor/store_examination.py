"""Gather the facts of a store and run the checks on them."""

import asyncio
from urllib.parse import parse_qsl, unquote, urlsplit

from coatcheck.config import store_from_url, without_driver
from coatcheck.core.policy import Policy
from coatcheck.doctor import redis_facts, sql_facts, sqlite_facts
from coatcheck.doctor.checks import (
    access,
    clock,
    eviction,
    latency,
    memory,
    persistence,
    sizes,
    sql_access,
    sql_durability,
    sql_tables,
    sql_version,
    sqlite_file,
    store_version,
    sweeping,
)
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.redis_facts import RedisFacts
from coatcheck.doctor.report import Report
from coatcheck.doctor.sql_facts import SQLFacts
from coatcheck.doctor.store_facts import StoreFacts, measure
from coatcheck.doctor.target import shown_url
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocol import Store
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.waiting import Kind, finish


def by_url(report: Report, url: str, policy: Policy) -> None:
    """Look at a store by its URL; no file is made or changed.

    Raises:
        CannotRun: it cannot be looked at.
    """
    where = f"store {shown_url(url)}"
    try:
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            path, options = unquote(parts.path[1:]), dict(parse_qsl(parts.query))
            facts = _file(report, path, options.get("synchronous", "NORMAL"))
            if facts.journal != "wal":
                why = "coatcheck would change the file's journal_mode"
                report.skip("store", why if facts.journal else "it is not one of coatcheck")
                return
        _examine(report, store_from_url(without_driver(url), blocking=True), where, policy)
    except ConfigurationError as error:
        raise CannotRun(error.problem, where) from None
    except ValueError:
        raise CannotRun("is no URL", where, "correct it") from None


def of_sessions(report: Report, store: Store, policy: Policy) -> None:
    """Look at the store of an application's sessions.

    Raises:
        CannotRun: it cannot be looked at.
    """
    if isinstance(store, SQLiteStore):
        _file(report, store.path, store.synchronous)
    _examine(report, store, "store", policy)


def _file(report: Report, path: str, synchronous: str) -> sqlite_facts.SQLiteFacts:
    try:
        facts = sqlite_facts.look(path, synchronous)
    except OSError as error:
        what, do = f"cannot be looked at ({type(error).__name__})", "name the application's file"
        raise CannotRun(what, f"file {path}", do) from None
    report.add(sqlite_file.NAME, sqlite_file.check(facts))
    return facts


def _examine(report: Report, store: Store, where: str, policy: Policy) -> None:
    if isinstance(store, MemoryStore):
        report.add(memory.NAME, memory.check())
    asking = _asked(store, where)
    try:
        asked, measured = finish(asking) if store.kind is Kind.BLOCKING else asyncio.run(asking)
    except ConfigurationError as error:
        raise CannotRun(error.problem, where) from None
    if isinstance(asked, SQLFacts):
        for check in (sql_access, sql_durability, sql_tables, sql_version, sweeping):
            report.add(check.NAME, check.check(asked, where))
        asked = []
    for facts in asked:
        at = f"{where}, {facts.name}" if facts.name else where
        for check in (eviction, persistence, access, store_version):
            report.add(check.NAME, check.check(facts, at))
    report.add(clock.NAME, clock.check(measured, where))
    report.add(sizes.NAME, sizes.check(measured, where, policy.max_size))
    report.add(latency.NAME, latency.check(measured, where))


async def _why(store: Store, outage: StoreUnavailable) -> str:
    if redis_facts.is_redis(store):
        return await store.why(outage)
    if sql_facts.is_sql(store):
        return str(outage)  # it is in our words
    return "does not answer; see that it runs"


async def _asked(store: Store, where: str) -> tuple[list[RedisFacts] | SQLFacts, StoreFacts]:
    """Ask a store, and let go of its connections: they are of this event loop.

    Raises:
        CannotRun: it does not answer.
        ConfigurationError: it cannot be asked.
    """
    asked: list[RedisFacts] | SQLFacts = []
    try:
        if redis_facts.is_redis(store):
            asked = await redis_facts.ask(store)
        elif sql_facts.is_sql(store):
            asked = await sql_facts.ask(store)
        return asked, await measure(store)
    except StoreUnavailable as error:
        raise CannotRun(await _why(store, error), where) from None
    finally:
        await store.close()
