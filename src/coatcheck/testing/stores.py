"""The contract that every store fulfils.

    class TestMyStore(StoreContract):
        def make_store(self) -> Store:
            return MyStore(...)

Any runner of `unittest`-like classes runs it, pytest among them; it needs no plug-in.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar

from coatcheck.clock import system
from coatcheck.core.policy import GRACE
from coatcheck.core.record import Client, Ended, Record, Stored, Tombstone
from coatcheck.core.token import Token
from coatcheck.stores.protocol import Conflict, Store
from coatcheck.waiting import Kind, finish

HOUR = 3_600_000
"""In milliseconds, as all times of a record are."""
T = TypeVar("T", bound="StoreContract")


def make_record(**fields: Any) -> Record:
    """Return a first record of a new session that is seen now, with `fields` as given."""
    now = int(fields.get("seen_at", system()))
    token = Token.mint(os.urandom)
    record = Record(
        id=token.id,
        version=1,
        stamp=os.urandom(8),
        subject=None,
        lineage_digest=token.digests().lineage,
        digest=token.digests().secret,
        former_digest=None,
        former_until=None,
        renew_nonce=None,
        renewed_at=now,
        created_at=now,
        authenticated_at=None,
        assurance=0,
        seen_at=now,
        idle=HOUR // 2,
        ends_at=now + 12 * HOUR,
        client=Client("192.0.2.1", "Firefox on Linux"),
        payload=b"data",
    )
    return record._replace(**fields)


def next_version(record: Record, **fields: Any) -> Record:
    """Return the record that would be saved over `record`."""
    return record._replace(version=record.version + 1, stamp=os.urandom(8), **fields)


def make_tombstone(id: str, why: Ended = Ended.END, **fields: Any) -> Tombstone:
    """Return a tombstone that stands from now for its usual time."""
    return Tombstone.of(id, why, system())._replace(**fields)


def _runs(test: Callable[[T, Store], Coroutine[Any, Any, None]]) -> Callable[[T], None]:
    """Make a method that has a store of its own, and runs as that store waits."""

    @wraps(test)
    def run(self: T) -> None:
        async def with_store() -> None:
            store = self.make_store()
            try:
                await test(self, store)
            finally:
                await store.close()

        if self.is_blocking:
            finish(with_store())
        else:
            asyncio.run(with_store())

    del run.__wrapped__  # a runner would look at its parameters
    return run


async def _conflict(attempt: Coroutine[Any, Any, object]) -> Stored:
    """Return what a write conflicted with."""
    try:
        await attempt
    except Conflict as conflict:
        return conflict.stored
    raise AssertionError("the write was not refused")


class StoreContract:
    """What every store does. Derive from it, and let `make_store` return a new, empty store.

    Attributes:
        forgets_by_itself: the store's server drops expired records, `sweep` has nothing to do.
        is_blocking: the store is for threads without an event loop.
    """

    forgets_by_itself = False
    is_blocking = False

    def make_store(self) -> Store:
        """Return a store that holds nothing; the test closes it."""
        raise NotImplementedError

    @_runs
    async def test_says_how_it_waits(self, store: Store) -> None:
        assert store.kind in (Kind.EITHER, Kind.BLOCKING if self.is_blocking else Kind.ASYNCIO)

    @_runs
    async def test_an_absent_id_loads_nothing(self, store: Store) -> None:
        assert await store.load(make_record().id) is None

    @_runs
    async def test_a_record_comes_back_in_every_field(self, store: Store) -> None:
        plain = make_record()
        full = make_record(
            subject="üser:{1}*",
            former_digest=os.urandom(32),
            former_until=5,
            renew_nonce=os.urandom(8),
            authenticated_at=7,
            assurance=2,
            client=Client(None, None, "macOS", "de,en"),
            payload=bytes(range(256)) * 256,
        )
        for record in (plain, full):
            await store.save(record, None)
            assert await store.load(record.id) == record

    @_runs
    async def test_creating_twice_is_refused_with_what_is_there(self, store: Store) -> None:
        record = make_record()
        await store.save(record, None)
        assert await _conflict(store.save(record._replace(stamp=b"another!"), None)) == record

    @_runs
    async def test_saves_over_its_base_only(self, store: Store) -> None:
        first = make_record()
        second, late = next_version(first, payload=b"second"), next_version(first)
        await store.save(first, None)
        await store.save(second, first)
        assert await _conflict(store.save(late, first)) == second
        assert await store.load(first.id) == second

    @_runs
    async def test_compares_stamps_not_numbers_alone(self, store: Store) -> None:
        """S5: after a failover the same number can be another save."""
        here = make_record()
        elsewhere = here._replace(stamp=os.urandom(8))
        await store.save(here, None)
        assert await _conflict(store.save(next_version(elsewhere), elsewhere)) == here

    @_runs
    async def test_a_repeated_save_finds_itself_and_is_done(self, store: Store) -> None:
        """S4: the answer to the first was lost."""
        first = make_record()
        second = next_version(first)
        await store.save(first, None)
        await store.save(first, None)
        await store.save(second, first)
        await store.save(second, first)
        assert await store.load(first.id) == second

    @_runs
    async def test_a_late_save_does_not_revive_an_ended_session(self, store: Store) -> None:
        """S1."""
        record = make_record()
        tombstone = make_tombstone(record.id)
        await store.save(record, None)
        await store.end(tombstone)
        assert await _conflict(store.save(next_version(record), record)) == tombstone
        assert await _conflict(store.save(record, None)) == tombstone
        assert await store.load(record.id) == tombstone

    @_runs
    async def test_a_save_over_nothing_is_refused(self, store: Store) -> None:
        record = make_record()
        assert await _conflict(store.save(next_version(record), record)) is None
        assert await store.load(record.id) is None

    @_runs
    async def test_an_expired_record_is_there_until_it_is_swept(self, store: Store) -> None:
        """The caller judges; a request that was valid on arrival may still save."""
        record = make_record()
        expired = record._replace(seen_at=record.seen_at - HOUR)
        await store.save(expired, None)
        assert await store.load(expired.id) == expired
        await store.save(next_version(expired), expired)

    @_runs
    async def test_a_touch_only_ever_raises_what_was_seen(self, store: Store) -> None:
        """T1: touches arrive in any order, and do not disturb a save under way."""
        record = make_record()
        now = record.seen_at
        await store.save(record, None)
        await store.touch(record, now + 2_000)
        await store.touch(record, now + 1_000)
        assert await store.load(record.id) == record._replace(seen_at=now + 2_000)
        saved = next_version(record, payload=b"saved")
        await store.save(saved, record)
        assert await store.load(record.id) == saved._replace(seen_at=now + 2_000)

    @_runs
    async def test_a_touch_revives_nothing(self, store: Store) -> None:
        absent, ended = make_record(), make_record()
        tombstone = make_tombstone(ended.id)
        await store.save(ended, None)
        await store.end(tombstone)
        for record in (absent, ended):
            await store.touch(record, record.seen_at + 1)
        assert await store.load(absent.id) is None
        assert await store.load(ended.id) == tombstone

    @_runs
    async def test_the_first_end_is_the_one_that_counts(self, store: Store) -> None:
        """C2: only who ended a live record is told so."""
        record = make_record()
        first, second = make_tombstone(record.id), make_tombstone(record.id, Ended.END_ALL)
        await store.save(record, None)
        assert await store.end(first) == record
        assert await store.end(second) == first
        assert await store.load(record.id) == first

    @_runs
    async def test_an_end_of_nothing_leaves_its_tombstone(self, store: Store) -> None:
        tombstone = make_tombstone(make_record().id, Ended.MOVED, moved_to_subject="alice")
        assert await store.end(tombstone) is None
        assert await store.load(tombstone.id) == tombstone

    @_runs
    async def test_closes_only_the_version_that_was_copied(self, store: Store) -> None:
        """P3: an edit between copy and close is not lost."""
        copied = make_record()
        edited = next_version(copied)
        tombstone = make_tombstone(copied.id, Ended.MOVED, moved_to_subject="alice")
        await store.save(copied, None)
        await store.save(edited, copied)
        assert await _conflict(store.end(tombstone, copied)) == edited
        assert await store.load(copied.id) == edited
        assert await store.end(tombstone, edited) == edited
        assert await _conflict(store.end(make_tombstone(copied.id), edited)) == tombstone
        nothing = make_record()
        assert await _conflict(store.end(make_tombstone(nothing.id), nothing)) is None
        assert await store.load(nothing.id) is None

    @_runs
    async def test_lists_a_subjects_sessions_and_no_others(self, store: Store) -> None:
        subjects = ["alice", "alice2", "a}b", "a:b", "*", "ü", "A" * 300]
        for subject in subjects:
            await self._add(store, subject)
        await store.save(make_record(), None)
        for subject in subjects:
            page = await store.page(subject, None, 10)
            assert [record.subject for record in page.records] == [subject]
            assert await store.count(subject) == 1
        assert await store.count("nobody") == 0
        assert await store.count(None) == len(subjects) + 1

    @_runs
    async def test_an_entry_is_there_once(self, store: Store) -> None:
        record = await self._add(store, "alice")
        assert await store.enlist(record, record.seen_at, 0) is not None
        assert await store.count("alice") == 1

    @_runs
    async def test_pages_cover_everything_without_gaps(self, store: Store) -> None:
        ids = {(await self._add(store, "alice")).id for _ in range(25)}
        await store.end(make_tombstone((await self._add(store, "alice")).id))
        for subject in ("alice", None):
            found: list[str] = []
            after: str | None = None
            for _ in range(1_000):
                page = await store.page(subject, after, 10)
                found += [record.id for record in page.records]
                if (after := page.next) is None:
                    break
            assert set(found) == ids
            assert after is None

    @_runs
    async def test_an_ended_session_is_listed_no_more(self, store: Store) -> None:
        record, other = await self._add(store, "alice"), await self._add(store, "alice")
        await store.end(make_tombstone(record.id))
        assert [r.id for r in (await store.page("alice", None, 10)).records] == [other.id]
        await store.delist("alice", record.id)
        await store.delist("alice", record.id)
        assert (await store.bar("alice", 1)).ids == [other.id]
        assert await store.count(None) == 1

    @_runs
    async def test_a_sign_in_from_before_the_bar_is_refused(self, store: Store) -> None:
        """G2, G3: raising the bar and reading the ids is one step."""
        record = await self._add(store, "alice", opened_at=1_000)
        assert await store.bar("alice", 5_000) == (0, 5_000, [record.id])
        late = make_record(subject="alice")
        await store.save(late, None)
        assert await store.enlist(late, 4_999, 0) is None
        assert await store.enlist(late, 5_000, 0) is None
        assert await store.enlist(late, 4_999, 4_000) is None
        assert await store.enlist(late, 4_999, 5_000) is not None, "its own request raised the bar"
        assert await store.enlist(late, 5_001, 0) is not None
        assert await store.enlist(make_record(subject="bob"), 1, 0) is not None

    @_runs
    async def test_a_bar_of_everybody_refuses_each(self, store: Store) -> None:
        """Whoever raised it, and whatever the subject's own bar is."""
        await self._add(store, "alice")
        own = (await store.bar("alice", 5_000)).bar
        assert await store.bar(None, 6_000) == (0, 6_000, [])
        assert await store.bar(None, 5_000) == (6_000, 6_001, [])
        await store.bar("", 9_000)  # nobody's, and not everybody's
        for subject in ("alice", "bob", "*"):
            late = make_record(subject=subject)
            await store.save(late, None)
            assert await store.enlist(late, 6_001, own) is None
            assert await store.enlist(late, 6_001, 6_001) is None
            assert await store.enlist(late, 6_002, 0) is not None

    @_runs
    async def test_a_bar_is_told_without_a_write(self, store: Store) -> None:
        """Of the subject or of everybody, from when on it stands; the index stays as it is."""
        record = await self._add(store, "alice")
        assert not await store.is_barred("alice", 1)
        await store.bar("alice", 5_000)
        assert [await store.is_barred("alice", at) for at in (4_999, 5_000, 5_001)] == [
            True, True, False,
        ]  # fmt: skip
        assert not await store.is_barred("bob", 1)
        await store.bar(None, 6_000)
        for subject in ("alice", "bob", "*"):
            assert await store.is_barred(subject, 6_000)
            assert not await store.is_barred(subject, 6_001)
        assert (await store.bar("bob", 1)).ids == []
        assert (await store.bar("alice", 1)).ids == [record.id]

    @_runs
    async def test_an_index_over_the_limit_is_told_in_its_order(self, store: Store) -> None:
        """G4: the one that was added last is the newest, whatever the clocks or the policy say."""
        base = make_record().seen_at
        records = [
            make_record(subject="alice", seen_at=base - ago, ends_at=base - ago + hours * HOUR)
            for ago, hours in ((0, 12), (2_000, 12), (1_000, 1), (3_000, 8))
        ]
        for record in records:
            await store.save(record, None)
        ids = [record.id for record in records]
        added: list[str] = []
        for record in records:
            added.append(record.id)
            over = added if len(added) > 2 else []
            assert await store.enlist(record, 1, 0, 2) == over
        assert await store.enlist(records[3], 1, 0, 4) == []
        assert await store.enlist(records[1], 1, 0, 3) == [ids[0], ids[2], ids[3], ids[1]]
        assert await store.enlist(records[1], 1, 0, 3) == [ids[0], ids[2], ids[3], ids[1]]
        await store.end(make_tombstone(ids[2]))
        await store.delist("alice", ids[2])
        assert await store.enlist(records[0], 1, 0, 2) == [ids[3], ids[1], ids[0]]
        assert await store.enlist(await self._add(store, "bob"), 1, 0, 1) == []

    @_runs
    async def test_of_many_sign_ins_at_once_each_has_its_place(self, store: Store) -> None:
        """G4: each is told all that were there before it, and itself as the last."""
        records = [make_record(subject="alice") for _ in range(10)]
        for record in records:
            await store.save(record, None)
        attempts = [store.enlist(record, 1, 0, 0) for record in records]
        if self.is_blocking:
            told = [await attempt for attempt in attempts]
        else:
            told = await asyncio.gather(*attempts)
        found = [ids for ids in told if ids is not None]
        assert sorted(map(len, found)) == list(range(1, 11))
        longest = max(found, key=len)
        for record, ids in zip(records, found, strict=True):
            assert ids == longest[: len(ids)]
            assert ids[-1] == record.id

    @_runs
    async def test_what_was_saved_and_not_listed_is_in_nobodys_way(self, store: Store) -> None:
        """G4: a sign-in that is under way does not count before it has its place."""
        await store.save(make_record(subject="alice"), None)
        record = await self._add(store, "alice")
        assert await store.enlist(record, 1, 0, 0) == [record.id]

    @_runs
    async def test_a_bar_never_falls(self, store: Store) -> None:
        """Nor do two ends of all share one: each knows its own."""
        assert (await store.bar("alice", 5_000))[:2] == (0, 5_000)
        assert (await store.bar("alice", 4_000))[:2] == (5_000, 5_001)
        assert (await store.bar("alice", 5_001))[:2] == (5_001, 5_002)
        assert (await store.bar("alice", 6_000))[:2] == (5_002, 6_000)
        assert await store.enlist(make_record(subject="alice"), 6_000, 0) is None

    @_runs
    async def test_an_anonymous_session_has_no_index(self, store: Store) -> None:
        record = make_record()
        await store.save(record, None)
        assert await store.enlist(record, 1, 0) is not None

    @_runs
    async def test_sweeps_what_expired_in_bounded_batches(self, store: Store) -> None:
        live = await self._add(store, "alice")
        now = live.seen_at
        touched = make_record(subject="alice", seen_at=now - HOUR)
        await store.save(touched, None)
        await store.touch(touched, now)
        over = make_record(ends_at=now - 1)
        for expired in [over, *(make_record(seen_at=now - HOUR) for _ in range(4))]:
            await store.save(expired, None)
        swept = [await store.sweep(now, 3) for _ in range(3)]
        assert swept == ([0, 0, 0] if self.forgets_by_itself else [3, 2, 0])
        assert await store.load(live.id) == live
        assert await store.load(touched.id) == touched._replace(seen_at=now)
        assert (await store.load(over.id) is None) or self.forgets_by_itself

    @_runs
    async def test_a_tombstone_stands_for_its_time(self, store: Store) -> None:
        tombstone = make_tombstone(make_record().id)
        await store.end(tombstone)
        await store.sweep(tombstone.keep_until, 10)
        assert await store.load(tombstone.id) == tombstone
        await store.sweep(tombstone.keep_until + 1, 10)
        assert (await store.load(tombstone.id) is None) or self.forgets_by_itself

    @_runs
    async def test_of_many_saves_at_once_one_wins(self, store: Store) -> None:
        """Those that lost know who won."""
        base = make_record()
        await store.save(base, None)
        attempts = [next_version(base, payload=b"%d" % n) for n in range(20)]

        async def attempt(record: Record) -> Record | None:
            try:
                await store.save(record, base)
            except Conflict as conflict:
                assert isinstance(conflict.stored, Record)
                return conflict.stored
            return None

        if self.is_blocking:
            results = [await attempt(record) for record in attempts]
        else:
            results = await asyncio.gather(*map(attempt, attempts))
        assert results.count(None) == 1
        winner = attempts[results.index(None)]
        assert await store.load(base.id) == winner
        assert all(result in (None, winner) for result in results)

    @_runs
    async def test_counts_by_key(self, store: Store) -> None:
        now = system()
        assert [await store.tally("here", now, now + HOUR) for _ in range(3)] == [1, 2, 3]
        assert await store.tally("there:2001:db8::/64", now, now + HOUR) == 1
        await store.sweep(now + HOUR, 10)
        assert await store.tally("here", now, now + HOUR) == 4
        assert await store.count(None) == 0

    @_runs
    async def test_forgets_a_count_that_is_over(self, store: Store) -> None:
        """Fails when counters stay, and grow with every client there ever was."""
        now = system()
        assert await store.tally("here", now, now + 1) == 1
        await store.sweep(now + 2, 10)
        over = await store.time() + 10
        while self.forgets_by_itself and await store.time() < over:
            pass  # by its own clock
        assert await store.tally("here", now, now + 1) == 1

    @_runs
    async def test_of_many_counts_at_once_none_is_lost(self, store: Store) -> None:
        now = system()

        async def count() -> int:
            return await store.tally("here", now, now + HOUR)

        if self.is_blocking:
            results = [await count() for _ in range(20)]
        else:
            results = await asyncio.gather(*(count() for _ in range(20)))
        assert sorted(results) == list(range(1, 21))

    @_runs
    async def test_has_a_clock(self, store: Store) -> None:
        assert abs(await store.time() - system()) < GRACE

    @_runs
    async def test_closing_twice_is_fine(self, store: Store) -> None:
        await store.close()

    async def _add(self, store: Store, subject: str, opened_at: int = 1) -> Record:
        record = make_record(subject=subject)
        await store.save(record, None)
        assert await store.enlist(record, opened_at, 0) is not None
        return record
