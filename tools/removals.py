"""The defences that `tools.rules` takes out, one at a time, each with the test that then fails."""

from typing import NamedTuple


class Removal(NamedTuple):
    """A defence, and how to do without it.

    Attributes:
        rule: the rule it serves, as in docs/explanation/semantics.md.
        what: what is then missing.
        file: where it is, below `src/coatcheck`.
        old, new: the text that is there exactly once, and what takes its place.
        test: the test that fails by an assertion, by pytest's name for it.
    """

    rule: str
    what: str
    file: str
    old: str
    new: str
    test: str


BINDING = "tests/sessions/test_binding.py::"
CLEARS = "tests/frameworks/test_clear_site_data.py::"
CONTRACT = "tests/stores/test_contract.py::TestMemory::"
CORNERS = "tests/sessions/test_corners.py::"
FOLD = "tests/core/test_fold.py::"
GROUPS = "tests/sessions/test_groups.py::"
KEYED = "tests/sessions/test_keyed.py::"
GUESSES = "tests/sessions/test_guesses.py::"
ISSUER = "tests/tokens/test_issuer.py::"
KEYRING = "tests/sessions/test_keyring.py::"
LIFECYCLE = "tests/sessions/test_lifecycle.py::"
LIMIT_HOLDS = "tests/model/test_explorer.py::test_a_limit_holds"
LIMITS = "tests/sessions/test_limits.py::"
LOOKOUT = "tests/sessions/test_lookout.py::"
MEETING = "tests/model/test_explorer.py::test_a_meeting"
OPEN = "tests/web/test_open.py::"
PENDING = "tests/sessions/test_pending.py::"
RENEWAL = "tests/core/test_renewal.py::"
SEALED = "tests/sessions/test_sealed.py::"
TICKETS = "tests/sessions/test_tickets.py::"
TOUCHES = "tests/sessions/test_touches.py::"
KEYS_OF_TOKENS = "tests/tokens/test_keys.py::"
VERDICT = "tests/core/test_verdict.py::test_every_cell"
VERIFIER = "tests/tokens/test_verifier.py::"

