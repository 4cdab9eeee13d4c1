"""What is wrong with a store: planted in real ones."""

import sqlite3
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from coatcheck import BlockingSessions, Sessions, store_from_url
from coatcheck.doctor.checks import access, clock, eviction, latency, persistence, store_version
from coatcheck.doctor.examination import examine
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.finding import Severity
from coatcheck.doctor.order import Order
from coatcheck.doctor.redis_facts import RedisFacts, ask, is_redis
from coatcheck.doctor.store_facts import StoreFacts
from coatcheck.waiting import finish
from tests.doctor.conftest import serious
from tests.redis_topologies import SERVICE, Nodes, Watched
from tests.redis_topologies import ask as server_ask
from tests.servers import Server, free_port, redis_server
from tests.web.https import certify

PASSWORD = "hunter2-of-redis"
GOOD = ("--requirepass", PASSWORD, "--maxmemory", "64mb")


@contextmanager
def redis(*options: str) -> Generator[str]:
    with redis_server(*GOOD, *options) as server:
        yield f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"


def test_a_good_redis_has_no_findings() -> None:
    with redis() as url:
        report = examine(Order(store=url))
    assert serious(report) == set()
    expected = {"eviction", "persistence", "store-access", "store-version", "clock", "latency"}
    assert expected <= set(report.checked)


@pytest.mark.parametrize(
    ("check", "options"),
    [
        ("eviction", ["--maxmemory-policy", "allkeys-lru"]),
        ("eviction", ["--maxmemory-policy", "volatile-ttl"]),
        ("eviction", ["--maxmemory", "0"]),
        ("persistence", ["--appendonly", "no"]),
        ("persistence", ["--appendonly", "no", "--save", "60 1"]),
        ("persistence", ["--appendfsync", "no"]),
    ],
)
def test_a_wrong_setting_of_redis_is_found(check: str, options: list[str]) -> None:
    with redis(*options) as url:
        assert serious(examine(Order(store=url))) == {check}


def test_a_redis_without_password_is_found() -> None:
    with redis_server("--maxmemory", "64mb") as server:
        report = examine(Order(store=f"redis://127.0.0.1:{server.port}/0"))
    assert serious(report) == {"store-access"}


def test_what_a_user_may_not_ask_is_said_to_be_unknown() -> None:
    rules = ["on", ">pw", "~*", "+@read", "+@write", "+@scripting", "+@connection", "+time"]
    with redis("--user", "shop", *rules) as url:
        port = url.rpartition(":")[2]
        report = examine(Order(store=f"redis://shop:pw@127.0.0.1:{port}"))
    assert serious(report) == {"eviction", "persistence"}
    assert all("not known" in one.what for one in report.findings if one.check in serious(report))


def test_tls_and_a_user_of_its_own_are_seen(tmp_path: Path) -> None:
    certify(tmp_path)
    port, ca = free_port(), tmp_path / "certificate.pem"
    tls = ["--tls-port", str(port), "--tls-cert-file", str(ca), "--tls-auth-clients", "no"]
    tls += ["--tls-key-file", str(tmp_path / "key.pem"), "--tls-ca-cert-file", str(ca)]
    with redis(*tls, "--user", "shop", "on", ">pw", "~*", "+@all"):
        url = f"rediss://shop:pw@127.0.0.1:{port}?ssl_ca_certs={ca}"
        store = store_from_url(url, blocking=True)
        assert is_redis(store)
        (facts,) = finish(ask(store))
        finish(store.close())
        assert "do not agree on TLS" in why_not(url.partition("?")[0])  # it believes nobody
    assert (facts.is_encrypted, facts.has_password, facts.user) == (True, True, "shop")
    assert (facts.eviction, facts.fsync, facts.snapshots) == ("noeviction", "always", False)


def test_every_master_of_a_cluster_is_asked(cluster: Nodes) -> None:
    """Fails when the first one answers for all; a cluster of tests has no replicas, no limits."""
    with setting(cluster.masters[1], "maxmemory-policy", "allkeys-lru"):
        found = examine(Order(store=cluster.url())).findings
    evicting = [one for one in found if "allkeys-lru" in one.what]
    assert [one.where.rpartition(":")[2] for one in evicting] == [str(cluster.masters[1].port)]
    alone = {one.where for one in found if "no replica" in one.what}
    assert len(alone) == len(cluster.masters)


def test_the_master_behind_sentinel_is_asked(behind_sentinel: Watched) -> None:
    with setting(behind_sentinel.master(), "maxmemory-policy", "allkeys-lru"):
        found = examine(Order(store=behind_sentinel.url())).findings
    assert any("allkeys-lru" in one.what for one in found)
    assert not any("no replica" in one.what for one in found)


def why_not(url: str) -> str:
    """Return what doctor says of a store that it cannot look at, without secrets."""
    with pytest.raises(CannotRun) as trouble:
        examine(Order(store=url))
    assert "hunter2" not in str(trouble.value)
    return str(trouble.value)


def test_what_keeps_from_a_master_behind_sentinel_is_named(behind_sentinel: Watched) -> None:
    """Fails when a wrong name, a sentinel, or a server that refuses is an answer that is none."""
    url, master = behind_sentinel.url(), f"127.0.0.1:{behind_sentinel.master().port}"
    said = why_not(url.replace(f"/{SERVICE}/", "/myother/"))
    assert f"no sentinel knows a master `myother`, but `{SERVICE}`" in said
    said = why_not(url + "sentinel_username=nobody&sentinel_password=hunter2")
    for sentinel in behind_sentinel.sentinels:
        assert f"the sentinel 127.0.0.1:{sentinel.port} refuses the user or password" in said
    assert "see sentinel_username and sentinel_password" in said
    said = why_not(url.replace("://", "://nobody:hunter2@"))
    assert f"{master} refuses the user or password: see user and password" in said
    port = free_port()
    said = why_not(f"redis+sentinel://:hunter2@127.0.0.1:{port}/{SERVICE}")
    assert f"nothing listens on 127.0.0.1:{port}" in said


