"""Gather the facts and run the checks on them, in order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from coatcheck.blocking import BlockingSessions
from coatcheck.config import store_from_url
from coatcheck.core.policy import Policy
from coatcheck.doctor import found, sqlite_facts, target, trial
from coatcheck.doctor.answer import Caller
from coatcheck.doctor.checks import (
    access,
    caching,
    clock,
    connection,
    encryption,
    eviction,
    flags,
    identifiers,
    latency,
    lifetime,
    logout,
    memory,
    persistence,
    repetition,
    rotation,
    secret_keys,
    sizes,
    sqlite_file,
    store_version,
    timeouts,
)
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.http_caller import HttpCaller
from coatcheck.doctor.redis_facts import RedisFacts, ask, is_redis
from coatcheck.doctor.report import Report
from coatcheck.doctor.session_cookies import session_names
from coatcheck.doctor.store_facts import StoreFacts, measure
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.sessions import Sessions
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocol import Store
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.waiting import Kind, finish


@dataclass(frozen=True, slots=True)
class Order:
    """What doctor is asked to look at.

    Attributes:
        target: a URL, or `module:app`.
        store: the URL of a store.
        sessions: `module:name` of a `Sessions`, where it is not found in the application.
        profile: whose ceilings the policy is held to.
        host: as which an application object is asked.
        ca: certificates to believe besides the system's.
        plan: what to ask the application for.
    """

    target: str | None = field(default=None, repr=False)
    store: str | None = field(default=None, repr=False)
    sessions: str | None = None
    profile: str | None = None
    host: str = "localhost"
    ca: str | None = None
    plan: trial.Plan = field(default_factory=trial.Plan)


def examine(order: Order) -> Report:
    """Look at all that was asked for.

    Raises:
        CannotRun: something that was asked for cannot be looked at.
    """
    if order.target is None and order.store is None and order.sessions is None:
        raise CannotRun("names nothing to look at", "command line", "name a URL or module:app")
    report = Report(_shown(order))
    sessions: Sessions | None = None
    policy = Policy()
    caller: Caller | None = None
    try:
        inside = found.Found()
        if order.target is not None and "://" in order.target:
            caller = _from_here(report, order.target, order)
            order = _with_entry(order, order.target)
        elif order.target is not None:
            app = target.load(order.target)
            caller = target.caller(app, order.target, order.host)
            inside = _search(app, order.target)
        if order.sessions is not None:
            inside = _given(order.sessions, inside)
        if inside.sessions is not None:
            sessions = inside.sessions
            policy = sessions.policy
            _configured(report, order, sessions, inside)
        elif order.target is not None or order.sessions is not None:
            why = "no sessions of coatcheck were found: name them by --sessions module:name"
            report.skip(timeouts.NAME, why)
            report.skip(encryption.NAME, why)
        _secret_keys(report, inside.secrets)
        if caller is not None:
            _traffic(report, order, caller, inside)
    finally:
        if caller is not None:
            caller.close()
    if order.store is not None:
        _named(report, order.store, policy)
    elif sessions is not None:
        _stored(report, sessions.store, "store", policy)
    else:
        report.skip("store", "no store was found: name it by --store URL")
    return report


def _shown(order: Order) -> str:
    if order.target is not None:
        return target.shown_url(order.target) if "://" in order.target else order.target
    return order.sessions or target.shown_url(order.store or "")


def _from_here(report: Report, url: str, order: Order) -> Caller:
    caller = HttpCaller(url, order.ca)
    encrypted = connection.check(caller.origin, caller.host, is_encrypted=caller.is_encrypted)
    report.add(connection.NAME, encrypted)
    return caller


def _with_entry(order: Order, url: str) -> Order:
    """Let the path of the URL be the page for everybody, unless one is named."""
    if order.plan.entry is not None:
        return order
    parts = urlsplit(url)
    entry = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return replace(order, plan=replace(order.plan, entry=entry))


def _search(app: object, name: str) -> found.Found:
    try:
        return found.search(app)
    except ConfigurationError as error:
        raise CannotRun(f"refuses to start: {error}", name, "correct that setting") from None


def _given(name: str, inside: found.Found) -> found.Found:
    thing: Any = target.load(name)
    if isinstance(thing, BlockingSessions):
        thing = thing.inner
    if not isinstance(thing, Sessions):
        raise CannotRun("is no Sessions", name, "name a Sessions or BlockingSessions")
    inside.sessions = thing
    return inside


def _configured(report: Report, order: Order, sessions: Sessions, inside: found.Found) -> None:
    report.add(timeouts.NAME, timeouts.check(sessions.policy, inside.transport, order.profile))
    report.add(encryption.NAME, encryption.check(sessions.envelope, datetime.now(UTC)))


def _secret_keys(report: Report, secrets: Mapping[str, object]) -> None:
    for setting, secret in secrets.items():
        report.add(secret_keys.NAME, secret_keys.check(setting, secret))


def _traffic(report: Report, order: Order, caller: Caller, inside: found.Found) -> None:
    plan = order.plan
    if not plan.cookies:
        plan = replace(plan, cookies=inside.cookies)
    traffic = trial.observe(caller, plan)
    if not traffic.answers:
        why = "no response set a session's cookie: name --login-url, or --cookie"
        for check in (flags, lifetime, repetition, caching, identifiers):
            report.skip(check.NAME, why)
    for answer in traffic.answers:
        report.add(repetition.NAME, repetition.check(answer))
        report.add(caching.NAME, caching.check_handed_over(answer))
        names = session_names((c.name for c in answer.cookies), plan.cookies)
        for cookie in answer.cookies:
            if cookie.name in names and not cookie.is_deletion:
                report.add(flags.NAME, flags.check(cookie))
                report.add(lifetime.NAME, lifetime.check(cookie))
    for name, values in traffic.identifiers.items():
        report.add(identifiers.NAME, identifiers.check(name, values))
    if traffic.personal is not None:
        report.add(caching.NAME, caching.check_personal(traffic.personal))
    if traffic.signing is None or plan.login is None:
        report.skip(rotation.NAME, "name --login-url and --login-data")
        report.skip(logout.NAME, "name --login-url, --login-data and --logout-url")
        return
    report.add(rotation.NAME, rotation.check(traffic.signing, plan.login))
    if plan.logout is None:
        report.skip(logout.NAME, "name --logout-url")
    else:
        report.add(logout.NAME, logout.check(traffic.signing, plan.logout))


def _named(report: Report, url: str, policy: Policy) -> None:
    """Look at a store by its URL; no file is made or changed."""
    where = f"store {target.shown_url(url)}"
    try:
        parts = urlsplit(url)
        if parts.scheme == "sqlite":
            path, options = unquote(parts.path[1:]), dict(parse_qsl(parts.query))
            facts = _file(report, path, options.get("synchronous", "NORMAL"))
            if facts.journal != "wal":
                why = "coatcheck would change the file's journal_mode"
                report.skip("store", why if facts.journal else "it is not one of coatcheck")
                return
        store = store_from_url(url, blocking=True)
        _stored(report, store, where, policy, is_looked_at=isinstance(store, SQLiteStore))
    except ConfigurationError as error:
        raise CannotRun(error.problem, where, "correct it") from None
    except ValueError:
        raise CannotRun("is no URL", where, "correct it") from None


def _file(report: Report, path: str, synchronous: str) -> sqlite_facts.SQLiteFacts:
    try:
        facts = sqlite_facts.look(path, synchronous)
    except OSError as error:
        what, do = f"cannot be looked at ({type(error).__name__})", "name the application's file"
        raise CannotRun(what, f"file {path}", do) from None
    report.add(sqlite_file.NAME, sqlite_file.check(facts))
    return facts


def _stored(
    report: Report, store: Store, where: str, policy: Policy, *, is_looked_at: bool = False
) -> None:
    if isinstance(store, MemoryStore):
        report.add(memory.NAME, memory.check())
    elif isinstance(store, SQLiteStore) and not is_looked_at:
        _file(report, store.path, store.synchronous)
    asking = _asked(store)
    try:
        asked, measured = finish(asking) if store.kind is Kind.BLOCKING else asyncio.run(asking)
    except StoreUnavailable:
        do = "see that it runs, and that its user may log in"
        raise CannotRun("does not answer", where, do) from None
    for check in (eviction, persistence, access, store_version):
        if asked is not None:
            report.add(check.NAME, check.check(asked, where))
    report.add(clock.NAME, clock.check(measured, where))
    report.add(sizes.NAME, sizes.check(measured, where, policy.max_size))
    report.add(latency.NAME, latency.check(measured, where))


async def _asked(store: Store) -> tuple[RedisFacts | None, StoreFacts]:
    """Ask a store, and let go of its connections: they are of this event loop."""
    try:
        return await ask(store) if is_redis(store) else None, await measure(store)
    finally:
        await store.close()
