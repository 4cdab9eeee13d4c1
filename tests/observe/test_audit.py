"""What is kept of events, where, and in what order, whatever fails."""

import asyncio
import json
import logging
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coatcheck import BlockingSessions, Client, Event, Happened, MemoryStore, Sessions
from coatcheck.core.events import Listener
from coatcheck.core.presented import Presented
from coatcheck.errors import ConfigurationError
from coatcheck.observe import Audit, JSONFile, JSONLog, as_json
from coatcheck.parts import log
from tests.web.app import shop
from tests.web.client import Client as Browser

AT = 1_764_366_168_123
LOGIN = Event(Happened.CREATED, AT, "id", "alice", actor="user", cause="sign_in")
GARBAGE = Event(Happened.REFUSED, AT, cause="malformed")


class Gated:
    """A sink that writes when it is let."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.begun, self.may_write = threading.Event(), threading.Event()

    def __call__(self, event: Event) -> None:
        self.begun.set()
        assert self.may_write.wait(30)
        self.events.append(event)

    @property
    def told(self) -> list[tuple[str, object]]:
        return [(event.kind.value, event.facts.get("count")) for event in self.events]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class TestLines:
    """One event, one line."""

    def test_who_what_when_and_where(self) -> None:
        client = Client("198.51.100.7", "Firefox on Linux")
        event = Event(Happened.CREATED, AT, "id", "alice", {"assurance": 1}, "user", "x", client)
        assert json.loads(as_json(event)) == {
            "time": "2025-11-28T21:42:48.123Z",
            "event": "session_created",
            "session": "id",
            "subject": "alice",
            "actor": "user",
            "cause": "x",
            "address": "198.51.100.7",
            "agent": "Firefox on Linux",
            "facts": {"assurance": 1},
        }

    def test_what_is_unknown_is_left_out(self) -> None:
        assert json.loads(as_json(GARBAGE)) == {
            "time": "2025-11-28T21:42:48.123Z",
            "event": "token_refused",
            "cause": "malformed",
        }

    @pytest.mark.parametrize("between", ["\n", "\r\n", "\x0b", "\x85", "\u2028", "\x1b[2K", "\x7f"])
    @pytest.mark.parametrize("sink", ["file", "log", "default"])
    def test_nothing_in_an_event_looks_like_another(
        self, between: str, sink: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """V16.4.1. Fails when a listener writes what it was told as it is."""
        forged = f'x{between}{{"event":"session_created"}}'
        event = Event(
            Happened.OVERWRITTEN, AT, "id", forged, {"key": forged}, forged, forged,
            Client(forged, forged),
        )  # fmt: skip
        caplog.set_level(logging.INFO)
        sinks: dict[str, Callable[[], Listener]] = {
            "file": lambda: JSONFile(tmp_path / "audit"), "log": JSONLog, "default": lambda: log
        }  # fmt: skip
        sinks[sink]()(event)
        written = (tmp_path / "audit").read_text() if sink == "file" else f"{caplog.messages[0]}\n"
        assert written.isascii()
        assert written[:-1].isprintable()
        if sink != "default":
            assert json.loads(written)["agent"] == forged

    async def test_a_user_agent_forges_no_record(self, tmp_path: Path) -> None:
        """R-107: from the header to the file."""
        sessions = Sessions(MemoryStore(), on_event=Audit(JSONFile(tmp_path / "audit")))
        agent = b'x\n{"event":"login"}'
        await Browser(shop(sessions)).get("/login?as=x%0A%7B%7D", [(b"user-agent", agent)])
        assert [line["event"] for line in lines(tmp_path / "audit")] == ["session_created"]


class TestOrder:
    """At once, or behind."""

    def test_what_concerns_authentication_is_written_before_the_call_returns(self) -> None:
        events: list[Event] = []
        Audit(events.append)(LOGIN)
        assert events == [LOGIN]

    def test_what_is_routine_holds_nobody_up(self) -> None:
        """Fails, by hanging, when it is written at once."""
        sink = Gated()
        audit = Audit(sink)
        for _ in range(3):
            audit(GARBAGE)
        assert sink.events == []
        sink.may_write.set()
        audit.flush()
        assert sink.events == [GARBAGE] * 3

    def test_a_flush_waits_for_what_is_being_written(self) -> None:
        sink = Gated()
        audit = Audit(sink)
        audit(GARBAGE)
        assert sink.begun.wait(30)
        after: list[int] = []

        def flush() -> None:
            audit.flush()
            after.append(len(sink.events))

        flushing = threading.Thread(target=flush)
        flushing.start()
        sink.may_write.set()
        flushing.join()
        assert after == [1]

    async def test_a_flush_holds_no_event_loop_up(self) -> None:
        """Fails, by the time the sink gives up, when it is written in the loop."""
        sink = Gated()
        audit = Audit(sink, slow=True)
        sessions = Sessions(MemoryStore(), on_event=audit)
        audit(LOGIN)
        flushing = asyncio.create_task(sessions.flush())
        assert await asyncio.to_thread(sink.begun.wait, 30)
        assert sink.events == []
        sink.may_write.set()
        await flushing
        assert sink.events == [LOGIN]

    def test_what_finds_no_room_is_dropped_and_told(self, caplog: pytest.LogCaptureFixture) -> None:
        sink = Gated()
        audit = Audit(sink, limit=2)
        audit(GARBAGE)
        assert sink.begun.wait(30)  # it is out of the queue
        for _ in range(5):
            audit(GARBAGE)
        sink.may_write.set()
        audit.flush()
        refused = Happened.REFUSED.value
        assert sink.told == [(refused, None), ("events_lost", 3), (refused, None), (refused, None)]
        assert "3 events were lost" in caplog.text

    def test_with_a_slow_sink_nothing_is_written_before_the_answer(self) -> None:
        sink = Gated()
        audit = Audit(sink, slow=True)
        audit(LOGIN)
        assert sink.events == []
        sink.may_write.set()
        audit.flush()
        assert sink.events == [LOGIN]

    def test_with_a_slow_sink_what_concerns_authentication_is_never_dropped(self) -> None:
        """Fails when the request does not wait for the sink where the queue is full."""
        sink = Gated()
        audit = Audit(sink, slow=True, limit=1)
        audit(LOGIN)
        assert sink.begun.wait(30)
        logins = [threading.Thread(target=audit, args=[LOGIN]) for _ in range(8)]
        for login in logins:
            login.start()
        sink.may_write.set()
        for login in logins:
            login.join()
        audit.flush()
        assert sink.events == [LOGIN] * 9

    def test_refused_tokens_leave_a_login_its_place(self) -> None:
        """Fails when a login waits for the sink then, and an event loop with it."""
        sink = Gated()
        audit = Audit(sink, slow=True, limit=2)
        audit(GARBAGE)
        assert sink.begun.wait(30)  # it is out of the queue
        for _ in range(5):
            audit(GARBAGE)
        logins = [threading.Thread(target=audit, args=[LOGIN]) for _ in range(2)]
        for login in logins:
            login.start()
            login.join(5)
        waiting = [login.is_alive() for login in logins]
        sink.may_write.set()
        audit.flush()
        assert waiting == [False, False]
        assert sink.events[-2:] == [LOGIN, LOGIN]

    def test_many_threads_lose_nothing(self, tmp_path: Path) -> None:
        audit = Audit(JSONFile(tmp_path / "audit"))

        def tell() -> None:
            for _ in range(200):
                audit(LOGIN)
                audit(GARBAGE)

        threads = [threading.Thread(target=tell) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        audit.flush()
        kinds = [line["event"] for line in lines(tmp_path / "audit")]
        assert (kinds.count("session_created"), kinds.count("token_refused")) == (1_600, 1_600)

    def test_a_sink_may_cause_events_itself(self) -> None:
        events: list[Event] = []

        def again(event: Event) -> None:
            events.append(event)
            if len(events) == 1:
                audit(event)

        audit = Audit(again)
        audit(LOGIN)
        assert events == [LOGIN, LOGIN]


class TestFailures:
    """A sink that fails."""

    def test_fails_no_request_and_is_reported_once(self, caplog: pytest.LogCaptureFixture) -> None:
        events: list[Event] = []
        is_full = True

        def sink(event: Event) -> None:
            if is_full:
                raise OSError("no space left")
            events.append(event)

        audit = Audit(sink)
        sessions = BlockingSessions(MemoryStore(), on_event=audit)
        for _ in range(3):
            session = sessions.open(None)
            session.sign_in("alice")
            sessions.commit(session)
        assert [record.getMessage() for record in caplog.records].count(
            "the audit's sink function fails"
        ) == 1
        is_full = False
        audit(LOGIN)
        assert [(event.kind, event.facts.get("count")) for event in events] == [
            (Happened.EVENTS_LOST, 3),
            (Happened.CREATED, None),
        ]

    def test_leaves_the_others_alone(self) -> None:
        events: list[Event] = []

        def broken(event: Event) -> None:
            raise RuntimeError(event.kind)

        Audit(broken, events.append)(LOGIN)
        assert events == [LOGIN]

    def test_a_wrong_setting_stops_the_start(self) -> None:
        anything: Any = asyncio.sleep
        wrong: list[tuple[str, Callable[[], object]]] = [
            ("sinks", Audit),
            ("sinks", lambda: Audit(anything)),
            ("limit", lambda: Audit(print, limit=0)),
            ("path", lambda: JSONFile("/nowhere/at/all")),
        ]
        for setting, make in wrong:
            with pytest.raises(ConfigurationError) as raised:
                make()
            assert raised.value.setting == setting


class TestFile:
    """A line of JSON an event, in a file."""

    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        JSONFile(tmp_path / "audit")(LOGIN)
        assert stat.S_IMODE((tmp_path / "audit").stat().st_mode) == 0o600

    @pytest.mark.parametrize("fsync", [False, True])
    def test_it_may_be_moved_and_cut_at_any_time(self, tmp_path: Path, fsync: bool) -> None:
        path = tmp_path / "audit"
        audit = Audit(JSONFile(path, fsync=fsync))
        audit(LOGIN)
        path.rename(tmp_path / "audit.1")
        audit(LOGIN)
        audit(LOGIN)
        assert (len(lines(tmp_path / "audit.1")), len(lines(path))) == (1, 2)
        os.truncate(path, 0)
        audit(LOGIN)
        assert len(lines(path)) == 1

    def test_it_is_appended_to(self, tmp_path: Path) -> None:
        for _ in range(2):
            JSONFile(tmp_path / "audit")(LOGIN)
        assert len(lines(tmp_path / "audit")) == 2

    def test_a_line_that_was_cut_by_a_full_disk_spoils_no_other(self, tmp_path: Path) -> None:
        """`RLIMIT_FSIZE` is the full disk."""
        program = f"""