REMOVALS = [
    Removal(
        "S1",
        "in memory, a save does not ask what is stored",
        "stores/memory.py",
        """\
            if not (stored is base if base is None else base.is_same_save(stored)):
                return refuse(record, stored)
""",
        "",
        CONTRACT + "test_a_late_save_does_not_revive_an_ended_session",
    ),
    Removal(
        "S1",
        "in SQLite, a save does not ask what is stored",
        "stores/sqlite.py",
        "WHERE id = ? AND substr(record, 1, 17) = ?",
        "WHERE id = ? AND (1 OR substr(record, 1, 17) = ?)",
        "tests/stores/test_contract.py::TestSQLite::test_saves_over_its_base_only",
    ),
    Removal(
        "S1",
        "in Redis, a save does not ask what is stored",
        "stores/redis/scripts.py",
        "elseif string.sub(head, 1, 17) ~= ARGV[1] then",
        "elseif false then",
        "tests/stores/test_contract.py::TestRedis::test_saves_over_its_base_only",
    ),
    Removal(
        "S2",
        "lineages are not compared",
        "core/verdict.py",
        "if isinstance(stored, Record) and same(stored.lineage_digest, base.lineage_digest):",
        "if isinstance(stored, Record):",
        MEETING + "[two servers-step_up, old token]",
    ),
    Removal(
        "S3",
        "an edit whose session moved is acknowledged",
        "core/verdict.py",
        "if isinstance(stored, Record) or moved:",
        "if isinstance(stored, Record):",
        VERDICT,
    ),
    Removal(
        "S4",
        "a save without an answer does not recognise itself",
        "writes.py",
        """\
    if record.is_same_save(stored):
        return None
""",
        "",
        MEETING + "[two servers-count, count, no answer]",
    ),
    Removal(
        "S4",
        "a save is made again though it may have been covered by another",
        "writes.py",
        "if base is not None and _proves_not_applied(base, stored):",
        "if base is not None:",
        MEETING + "[two servers-count, count, no answer]",
    ),
    Removal(
        "S4",
        "after a doubt the same request saves once more",
        "commit.py",
        "self._state.is_in_doubt = True",
        "self._state.is_in_doubt = False",
        CORNERS + "test_nothing_is_saved_on_top_of_a_doubt",
    ),
    Removal(
        "S5",
        "versions are compared without stamps",
        "core/record.py",
        """\
            and self.version == other.version
            and self.stamp == other.stamp
""",
        """\
            and self.version == other.version
""",
        CONTRACT + "test_compares_stamps_not_numbers_alone",
    ),
    Removal(
        "P1",
        "a privilege change keeps the secret",
        "core/draft.py",
        """\
        digest=digests.secret,
        former_digest=None,
        former_until=None,
        renew_nonce=None,
        renewed_at=now,
    )
""",
        """\
        former_digest=None,
        former_until=None,
        renew_nonce=None,
        renewed_at=now,
    )
""",
        "tests/core/test_change.py::test_a_privilege_change_leaves_no_older_secret",
    ),
    Removal(
        "P1",
        "a token counts whatever its lineage and secret",
        "core/standing.py",
        "if same(lineage + secret, stored.lineage_digest + stored.digest):",
        "if True:",
        LIFECYCLE + "test_a_privilege_change_kills_every_older_token[memory-rotate]",
    ),
    Removal(
        "P2",
        "signing in as another subject keeps the id",
        "commit.py",
        "if sign_in and sign_in.subject != base.subject:",
        "if False:",
        LIFECYCLE + "test_signing_in_over_another_user_starts_empty_at_once[memory]",
    ),
    Removal(
        "P3",
        "the old session is closed before the new one is stored",
        "move.py",
        """\
    new = await create(parts, state, change.content, sign_in)
    try:
""",
        """\
    await _end(parts, change.base, sign_in, change.base)
    new = await create(parts, state, change.content, sign_in)
    try:
""",
        MEETING + "[two servers-sign_in, edit]",
    ),
    Removal(
        "P3",
        "the old session is closed in whatever version it is",
        "move.py",
        "await writes.end(parts.store, tombstone, copied)",
        "await writes.end(parts.store, tombstone)",
        MEETING + "[two servers-sign_in, edit]",
    ),
    Removal(
        "P3",
        "a visitor's session beside a doubted one is closed whatever was put in since",
        "move.py",
        "found = conflict.stored if left.subject else None",
        "found = conflict.stored",
        BINDING
        + "test_a_visitors_session_that_changed_meanwhile_is_left_to_who_changed_it[memory-edited]",
    ),
    Removal(
        "P4",
        "signing in over another user's session keeps the data",
        "core/session.py",
        """\
        Session.clear(self)  # whatever a framework's kind of session does beside
        state.own = {}
        state.steps, state.mark, state.carries = [], state.settings.empty, False
""",
        """\
        pass
""",
        LIFECYCLE + "test_signing_in_over_another_user_starts_empty_at_once[memory]",
    ),
    Removal(
        "P5",
        "a visitor's data moves to two users",
        "move.py",
        "return await rewrite(parts, state, new, own(change, state.settings))",
        "return new",
        "tests/sessions/test_outcomes.py::test_two_users_from_one_visitor_share_nothing[memory]",
    ),
    Removal(
        "P5",
        "the library's own keys move along",
        "core/session.py",
        """\
                del self[key]
        elif""",
        """\
                pass
        elif""",
        LIFECYCLE + "test_the_librarys_own_keys_do_not_move[memory]",
    ),
    Removal(
        "P5",
        "a fork does not look whether what it copied has ended",
        "commit.py",
        "if not await self._is_live(found.id):",
        "if False:",
        CORNERS + "test_a_fork_beside_a_session_that_ends_meanwhile_carries_nothing_of_it",
    ),
    Removal(
        "P6",
        "a sign-in whose session is gone is treated as an edit",
        "core/verdict.py",
        """\
    if isinstance(privilege, SignIn):
        return _sign_in(base, privilege, stored)
""",
        "",
        VERDICT,
    ),
    Removal(
        "P7",
        "a step-up of an older lineage is applied",
        "core/verdict.py",
        "if isinstance(stored, Record) and same(stored.lineage_digest, base.lineage_digest):",
        """\
if isinstance(stored, Record) and (
        same(stored.lineage_digest, base.lineage_digest)
        or not isinstance(privilege, SignIn | None)
    ):""",
        MEETING + "[two servers-step_up, rotate]",
    ),
    Removal(
        "R1",
        "a successor is drawn anew for each who asks",
        "core/renewal.py",
        "return record, presented.successor(nonce)",
        "return record, presented.successor(renewal.nonce)",
        "tests/sessions/test_renewal.py::"
        "test_twenty_requests_at_renewal_time_get_one_successor[memory]",
    ),
    Removal(
        "R2",
        "a token is retired by time alone",
        "core/renewal.py",
        "            former_until=None,\n            renew_nonce=renewal.nonce,",
        "            former_until=now + GRACE,\n            renew_nonce=None,",
        "tests/sessions/test_renewal.py::test_a_lost_answer_costs_nothing[memory]",
    ),
    Removal(
        "R3",
        "a token is dead once its successor is used",
        "core/renewal.py",
        "former_until=now + GRACE), None",
        "former_until=now), None",
        RENEWAL + "test_the_first_use_of_the_successor_retires_the_one_before_with_a_grace",
    ),
    Removal(
        "R4",
        "a token whose renewal was lost gets nothing",
        "core/renewal.py",
        "return record, presented.successor(nonce)",
        "return record, None",
        "tests/sessions/test_renewal.py::test_a_lost_answer_costs_nothing[memory]",
    ),
    Removal(
        "R5",
        "a token is renewed while a former one is honoured",
        "core/renewal.py",
        "        and not (record.former_digest is not None and is_former_honoured(record, now))\n",
        "",
        RENEWAL + "test_nothing_is_renewed_while_a_former_one_is_honoured",
    ),
    Removal(
        "R6",
        "a renewal that lost hands out its successor all the same",
        "commit.py",
        "            return KEPT  # R6\n",
        "            token = change.renewal and change.renewal.presented.successor(b'')\n"
        "            return Outcome(Done.RENEWED, Cookies({Holder.of(base.subject): token}))\n",
        "tests/model/test_explorer.py::"
        "test_no_two_requests_break_anything_when_a_renewal_is_due[u1]",
    ),
    Removal(
        "R7",
        "only the last former token is known for one",
        "core/standing.py",
        "return Standing.CURRENT if is_good else Standing.REPLAYED  # R7",
        "return (\n"
        "        Standing.CURRENT\n"
        "        if is_good\n"
        "        else Standing.REPLAYED if is_former else Standing.RETIRED\n"
        "    )",
        RENEWAL + "test_a_stale_token_is_told_by_its_lineage_at_any_age",
    ),
    Removal(
        "R8",
        "a token of another lineage raises the alarm",
        "core/standing.py",
        "        return Standing.RETIRED  # R8\n",
        "        return Standing.REPLAYED\n",
        "tests/sessions/test_renewal.py::"
        "test_a_token_from_before_a_privilege_change_raises_no_alarm[memory]",
    ),
    Removal(
        "R9",
        "a stale token ends nothing",
        "door.py",
        'if self._policy.on_replay == "report":',
        "if True:",
        "tests/sessions/test_renewal.py::test_a_replay_ends_the_session_and_tells_its_user[memory]",
    ),
    Removal(
        "C1",
        "a dead token's cookie is deleted",
        "core/standing.py",
        "_DELETABLE = {",
        "_DELETABLE = {Standing.RETIRED, ",
        CORNERS + "test_a_dead_login_does_not_stand_in_a_visitors_way[memory]",
    ),
    Removal(
        "C2",
        "whoever ends a session deletes the cookie, ended before or not",
        "commit.py",
        "if await writes.end(self._parts.store, tombstone):",
        "if await writes.end(self._parts.store, tombstone) or True:",
        MEETING + "[two servers-end, end]",
    ),
    Removal(
        "C3",
        "an end asks for the version that was opened",
        "commit.py",
        """\
            if await writes.end(self._parts.store, tombstone):
                outcome = await self._tell_end(record, why, outcome.cookies)
""",
        """\
            stored = await self._parts.store.load(record.id)
            if isinstance(stored, Record) and stored.lineage_digest != record.lineage_digest:
                pass
            elif await writes.end(self._parts.store, tombstone):
                outcome = await self._tell_end(record, why, outcome.cookies)
""",
        MEETING + "[two servers-end, step_up]",
    ),
    Removal(
        "C4",
        "visitors and users share a cookie",
        "core/outcome.py",
        "return cls.VISITOR if subject is None else cls.SIGNED_IN",
        "return cls.SIGNED_IN",
        MEETING + "[two servers-first edit, sign_in]",
    ),
    Removal(
        "G1",
        "the index entry comes before the record",
        "creation.py",
        """\
        await writes.save(parts.store, record, None)
        listed = await enlist(parts, state, record)
""",
        """\
        listed = await enlist(parts, state, record)
        await writes.save(parts.store, record, None)
""",
        MEETING + "[two servers-sign_in, end_all]",
    ),
    Removal(
        "G2",
        "a sign-in from before the bar is not refused",
        "creation.py",
        """\
        raise Unauthenticated("all sessions of the user were ended while this one signed in")
""",
        "",
        LIFECYCLE + "test_a_login_under_way_does_not_escape_the_end_of_all[memory]",
    ),
    Removal(
        "G2",
        "the entry is added without a look at the bar",
        "stores/memory.py",
        "opened_at <= bar != own_bar or ",
        "",
        CONTRACT + "test_a_sign_in_from_before_the_bar_is_refused",
    ),
    Removal(
        "G2",
        "everybody's bar refuses nobody",
        "stores/memory.py",
        " or opened_at <= self._bars.get(None, 0)",
        "",
        MEETING + "[two servers-sign_in, end_everything]",
    ),
    Removal(
        "G2",
        "one's own bar refuses one's own sign-in",
        "creation.py",
        "own_bar = state.own_bar(subject)",
        "own_bar = 0",
        LIFECYCLE + "test_the_request_that_ends_all_may_sign_in_itself[memory]",
    ),
    Removal(
        "G2",
        "a second factor makes an old password good again",
        "sessions.py",
        'state.first_factor = (pending.subject, kept["since"], kept.get("bar", 0))',
        "pass",
        PENDING + "test_an_end_of_all_refuses_who_gave_the_old_password[memory-False]",
    ),
    Removal(
        "G3",
        "an index entry goes before its record",
        "ending.py",
        """\
    was_live = await writes.end(parts.store, tombstone, base)
    await writes.delist(parts.store, subject, id)
""",
        """\
    await writes.delist(parts.store, subject, id)
    was_live = await writes.end(parts.store, tombstone, base)
""",
        MEETING + "[two servers-end_all, crash, end_all]",
    ),
    Removal(
        "G4",
        "what is too many lives on",
        "commit.py",
        "if not await evict(self._parts, new.record, new.over):",
        "if False:",
        LIMIT_HOLDS + "[two from nobody-end_oldest]",
    ),
    Removal(
        "G4",
        "one too many is let in, at the cost of others",
        "limit.py",
        "raise SessionLimitReached(limit)",
        "over.append(id)",
        LIMITS + "test_one_too_many_is_refused[memory]",
    ),
    Removal(
        "G4",
        "an idle session counts",
        "limit.py",
        "return isinstance(stored, Record) and parts.clock.now() < stored.expires_at",
        "return isinstance(stored, Record)",
        LIMITS + "test_expired_sessions_do_not_count[memory-end_oldest]",
    ),
    Removal(
        "G4",
        "an idle session does not count, and may come back",
        "limit.py",
        "if (room == 0 and not refuses) or not await _lives(parts, id):",
        """\
if not await _lives(parts, id):
            continue
        elif room == 0 and not refuses:""",
        LIMITS + "test_what_expired_is_not_kept_alive_by_a_late_touch[memory-end_oldest]",
    ),
    Removal(
        "G4",
        "who was ended by a newer one ends that",
        "limit.py",
        "if over and not await _lives(parts, record.id):",
        "if False:",
        LIMITS + "test_who_was_ended_by_a_newer_one_ends_nobody[redis]",
    ),
    Removal(
        "G4",
        "a session that is signed in again is refused for the sake of others",
        "commit.py",
        "if policy.at_limit is AtLimit.END_OLDEST:",
        "if True:",
        LIMITS + "test_a_lower_limit_lets_who_is_in_sign_in_again[memory]",
    ),
    Removal(
        "G4",
        "who signs in again in vain ends others",
        "commit.py",
        "            return await surplus(self._parts, listed, [renewed.id])",
        """\
            over = await surplus(self._parts, listed, [renewed.id])
            await evict(self._parts, renewed, over)""",
        LIMITS + "test_signing_in_again_in_vain_ends_nobody[memory]",
    ),
    Removal(
        "G4",
        "a thief's session that ends counts",
        "commit.py",
        "new = await create(parts, state, content, sign_in, instead_of)",
        "new = await create(parts, state, content, sign_in)",
        LIMITS + "test_a_session_that_changed_hands_does_not_keep_its_owner_out[memory]",
    ),
    Removal(
        "G4",
        "in memory, an entry keeps its place when its session is signed in again",
        "stores/memory.py",
        """\
            self._forget(record.subject, record.id)
            if""",
        """\
            if""",
        CONTRACT + "test_an_index_over_the_limit_is_told_in_its_order",
    ),
    Removal(
        "G4",
        "in SQLite, a session that is being signed in counts",
        "stores/sqlite.py",
        "subject = ? AND place IS NOT NULL",
        "subject = ?",
        "tests/stores/test_contract.py::TestSQLite::"
        "test_what_was_saved_and_not_listed_is_in_nobodys_way",
    ),
    Removal(
        "G4",
        "in Redis, the one that is over first is the oldest",
        "stores/redis/scripts.py",
        "score = math.max(score, tonumber(last[2]) + 1)",
        "score = score",
        "tests/stores/test_contract.py::TestRedis::"
        "test_an_index_over_the_limit_is_told_in_its_order",
    ),
    Removal(
        "J1",
        "each change of a fold is laid over what was stored before it",
        "core/fold.py",
        "left = stored if last is None else last.record",
        "left = stored",
        FOLD + "test_a_change_after_a_new_lineage_is_refused_and_those_before_it_hold",
    ),
    Removal(
        "J2",
        "what comes after an end is folded into it",
        "core/fold.py",
        """\
        if ends:
            break
""",
        "",
        FOLD + "test_one_that_empties_the_session_stands_alone",
    ),
    Removal(
        "J3",
        "all are told what the last one was",
        "core/fold.py",
        "return Folded(last.record if last else None, ends, answers)",
        "return Folded(last.record if last else None, ends, [last or each for each in answers])",
        GROUPS + "test_each_draws_a_number_of_its_own",
    ),
    Removal(
        "J4",
        "one that fails fails the others",
        "core/fold.py",
        """\
    except Exception as error:
        return error
""",
        """\
    except Exception:
        raise
""",
        GROUPS + "test_one_that_cannot_be_applied_is_left_out",
    ),
    Removal(
        "J5",
        "a save without an answer counts as done",
        "groups.py",
        """\
            except Conflict as conflict:
                stored = conflict.stored
            except Undecodable:
""",
        """\
            except Conflict as conflict:
                stored = conflict.stored
            except StoreUnavailable:
                break
            except Undecodable:
""",
        GROUPS + "test_no_answer_is_unavailable_for_all",
    ),
    Removal(
        "J6",
        "the save goes with the request that leads it",
        "groups.py",
        """\
            group.task = loop.create_task(turns) if is_slow else start(turns, loop)
""",
        """\
            await turns
""",
        GROUPS + "test_a_save_outlives_the_request_that_leads_it",
    ),
    Removal(
        "T1",
        "an older touch takes activity back",
        "stores/memory.py",
        "if isinstance(stored, Record) and stored.seen_at < seen_at:",
        "if isinstance(stored, Record):",
        CONTRACT + "test_a_touch_only_ever_raises_what_was_seen",
    ),
    Removal(
        "T1",
        "a save takes activity back",
        "core/draft.py",
        "seen_at=max(stored.seen_at, seen_at)",
        "seen_at=seen_at",
        "tests/core/test_change.py::test_activity_only_grows",
    ),
    Removal(
        "T2",
        "near the end the touch comes after the handler",
        "door.py",
        "if state.is_touch_due and self._policy.is_near_end(stored, state.acted_at):",
        "if False:",
        TOUCHES + "test_near_the_end_the_touch_comes_before_the_handler",
    ),
    Removal(
        "T3",
        "a touch that failed is forgotten",
        "touches.py",
        "            for each in [*pending, *all_failed]:\n",
        "            for each in pending:\n",
        MEETING + "[one server-read, touch lost]",
    ),
    Removal(
        "T3",
        "closing writes nothing that waits",
        "sessions.py",
        """\
        await self.flush()
        await self._store.close()
""",
        """\
        await self._store.close()
""",
        TOUCHES + "test_closing_writes_what_waits",
    ),
    Removal(
        "T3",
        "closing does not wait for what is being recorded",
        "touches.py",
        "            await asyncio.wait([self._flush])\n",
        "            pass\n",
        TOUCHES + "test_closing_waits_for_what_is_being_recorded",
    ),
    Removal(
        "T4",
        "an idle session is let in",
        "core/standing.py",
        "return Standing.CURRENT if now < stored.expires_at else Standing.EXPIRED",
        "return Standing.CURRENT",
        LIFECYCLE + "test_idle_time_is_counted_from_the_last_activity[memory]",
    ),
    Removal(
        "T4",
        "a later commit is activity of a session that is over",
        "sessions.py",
        "if state.base is not None and state.acted_at >= state.base.expires_at:",
        "if False:",
        LIFECYCLE + "test_a_later_commit_does_not_revive_what_was_idle_for_too_long[memory-True]",
    ),
    Removal(
        "T4",
        "a touch is put off for twice its share",
        "core/policy.py",
        "return record.seen_at + self._share(record)",
        "return record.seen_at + 2 * self._share(record)",
        "tests/chaos/test_clock.py::TestLimits::"
        "test_activity_counts_for_the_idle_time_less_a_share[memory-90001]",
    ),
    Removal(
        "T5",
        "each server goes by its own clock",
        "clock.py",
        "return self._local() + self.offset",
        "return self._local()",
        "tests/chaos/test_clock.py::TestServersThatDiffer::"
        "test_end_a_session_at_the_same_moment[memory-300000]",
    ),
    Removal(
        "R-003",
        "a ticket is looked for whose id was never made",
        "door.py",
        " or (tokens and not tokens.issued(ticket, state.opened_at))",
        "",
        KEYED + "test_forged_tickets_reach_no_store[memory]",
    ),
    Removal(
        "R-014",
        "a payload opens in the record of another subject",
        "core/record.py",
        "{self.ends_at} {self.subject}",
        "{self.ends_at}",
        SEALED + "test_a_field_that_says_who_and_how_long_cannot_be_changed[sealed-memory-subject]",
    ),
    Removal(
        "R-014",
        "who writes to the store puts a token of their own into a record",
        "core/record.py",
        "return self.lineage_digest + fields.encode()",
        "return fields.encode()",
        SEALED + "test_nobody_puts_a_token_of_their_own_into_a_record[sealed-memory]",
    ),
    Removal(
        "R-015",
        "plain records are read where encryption is on",
        "sealed.py",
        "if self._plain_until is None or datetime.now(UTC) >= self._plain_until:",
        "if False:",
        SEALED + "test_plain_records_are_refused_where_encryption_is_on[sealed-memory]",
    ),
    Removal(
        "R-016",
        "only the newest key opens",
        "keyring.py",
        "for id, master in self._masters.items()}",
        "for id, master in list(self._masters.items())[:1]}",
        SEALED + "test_keys_change_and_nobody_is_signed_out[sealed-memory]",
    ),
    Removal(
        "R-017",
        "a key with a typing error is taken",
        "keyring.py",
        "if crc32(master).to_bytes(4) != raw[32:]:",
        "if False:",
        KEYRING + "test_a_weak_key_stops_the_start_by_its_setting_and_is_not_repeated"
        "[a typing error]",
    ),
    Removal(
        "R-017",
        "a key without chance in it is taken",
        "keyring.py",
        "min(len(set(raw)), len(steps)) >= _ENOUGH and not _is_text(raw)",
        "True",
        KEYRING + "test_a_weak_key_stops_the_start_by_its_setting_and_is_not_repeated[zeros]",
    ),
    Removal(
        "R-017",
        "the documentation's key is taken",
        "keyring.py",
        "if id in _PUBLISHED:",
        "if False:",
        KEYRING + "test_a_key_that_stands_in_this_repository_is_refused",
    ),
    Removal(
        "R-017",
        "one key serves two settings",
        "keyring.py",
        "_settings_by_key.setdefault(each, setting)",
        "setting",
        KEYRING + "test_one_key_for_two_settings_is_refused",
    ),
    Removal(
        "R-023",
        "who impersonates goes on after their sessions were all ended",
        "door.py",
        "if actor is None or not await is_dismissed(self._parts, actor.subject, actor.begun_at):",
        "if True:",
        "tests/sessions/test_impersonation.py::"
        "test_whose_sessions_were_all_ended_neither_acts_nor_returns[memory]",
    ),
    Removal(
        "R-023",
        "in SQLite, an end of everything does not reach who impersonates",
        "stores/sqlite.py",
        "max(_bar(db, subject), _bar(db, _EVERYBODY))",
        "_bar(db, subject)",
        "tests/stores/test_contract.py::TestSQLite::test_a_bar_is_told_without_a_write",
    ),
    Removal(
        "R-071",
        "another client with a ticket ends no session, whatever the policy says",
        "door.py",
        """\
            if not _is_provable(action, data):
                await self._end_drifted(stored, client)
            raise""",
        """\
            raise""",
        TICKETS + "test_another_client_with_it_ends_the_session_where_the_policy_says_so[memory]",
    ),
    Removal(
        "R-071",
        "what a visitor put in takes the place of what the user did",
        "core/session.py",
        "data.setdefault(key, value)",
        "data[key] = value",
        BINDING
        + "test_what_the_user_puts_in_meanwhile_comes_before_what_a_visitor_did[memory-rules0]",
    ),
    Removal(
        "R-071",
        "a visitor's session fills the user's",
        "core/session.py",
        "if visitor and not has_room(",
        "if False and not has_room(",
        BINDING + "test_a_visitors_session_that_is_too_large_keeps_nobody_out[memory-much0]",
    ),
    Removal(
        "R-071",
        "a thief who signs in as somebody else ends what its user has proved meanwhile",
        "move.py",
        " and is_same_hold(left, found):",
        ":",
        BINDING + "test_another_user_ends_only_what_is_in_the_same_hands[memory-stepped up]",
    ),
    Removal(
        "R-071",
        "a sign-in that raises has left the withheld session already",
        "core/session.py",
        "state.note(self)  # what cannot be stored is said before anything is done",
        "pass",
        BINDING + "test_what_cannot_be_stored_is_said_before_anything_is_done[memory-bob-bad1]",
    ),
    Removal(
        "R-071",
        "a visitor who empties the cart ends what is withheld",
        "commit.py",
        """\
            state.ending.append(base)
""",
        """\
            state.end()
""",
        BINDING + "test_a_visitor_who_empties_the_cart_ends_nothing_that_is_withheld[memory]",
    ),
    Removal(
        "R-071",
        "a second factor is awaited after it was given",
        "sessions.py",
        "                await leave(self._parts, state)\n",
        "",
        BINDING + "test_no_second_factor_is_awaited_once_it_was_given[memory]",
    ),
    Removal(
        "R-081",
        "who makes tickets up is told of, and not refused",
        "door.py",
        "state.failure = state.refusal",
        "state.refusal",
        "tests/sessions/test_guesses.py::test_tickets_are_counted_and_refused_alike",
    ),
    Removal(
        "R-046",
        "every deletion of a login's cookie clears what the browser keeps",
        "web/exchange.py",
        "state.signs_out and ",
        "",
        CLEARS + "test_an_expiry_alone_has_it_not_but_a_logout_after_it_has[wsgi]",
    ),
    Removal(
        "R-046",
        "a logout by an older token clears what a newer login keeps",
        "web/exchange.py",
        " and state.cookies.get(Holder.SIGNED_IN, False) is None",
        "",
        CLEARS + "test_no_newer_login_loses_what_it_keeps",
    ),
    Removal(
        "R-046",
        "a visitor who empties the cart beside a login that is over logs out",
        "commit.py",
        "state.signs_out |= base.subject is not None",
        "state.signs_out = True",
        CLEARS + "test_a_visitor_who_empties_the_cart_is_no_logout[/empty]",
    ),
    Removal(
        "R-046",
        "a cookie is set and cleared by one answer",
        "web/exchange.py",
        "keeps_cookies=keeps",
        "keeps_cookies=False",
        CLEARS + "test_a_cookie_that_the_same_answer_sets_stays[types0-lines0]",
    ),
    Removal(
        "R-065",
        "a visitor's token is good for a form beside a session in doubt",
        "core/state.py",
        "return token is not None and fits(token.lineage, csrf_token)",
        "return any(fits(each.lineage, csrf_token) for each in (token, self.token) if each)",
        "tests/web/test_csrf.py::test_a_form_beside_a_session_in_doubt_is_that_sessions[memory]",
    ),
    Removal(
        "R-081",
        "a visitor's session beside it hides a guess",
        "door.py",
        "state.failure = state.failure or other.refusal",
        "pass",
        GUESSES + "test_a_visitors_session_beside_it_hides_no_guess",
    ),
    Removal(
        "R-081",
        "a guesser makes what is known of others forgotten",
        "guesses.py",
        "if count <= rate.count and self._is_new",
        "if self._is_new",
        GUESSES + "test_a_guesser_makes_nobody_elses_cookie_a_guess_again",
    ),
    Removal(
        "R-081",
        "each picture of a page makes another guess of one dead cookie",
        "guesses.py",
        "return token is None or self",
        "return True or self",
        GUESSES + "test_one_dead_token_is_one_guess_however_often_it_comes",
    ),
    Removal(
        "R-081",
        "what was counted already is let through",
        "guesses.py",
        "if count <= rate.count or",
        "if not self._is_new(token, who, window) or count <= rate.count or",
        GUESSES + "test_a_token_that_is_known_is_refused_like_any_other",
    ),
    Removal(
        "R-081",
        "guesses at the secret of one session are one",
        "guesses.py",
        "sha256(token.reveal().encode())",
        "sha256(token.id.encode())",
        GUESSES + "test_guesses_at_one_session_are_as_many_as_there_are[secret]",
    ),
    Removal(
        "R-082",
        "a bomb goes off",
        "core/compressed.py",
        "stream.decompress(deflated, LIMIT + 1)",
        "stream.decompress(deflated)",
        "tests/core/test_compressed.py::test_a_bomb_does_not_go_off",
    ),
    Removal(
        "R-106",
        "every session tells that keys were changed",
        "rekeyed.py",
        "old != new and parts.reported.is_first((old, new))",
        "old != new",
        SEALED + "test_a_change_of_keys_is_told_once_for_each_old_key[sealed-memory]",
    ),
    Removal(
        "R-106",
        "a visitor's data is taken to another key without a word",
        "move.py",
        "    tell_of_key(parts, change.base, new.record)\n",
        "",
        SEALED + "test_a_visitors_data_that_moves_to_a_new_key_tells_too[sealed-memory]",
    ),
    Removal(
        "R-109",
        "what is open is not asked whether it is still of the lineage it was opened in",
        "core/fate.py",
        "        and same(stored.lineage_digest, base.lineage_digest)\n",
        "",
        LOOKOUT + "test_an_end_elsewhere_is_noticed[memory-rotate]",
    ),
    Removal(
        "R-109",
        "what an impersonation has open outlives the sessions of its actor",
        "lookout.py",
        "if actor is not None and await is_dismissed(parts, actor.subject, actor.begun_at):",
        "if False:",
        LOOKOUT + "test_an_impersonation_whose_actor_is_ended_here_is_over_at_once[memory]",
    ),
    Removal(
        "R-109",
        "an end of the actor in this process is not heard",
        "lookout.py",
        "            or ((actor := each.session.state.actor) and actor.subject in self._barred)\n",
        "",
        LOOKOUT + "test_an_impersonation_whose_actor_is_ended_here_is_over_at_once[memory]",
    ),
    Removal(
        "R-109",
        "a message that comes after the expiry is processed",
        "web/asgi.py",
        """\
            else:
                await self._open.is_over()
        if message""",
        "        if message",
        OPEN + "test_messages_alone_keep_no_session_alive[memory]",
    ),
    Removal(
        "R-109",
        "an outage keeps open what nobody vouches for",
        "lookout.py",
        "now >= min(self._expires_at, self._vouched_at + PATIENCE)",
        "now >= self._expires_at",
        LOOKOUT + "test_an_outage_is_borne_for_a_minute[memory]",
    ),
    Removal(
        "R-109",
        "a message that is under way when its session ends is passed on",
        "lookout.py",
        """\
        for watched in self._asked_about():  # a message may come before the look
            watched.doubt()
""",
        "",
        LOOKOUT + "test_no_message_passes_between_an_end_and_the_look_at_it[memory-end]",
    ),
    Removal(
        "R-109",
        "a look takes a change of the socket's own for another's",
        "lookout.py",
        """\
        elif before is None or not is_same_hold(before, state.base):
            return  # it changed its privileges itself meanwhile: the next look tells
""",
        "",
        LOOKOUT + "test_a_look_that_meets_a_change_of_its_own_says_nothing[False]",
    ),
    Removal(
        "R-110",
        "a ticket works twice",
        "core/ticket.py",
        "    data[KEY] = tickets\n",
        "",
        TICKETS + "test_it_opens_the_session_once[memory]",
    ),
    Removal(
        "R-110",
        "a ticket works from every origin",
        "core/ticket.py",
        "if now >= expires_at or origin != asked_by:",
        "if now >= expires_at:",
        TICKETS + "test_it_is_bound_to_its_origin[memory-https://app.example-None]",
    ),
    Removal(
        "R-110",
        "a ticket outlives a privilege change",
        "core/ticket.py",
        'sha256(b"ticket" + lineage +',
        'sha256(b"ticket" +',
        TICKETS + "test_every_privilege_change_and_every_end_makes_it_worthless[memory-rotate]",
    ),
    Removal(
        "R-084",
        "a token's word is taken for the algorithm",
        "tokens/compact.py",
        """\
    if header.get("alg") != key.algorithm.name:
        raise InvalidToken("its algorithm is not its key's")
""",
        "",
        VERIFIER + "test_a_key_is_for_one_algorithm",
    ),
    Removal(
        "R-086",
        "a key that nobody knows is any key",
        "tokens/compact.py",
        """\
    key = keys.find(id) if isinstance(id, str) else None
""",
        """\
    key = (keys.find(id) if isinstance(id, str) else None) or getattr(keys, "first", None)
""",
        VERIFIER + "test_a_key_id_is_looked_up_and_nothing_else",
    ),
    Removal(
        "R-087",
        "what is critical is passed over",
        "tokens/compact.py",
        """\
    if not _REFUSED.isdisjoint(header):
        raise InvalidToken("its header asks for what is not done here")
""",
        "",
        VERIFIER + "test_what_is_critical_and_unknown_is_refused",
    ),
    Removal(
        "R-087",
        "of two members of a name the last one counts",
        "tokens/strict_json.py",
        """\
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
""",
        "",
        VERIFIER + "test_a_member_that_is_there_twice_is_refused",
    ),
    Removal(
        "R-087",
        "a token has many spellings",
        "core/base64url.py",
        """\
    if encode(raw) != text:
        raise ValueError("this is not canonical base64url")
""",
        "",
        VERIFIER + "test_the_form_of_a_token_is_one",
    ),
    Removal(
        "R-088",
        "an access token does not expire",
        "core/validation.py",
        """\
    if now >= expires + expected.leeway:
        raise InvalidToken("it expired")
""",
        "",
        VERIFIER + "test_clocks_may_be_apart_by_the_leeway",
    ),
    Removal(
        "R-088",
        "an access token is good before its time",
        "core/validation.py",
        """\
    if max(issued, _time(said, "nbf") if "nbf" in said else 0) > now + expected.leeway:
        raise InvalidToken("it is not valid yet")
""",
        "",
        VERIFIER + "test_a_token_has_its_time",
    ),
    Removal(
        "R-088",
        "an access token lives as long as it says",
        "core/validation.py",
        """\
    if expires - issued > expected.max_lifetime:
        raise InvalidToken("it lives longer than is allowed here")
""",
        "",
        VERIFIER + "test_a_token_has_its_time",
    ),
    Removal(
        "R-089",
        "an access token of any issuer is taken",
        "core/validation.py",
        """\
    if said.get("iss") != expected.issuer:
        raise InvalidToken(f"it is not of {expected.issuer!r}")
""",
        "",
        VERIFIER + "test_issuer_and_audience_are_exact",
    ),
    Removal(
        "R-089",
        "an access token is for anybody",
        "core/validation.py",
        """\
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidToken(f"it is not for {expected.audience!r}")
""",
        "",
        VERIFIER + "test_issuer_and_audience_are_exact",
    ),
    Removal(
        "R-090",
        "a token for another purpose is an access token",
        "tokens/compact.py",
        """\
    if not isinstance(type, str) or type.lower() not in _TYPES:
        raise InvalidToken("it is no access token")
""",
        "",
        VERIFIER + "test_a_token_for_another_purpose_is_no_access_token",
    ),
    Removal(
        "R-090",
        "an access token says whatever it is told to",
        "tokens/issuer.py",
        """\
        if unknown := set(claims or ()) - self._claims:
            raise ValueError(f"{sorted(unknown)} are not among the issuer's claims")
""",
        "",
        ISSUER + "test_only_names_that_were_agreed_on_are_said",
    ),
    Removal(
        "R-090",
        "a token names the session of before a sign-in",
        "tokens/issuer.py",
        "state.is_changing_privileges or ",
        "",
        ISSUER + "test_what_is_not_stored_yet_is_not_said",
    ),
    Removal(
        "R-031",
        "an access token outlives its session",
        "core/issuance.py",
        "int(min(terms.lifetime, expires_at / 1_000 - now))",
        "int(terms.lifetime)",
        ISSUER + "test_a_token_does_not_outlive_its_session",
    ),
    Removal(
        "R-091",
        "a short key signs",
        "tokens/key.py",
        """\
        if has < algorithm.bits:
            raise ValueError(f"has {has} bits, {algorithm.name} needs {algorithm.bits}")
""",
        "",
        KEYS_OF_TOKENS + "test_a_key_that_is_too_short_is_refused",
    ),
    Removal(
        "R-091",
        "a password signs",
        "tokens/key.py",
        """\
        if algorithm.is_symmetric and not is_random(raw):
            raise ValueError("is not random: make one with `coatcheck signing-key`")
""",
        "",
        KEYS_OF_TOKENS + "test_a_secret_that_is_not_random_is_refused",
    ),
    Removal(
        "R-091",
        "who checks tokens may hold the key that signs",
        "tokens/keys.py",
        """\
            if not _SECRET.isdisjoint(jwk):
                problem = "holds a secret key, which whoever checks tokens must not have"
                raise ConfigurationError("jwks", problem)
""",
        "",
        KEYS_OF_TOKENS + "test_who_checks_tokens_has_no_secret",
    ),
    Removal(
        "R-085",
        "a key that nobody knows is asked for each time",
        "tokens/remote.py",
        """\
        if (is_old or key is None) and now >= self._again_at and not self._is_asking(now):
""",
        """\
        if is_old or key is None:
""",
        "tests/tokens/test_remote.py::test_no_request_waits_for_the_first_keys",
    ),
    Removal(
        "R-085",
        "keys are believed for good",
        "tokens/remote.py",
        "now - self._known_at >= self._trust or (is_old and key is None)",
        "self._keys is None or (is_old and key is None)",
        "tests/tokens/test_remote.py::test_where_nobody_answers_they_are_believed_for_so_long[gone]",
    ),
    Removal(
        "R-092",
        "an access token is good whatever became of its session",
        "sessions.py",
        "if record is not None and claims.are_of(record):",
        "if True:\n            return\n        if record is not None:",
        ISSUER + "test_where_the_store_is_asked_a_token_ends_with_its_session[logout]",
    ),
    Removal(
        "R-092",
        "an access token keeps privileges that were taken away",
        "core/claims.py",
        "            and lineage_of(record) == self.lineage\n",
        "",
        ISSUER + "test_where_the_store_is_asked_a_token_ends_with_its_session[role]",
    ),
    Removal(
        "R-109",
        "a token of who impersonates outlives their own sessions",
        "sessions.py",
        "                and await self._may_act(claims)\n",
        "",
        ISSUER + "test_who_impersonates_does_so_no_longer_than_they_may",
    ),
    Removal(
        "R-090",
        "who a request says it is may be taken for who it is",
        "web/fastapi.py",
        "        raise ConfigurationError(self._name, problem)\n",
        "        return handler(source)\n",
        "tests/frameworks/test_fastapi.py::test_a_user_is_never_taken_from_the_request_itself",
    ),
    Removal(
        "R-092",
        "who can write to the store undoes an end for access tokens",
        "sessions.py",
        "                and self._is_whole(record)\n",
        "",
        ISSUER + "test_a_record_that_somebody_else_wrote_stands_for_nothing",
    ),
    Removal(
        "R-085",
        "a proxy says what the keys are",
        "tokens/remote.py",
        '[_Stay, ProxyHandler({})] if url.startswith("http:") else [_Stay]',
        "[_Stay]",
        "tests/tokens/test_remote.py::test_this_machine_is_asked_itself_and_no_proxy",
    ),
    Removal(
        "R-085",
        "a late answer brings a withdrawn key back",
        "tokens/remote.py",
        "if asked_at >= self._known_at:",
        "if True:",
        "tests/tokens/test_remote.py::test_a_late_answer_does_not_bring_back_what_was_withdrawn",
    ),
    Removal(
        "R-100",
        "a token that is bound to a key is taken from anybody",
        "core/validation.py",
        """\
    if "cnf" in said:  # who presents it would have to prove that (RFC 7800 3.1)
        raise InvalidToken("it is bound to a key of its client, which is not asked for here")
""",
        "",
        VERIFIER + "test_what_it_says_is_of_the_kind_it_has_to_be",
    ),
    Removal(
        "R-077",
        "a cache may store an access token",
        "tokens/issuer.py",
        "        state.shows_token = True\n",
        "",
        "tests/docs/test_examples.py::test_access_tokens",
    ),
    Removal(
        "R-101",
        "two authorizations are one",
        "web/bearer.py",
        """\
    if bearers and len(values) > 1:
        raise ValueError("there are two authorizations")
""",
        "",
        "tests/web/test_access_tokens.py::test_two_authorizations_are_no_authorization[starlette]",
    ),
    Removal(
        "R-101",
        "a route is open that nobody thought of",
        "web/access/checkpoint.py",
        """\
            if self._optional:
                return None
            raise Unauthenticated("the request has no access token")
""",
        """\
            return None
""",
        "tests/web/test_access_tokens.py::test_nothing_is_answered_without_one[wsgi]",
    ),
]
