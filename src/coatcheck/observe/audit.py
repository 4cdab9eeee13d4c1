"""Write events to where they are kept: at once what concerns authentication, behind what does not.

Written behind means by a thread of its own. In a fork, what waits stays the parent's to write.
"""

import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from weakref import WeakSet

from coatcheck.core.events import SYSTEM, Event, Happened, Listener
from coatcheck.errors import ConfigurationError
from coatcheck.forks import tell_of_forks

_log = logging.getLogger("coatcheck")


_TOGETHER = 100
"""How many events a sink with `write_all` is given at once, at most."""


class Audit:
    """Hands events to sinks, one at a time; made for `on_event` (ASVS 5.0 V16.2, V16.3).

    An event that concerns authentication is in every sink before its request is answered, so that
    no crash of the process loses it. What is routine (`Happened.is_routine`: refused tokens, which
    anybody can send, and trouble with data) waits for a thread, and is dropped while more than
    `limit` of it waits. What was lost is told to the sink as an event `events_lost` with its count.

    A sink that fails fails no request; it is reported once, until it works again.

    Args:
        sinks: functions of one `Event`, such as `JSONFile`, `JSONLog`, `list.append`. One that has
            a method `write_all`, of many, is given at once what waits.
        limit: how many events may wait; with `slow` as many again of what concerns authentication,
            so that refused tokens, however many, leave it its place.
        slow: for sinks that take more than some microseconds, as what is sent over a network does:
            nothing is written before the answer then, and a crash loses what waits. What concerns
            authentication is still never dropped: when twice `limit` waits, so does its request,
            and with it an event loop.

    Raises:
        ConfigurationError: a sink is no plain function, or there is none; or `limit` is below 1.
    """

    def __init__(self, *sinks: Listener, limit: int = 10_000, slow: bool = False) -> None:
        for sink in sinks:
            if not _is_plain_function(sink):
                raise ConfigurationError("sinks", f"{type(sink).__name__} is no plain function")
        if not sinks:
            raise ConfigurationError("sinks", "there is none")
        if limit < 1:
            raise ConfigurationError("limit", f"{limit!r} is below 1")
        self._outlets = [_Outlet(sink) for sink in sinks]
        self._limit, self._slow = limit, slow
        self._start_afresh()
        _audits.add(self)
        tell_of_forks(self, in_child=Audit._start_afresh)

    def _start_afresh(self) -> None:
        self._waiting = deque[Event]()
        self._dropped, self._counting = 0, threading.Lock()
        self._lock = threading.RLock()  # a sink may have something happen to sessions itself
        self._is_called = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Write an event, now or behind. Never raises."""
        is_routine = event.kind.is_routine
        is_full = len(self._waiting) >= (self._limit if is_routine else 2 * self._limit)
        if not is_routine and (is_full or not self._slow):
            with self._lock:
                self._write([event])
        elif is_full:
            with self._counting:
                self._dropped += 1
        else:
            self._waiting.append(event)
            self._call()

    def flush(self) -> None:
        """Write what waits, now. `Sessions.flush` does so, and the end of the process."""
        self._drain()

    def _call(self) -> None:
        """Have the thread look, or do its work where it cannot start: the interpreter is ending."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._work, name="audit", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:
                        return self._drain()
                    self._thread = thread
        return self._is_called.set()

    def _work(self) -> None:
        while self._is_called.wait():
            self._is_called.clear()
            self._drain()

    def _drain(self) -> None:
        while True:
            with self._lock:  # before it is taken, so that who flushes waits for what is written
                if not self._waiting:
                    return
                events = [
                    self._waiting.popleft() for _ in range(min(len(self._waiting), _TOGETHER))
                ]
                with self._counting:
                    dropped, self._dropped = self._dropped, 0
                if dropped:
                    _log.warning("%d events were lost: the audit cannot keep up", dropped)
                    events.insert(0, _lost(events[0], dropped))
                self._write(events)

    def _write(self, events: Sequence[Event]) -> None:
        for outlet in self._outlets:
            outlet.write(events)


class _Outlet:
    """A sink, and how many events it has lost since it failed."""

    def __init__(self, sink: Listener) -> None:
        self._sink = sink
        self._write_all: Callable[[Sequence[Event]], None] | None
        self._write_all = getattr(sink, "write_all", None)
        self._lost = 0

    def write(self, events: Sequence[Event]) -> None:
        if self._write_all is not None:
            self._try(self._write_all, events)
            return
        for event in events:
            self._try(self._one_by_one, [event])

    def _one_by_one(self, events: Sequence[Event]) -> None:
        for event in events:
            self._sink(event)
            self._lost = 0  # the first of two tells what was lost

    def _try(self, write: Callable[[Sequence[Event]], None], events: Sequence[Event]) -> None:
        told = [_lost(events[0], self._lost), *events] if self._lost else events
        try:
            write(told)
            self._lost = 0
        except Exception:
            if not self._lost:
                _log.exception("the audit's sink %s fails", type(self._sink).__name__)
            self._lost += len(events)


def _lost(event: Event, count: int) -> Event:
    return Event(Happened.EVENTS_LOST, event.at, facts={"count": count}, actor=SYSTEM)


def _is_plain_function(sink: object) -> bool:
    return callable(sink) and not iscoroutinefunction(sink)


_audits = WeakSet[Audit]()


@atexit.register
def _flush() -> None:
    for audit in list(_audits):
        audit.flush()