import resource, signal
from coatcheck.observe import Audit, JSONFile
from coatcheck import Event, Happened
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
audit = Audit(JSONFile({str(tmp_path / "audit")!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (150, resource.RLIM_INFINITY))
for _ in range(3):
    audit(Event(Happened.CREATED, 0, "id", "alice"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
audit(Event(Happened.ENDED, 0, "id", "alice"))
"""
        run(program)
        first, torn, *rest = (tmp_path / "audit").read_text().splitlines()
        assert json.loads(first)["event"] == "session_created"
        assert not torn.endswith("}")
        assert [json.loads(line)["event"] for line in rest] == ["events_lost", "session_ended"]


class TestLog:
    """A line of JSON an event, by `logging`."""

    def test_it_is_logged_though_the_root_says_warning(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        logging.getLogger("coatcheck.audit").setLevel(logging.NOTSET)
        JSONLog()(LOGIN)
        (record,) = caplog.records
        assert json.loads(record.getMessage())["subject"] == "alice"
        assert (record.name, record.levelname) == ("coatcheck.audit", "INFO")
        assert record.__dict__["coatcheck_event"] is LOGIN

    def test_trouble_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        JSONLog("coatcheck.audit")(Event(Happened.UNREADABLE, AT, "id"))
        assert caplog.records[0].levelname == "WARNING"


def run(program: str) -> str:
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class TestProcesses:
    """The end of a process, and its children."""

    HEAD = """
import os, sys
from coatcheck import *
from coatcheck.observe import Audit, JSONFile
audit = Audit(JSONFile(sys.argv[1] if sys.argv[1:] else {path!r}))
garbage = Event(Happened.REFUSED, 0, "id", cause="malformed")
"""

    @pytest.mark.parametrize("end", ["", "sys.exit(1)", "raise KeyboardInterrupt"])
    def test_what_waits_is_written_at_the_end(self, tmp_path: Path, end: str) -> None:
        """Fails without the function that is registered for it."""
        path = tmp_path / "audit"
        program = self.HEAD.format(path=str(path)) + f"for _ in range(500): audit(garbage)\n{end}"
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        assert len(lines(path)) == 500

    def test_a_fork_writes_its_own_and_nothing_twice(self, tmp_path: Path) -> None:
        """As `gunicorn --preload` does. Fails when a child takes over what waits, or the lock."""
        path = tmp_path / "audit"
        program = (
            self.HEAD.format(path=str(path))
            + """
import threading
audit(garbage)
audit.flush()  # the thread runs
audit._lock.acquire()  # somebody writes
for _ in range(10):
    audit(garbage)
child = os.fork()
if child == 0:
    audit(garbage)
    audit(Event(Happened.CREATED, 0, "child"))
    audit.flush()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
audit._lock.release()
"""
        )
        run(program)
        kinds = [line["event"] for line in lines(path)]
        assert (kinds.count("token_refused"), kinds.count("session_created")) == (12, 1)

    async def test_the_shutdown_of_the_application_writes_what_waits(self) -> None:
        sink = Gated()
        sessions = Sessions(MemoryStore(), on_event=Audit(sink))
        sink.may_write.set()
        for _ in range(100):
            await sessions.admit([Presented(None)])
        await sessions.flush()
        assert len(sink.events) == 100


def test_a_listener_without_a_flush_has_none(caplog: pytest.LogCaptureFixture) -> None:
    BlockingSessions(MemoryStore(), on_event=list[Event]().append).flush()
    assert "flush" not in caplog.text