def test_the_store_of_an_application_is_looked_at_as_closely(
    behind_sentinel: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client is one for asyncio."""
    url = behind_sentinel.url()
    module = ModuleType("site_of_redis")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for wrong, what in {
        url.replace(f"/{SERVICE}/", "/myother/"): "no sentinel knows a master `myother`",
        url.replace("://", "://nobody:hunter2@"): "refuses the user or password",
    }.items():
        sessions = Sessions(store_from_url(wrong))
        monkeypatch.setattr(module, "sessions", sessions, raising=False)
        with pytest.raises(CannotRun, match=what):
            examine(Order(sessions="site_of_redis:sessions"))


def test_what_keeps_from_a_redis_is_named(tmp_path: Path) -> None:
    port = free_port()
    assert f"nothing listens on 127.0.0.1:{port}" in why_not(f"redis://:hunter2@127.0.0.1:{port}")
    assert "nothing listens on" in why_not(f"unix://{tmp_path}/none?password=hunter2")
    assert "nothing listens on" in why_not(f"redis+cluster://:hunter2@127.0.0.1:{port}")
    with redis() as url:
        wrong = url.replace(PASSWORD, "hunter2-is-wrong")
        address = url.rpartition("@")[2].removesuffix("/0")
        assert f"{address} refuses the user or password" in why_not(wrong)
        assert f"{address} refuses the user or password" in why_not(f"redis://{address}")
    with redis("--user", "shop", "on", ">pw", "~*", "-@all") as url:
        address = url.rpartition("@")[2]
        assert "lacks a right" in why_not(f"redis://shop:pw@{address}")


def test_what_keeps_from_a_cluster_is_named(cluster: Nodes) -> None:
    said = why_not(cluster.url().replace("://", "://nobody:hunter2@"))
    assert "refuses the user or password" in said


@contextmanager
def setting(server: Server, name: str, value: str) -> Generator[None]:
    before = server_ask(server, "CONFIG", "GET", name)[1]
    server_ask(server, "CONFIG", "SET", name, value)
    yield
    server_ask(server, "CONFIG", "SET", name, before)


FACTS = RedisFacts(
    "127.0.0.1", False, True, "shop", "7.4.1", "noeviction", 1 << 26, 1, True, "always"
)


def test_redis_over_a_network_needs_tls_and_a_password() -> None:
    assert list(access.check(FACTS, "store")) == []
    assert list(access.check(replace(FACTS, host="10.0.0.7", is_encrypted=True), "store")) == []
    far = replace(FACTS, host="10.0.0.7")
    for wrong in (far, replace(far, is_encrypted=True, has_password=False)):
        assert [one.severity for one in access.check(wrong, "store")] == [Severity.ERROR]


def test_an_old_or_a_full_redis_is_found() -> None:
    assert [*store_version.check(FACTS, "s"), *eviction.check(FACTS, "s")] == []
    assert list(store_version.check(replace(FACTS, version="6.2.14"), "s"))
    assert list(eviction.check(replace(FACTS, used_memory=60 << 20), "s"))
    assert list(persistence.check(FACTS, "s")) == []


def test_a_clock_that_is_off_is_found_beyond_doubt() -> None:
    facts = StoreFacts([0.001] * 100, 0, 5, [])
    assert list(clock.check(facts, "s")) == []
    assert list(clock.check(replace(facts, skew=1_004), "s")) == []  # it may be less
    assert "behind" in next(clock.check(replace(facts, skew=-3_000), "s")).what


def test_a_slow_store_is_found() -> None:
    fast = StoreFacts([0.001] * 200, 0, 0, [])
    assert [one.severity for one in latency.check(fast, "s")] == [Severity.INFO]
    for slow in ([0.01] * 200, [0.001] * 197 + [0.5] * 3):
        found = list(latency.check(replace(fast, latencies=slow), "s"))
        assert [one.severity for one in found] == [Severity.WARNING]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.db"
    sessions = BlockingSessions(store_from_url(f"sqlite:///{path}"))
    session = sessions.open(None)
    session["note"] = "x" * 40_000
    sessions.commit(session)
    sessions.close()
    return path


def test_large_sessions_are_found(file: Path) -> None:
    assert serious(examine(Order(store=f"sqlite:///{file}"))) == {"session-sizes"}


def test_a_good_file_has_no_findings(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'sessions.db'}"
    BlockingSessions(store_from_url(url)).close()
    assert serious(examine(Order(store=url))) == set()


def test_a_file_that_others_can_read_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    BlockingSessions(store_from_url(f"sqlite:///{path}")).close()
    path.chmod(0o644)
    assert serious(examine(Order(store=f"sqlite:///{path}"))) == {"sqlite-file"}
    path.chmod(0o600)
    tmp_path.chmod(0o777)
    assert serious(examine(Order(store=f"sqlite:///{path}"))) == {"sqlite-file"}


def test_another_journal_is_found_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    BlockingSessions(store_from_url(f"sqlite:///{path}")).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    before = path.read_bytes()
    assert serious(examine(Order(store=f"sqlite:///{path}"))) == {"sqlite-file"}
    assert path.read_bytes() == before


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(CannotRun, match="FileNotFoundError"):
        examine(Order(store=f"sqlite:///{path}"))
    assert list(tmp_path.iterdir()) == []


def test_memory_is_found() -> None:
    assert serious(examine(Order(store="memory:"))) == {"memory-store"}
