"""Gather the facts and run the checks on them, in order."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from coatcheck.blocking import BlockingSessions
from coatcheck.core.policy import Policy
from coatcheck.doctor import found, store_examination, target
from coatcheck.doctor.answer import Caller
from coatcheck.doctor.checks import (
    caching,
    connection,
    development,
    encryption,
    flags,
    identifiers,
    lifetime,
    logout,
    repetition,
    rotation,
    secret_keys,
    timeouts,
)
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.http_caller import HttpCaller
from coatcheck.doctor.local import is_local
from coatcheck.doctor.order import Order
from coatcheck.doctor.report import Report
from coatcheck.doctor.sent_cookie import SentCookie
from coatcheck.doctor.session_cookies import session_names
from coatcheck.doctor.trial import Plan, Traffic, observe
from coatcheck.errors import ConfigurationError
from coatcheck.sessions import Sessions
from coatcheck.web.transport import Transport

_FAILED = "signing in failed: see rotation"


def examine(order: Order) -> Report:
    """Look at all that was asked for.

    Raises:
        CannotRun: something that was asked for cannot be looked at.
    """
    if order.target is None and order.store is None and order.sessions is None:
        raise CannotRun("names nothing to look at", "command line", "name a URL or module:app")
    report, inside = Report(order.shown), found.Found()
    order = order.with_entry()
    caller: Caller | None = None
    try:
        if order.url is not None:
            caller = HttpCaller(order.url, order.ca)
        elif order.target is not None:
            app = target.load(order.target)
            caller = target.caller(app, order.target, order.host)
            inside = _search(app, order.target)
            report.add(development.NAME, development.check_setting(inside.is_development))
        if order.sessions is not None:
            inside.sessions = _given(order.sessions)
            inside.every.append(inside.sessions)
        if inside.sessions is not None:
            _configured(report, inside.sessions, inside.transport, order.profile)
        elif order.target is not None or order.sessions is not None:
            why = "no sessions of coatcheck were found: name them by --sessions module:name"
            report.skip(timeouts.NAME, why)
            report.skip(encryption.NAME, why)
        _secret_keys(report, inside.secrets)
        if caller is not None:
            traffic = _traffic(report, order.plan, caller, inside.cookies)
            if isinstance(caller, HttpCaller):
                _connection(report, caller, traffic)
    finally:
        if caller is not None:
            caller.close(inside.every)
    sessions = inside.sessions
    policy = Policy() if sessions is None else sessions.policy
    if order.store is not None:
        store_examination.by_url(report, order.store, policy)
    elif sessions is not None:
        store_examination.of_sessions(report, sessions.store, policy)
    else:
        report.skip("store", "no store was found: name it by --store URL")
    return report


def _connection(report: Report, caller: HttpCaller, traffic: Traffic) -> None:
    """Judge how it was reached; plain HTTP is no news where a cookie of development came by it."""
    sent = [cookie for answer in traffic.answers for cookie in answer.cookies]
    weak = [cookie for cookie in sent if _is_of_development(caller, cookie)]
    for cookie in weak:
        report.add(development.NAME, development.check_cookie(cookie, caller.origin))
    if not weak:
        encrypted = connection.check(caller.origin, caller.host, is_encrypted=caller.is_encrypted)
        report.add(connection.NAME, encrypted)


def _is_of_development(caller: Caller, cookie: SentCookie) -> bool:
    is_plain = isinstance(caller, HttpCaller) and not caller.is_encrypted and is_local(caller.host)
    return is_plain and development.is_its_cookie(cookie)


def _search(app: object, name: str) -> found.Found:
    try:
        return found.search(app)
    except ConfigurationError as error:
        raise CannotRun(f"refuses to start: {error}", name, "correct that setting") from None


def _given(name: str) -> Sessions:
    thing: Any = target.load(name)
    if isinstance(thing, BlockingSessions):
        thing = thing.inner
    if not isinstance(thing, Sessions):
        raise CannotRun("is no Sessions", name, "name a Sessions or BlockingSessions")
    return thing


def _configured(
    report: Report, sessions: Sessions, transport: Transport | None, profile: str | None
) -> None:
    report.add(timeouts.NAME, timeouts.check(sessions.policy, transport, profile))
    report.add(encryption.NAME, encryption.check(sessions.envelope, datetime.now(UTC)))


def _secret_keys(report: Report, secrets: Mapping[str, object]) -> None:
    for setting, secret in secrets.items():
        report.add(secret_keys.NAME, secret_keys.check(setting, secret))


def _traffic(report: Report, plan: Plan, caller: Caller, cookies: Collection[str]) -> Traffic:
    if not plan.cookies:
        plan = replace(plan, cookies=cookies)
    traffic = observe(caller, plan)
    has_failed = traffic.signing is not None and not traffic.signing.worked
    if not traffic.answers:
        why = "name --login-url and --login-data, or --cookie"
        why = _FAILED if has_failed else f"no response set a session's cookie: {why}"
        for check in (flags, lifetime, repetition, caching, identifiers):
            report.skip(check.NAME, why)
    for answer in traffic.answers:
        report.add(repetition.NAME, repetition.check(answer))
        report.add(caching.NAME, caching.check_handed_over(answer))
        names = session_names((c.name for c in answer.cookies), plan.cookies)
        for cookie in answer.cookies:
            if cookie.name in names and not cookie.is_deletion:
                is_weak = _is_of_development(caller, cookie)
                report.add(flags.NAME, flags.check(cookie, is_of_development=is_weak))
                report.add(lifetime.NAME, lifetime.check(cookie))
    for name, values in traffic.identifiers.items():
        report.add(identifiers.NAME, identifiers.check(name, values))
    if traffic.personal is not None:
        report.add(caching.NAME, caching.check_personal(traffic.personal))
    if traffic.signing is None or plan.login is None:
        report.skip(rotation.NAME, "name --login-url and --login-data")
        report.skip(logout.NAME, "name --login-url, --login-data and --logout-url")
        return traffic
    signed = rotation.check(traffic.signing, plan.login, as_json=plan.as_json)
    report.add(rotation.NAME, signed)
    if plan.logout is None:
        report.skip(logout.NAME, "name --logout-url")
    elif has_failed:
        report.skip(logout.NAME, _FAILED)
    else:
        report.add(logout.NAME, logout.check(traffic.signing, plan.logout))
    return traffic
