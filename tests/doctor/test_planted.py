"""Row M35: each mistake is planted on its own and found by its own check, and by no other."""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from coatcheck.doctor.examination import examine
from coatcheck.doctor.finding import Severity
from coatcheck.doctor.order import Order
from coatcheck.doctor.report import Report
from tests.doctor import careless
from tests.doctor.careless import GOOD, Careless
from tests.doctor.conftest import PLAN, serious, served, worth

Look = Callable[[Careless], Report]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    def look(app: Careless) -> Report:
        monkeypatch.setattr(careless, "app", app)
        return examine(Order("tests.doctor.careless:app", plan=PLAN))

    return look


def test_nothing_is_found_where_nothing_is_wrong(look: Look) -> None:
    report = look(Careless())
    assert report.findings == []
    assert {"cookie-flags", "identifiers", "rotation", "logout", "caching"} <= set(report.checked)


def test_whoever_doctor_signed_in_is_signed_out(look: Look) -> None:
    app = Careless()
    look(app)
    assert app.users == []


_numbers = itertools.count(100_000)


@pytest.mark.parametrize(
    ("check", "settings"),
    [
        ("cookie-flags", {"attributes": GOOD.replace("; HttpOnly", "")}),
        ("cookie-flags", {"attributes": GOOD.replace("; Secure", "")}),
        ("cookie-flags", {"attributes": GOOD.replace("Lax", "None")}),
        ("cookie-flags", {"attributes": GOOD.replace("; SameSite=Lax", "")}),
        ("cookie-flags", {"attributes": f"{GOOD}; Domain=shop.test"}),
        ("cookie-flags", {"name": "__Secure-sid", "attributes": f"{GOOD}; Domain=shop.test"}),
        ("cookie-flags", {"attributes": GOOD.replace("Path=/", "Path=/shop")}),
        ("cookie-flags", {"name": "sid"}),
        ("cookie-lifetime", {"attributes": f"{GOOD}; Max-Age=31536000"}),
        ("cookie-lifetime", {"attributes": f"{GOOD}; Expires=Fri, 01 Jan 2100 00:00:00 GMT"}),
        ("cookie-repetition", {"times": 2}),
        ("caching", {"cache": "public, max-age=60"}),
        ("caching", {"cache": "max-age=0"}),
        ("caching", {"personal": "public"}),
        ("identifiers", {"new": lambda: str(next(_numbers))}),
        ("identifiers", {"new": lambda: f"{next(_numbers):032x}"}),
        ("identifiers", {"new": lambda: uuid.uuid1().hex}),
        ("identifiers", {"new": lambda: uuid.uuid4().hex}),
        ("rotation", {"rotates": False}),
        ("rotation", {"ends_old": False}),
        ("rotation", {"rotates": False, "is_strict": False}),
        ("logout", {"ends": False}),
    ],
)
def test_a_mistake_is_found_by_its_check_alone(
    look: Look, check: str, settings: dict[str, Any]
) -> None:
    report = look(Careless(**settings))
    assert serious(report) == {check}


def test_an_identifier_that_was_never_issued_is_named(look: Look) -> None:
    report = look(Careless(rotates=False, is_strict=False))
    assert any("never issued" in one.what for one in report.findings)


def test_a_wrong_password_is_an_error_rather_than_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(careless, "FIELDS", {"user": "alice", "password": "changed"})
    report = examine(Order("tests.doctor.careless:app", plan=PLAN))
    assert serious(report) == {"rotation"}
    assert report.has(Severity.ERROR)


def test_a_page_that_is_the_same_for_all_is_an_error_rather_than_a_pass() -> None:
    report = examine(Order("tests.doctor.careless:app", plan=replace(PLAN, page="/")))
    assert serious(report) == {"rotation"}
    assert report.has(Severity.ERROR)


def test_plain_http_is_found() -> None:
    with served(Careless()) as url:
        report = examine(Order(f"{url}/", plan=PLAN))
    assert serious(report) == {"connection"}
    assert [one.severity for one in worth(report)] == [Severity.WARNING]  # of this machine


def test_bad_flags_are_found_on_a_real_server() -> None:
    with served(Careless("PHPSESSID", "Path=/", rotates=False, ends=False)) as url:
        report = examine(Order(f"{url}/", plan=PLAN))
    assert serious(report) == {"connection", "cookie-flags", "rotation", "logout"}
    flags = {one.what for one in report.findings if one.check == "cookie-flags"}
    assert len(flags) == 4
