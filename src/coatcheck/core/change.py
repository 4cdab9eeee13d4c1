"""One attempt to carry out a change: pure, so that it can be repeated, folded and explored."""

from typing import NamedTuple, cast

from coatcheck.core.codec import Codec
from coatcheck.core.draft import following, promoted
from coatcheck.core.intents import Difference, Privilege, Step, moving
from coatcheck.core.merge import Data, Merge
from coatcheck.core.rebase import rebase
from coatcheck.core.record import Client, Record, Stored
from coatcheck.core.renewal import Renewal, renewed
from coatcheck.core.settings import Settings
from coatcheck.core.token import Token
from coatcheck.core.verdict import Verdict, decide
from coatcheck.errors import SessionTooLarge, TooManyKeys, Undecodable


class Change(NamedTuple):
    """What one commit wants, fixed when it starts.

    Attributes:
        base: the record it was made on.
        steps: what was done to its data, in order.
        own_steps: those of them that were done after a sign-in, so belong to who signed in.
        content: the data after them, encoded.
        token: the new one of a privilege change.
        acted_at, now: the activity to record, and the time of a privilege change or renewal.
        renewal: what may be done for the token the request came with.
    """

    base: Record
    steps: tuple[Step, ...]
    own_steps: tuple[Step, ...]
    content: bytes
    privilege: Privilege
    token: Token | None
    acted_at: int
    now: int
    client: Client
    renewal: Renewal | None = None

    @property
    def is_renewal_alone(self) -> bool:
        """Whether nothing was done to the session; then it is worth no failure of the request."""
        return self.privilege is None and not self.steps

    def __repr__(self) -> str:
        return f"<Change of {self.base!r}>"


class Applied(NamedTuple):
    """A change laid over what is stored.

    Attributes:
        record: to be saved over what it was laid over.
        content: its data, encoded.
        overwritten: the leaves, by path, that somebody else had changed as well.
        token: the new one, for this change's own answer (J3).
        ends: no data is left, and there was some, so the session is to be ended instead.
    """

    record: Record
    content: bytes
    overwritten: tuple[str, ...]
    token: Token | None = None
    ends: bool = False

    def __repr__(self) -> str:
        return f"<Applied {self.record!r}>"


def apply(change: Change, stored: Stored, settings: Settings, stamp: bytes) -> Applied | Verdict:
    """Return the record to save over `stored`, or why there is none.

    Raises:
        MergeRefused: both sides changed a key that must not merge.
        SessionTooLarge, TooManyKeys: the data is over the limit.
        Exception: whatever an edit raises that is run again.
    """
    verdict = decide(change.base, change.privilege, stored)
    if verdict is not Verdict.APPLY or not isinstance(stored, Record):
        return verdict
    try:
        content, overwritten = rebased(change, stored, settings)
    except Undecodable:
        return Verdict.SUPERSEDED  # another version of the application wrote it
    if not change.is_renewal_alone:
        check_size(content, settings)
    if change.token is None:
        token = None
        record = following(stored, change.acted_at, stamp, settings.payload(stored, content))
        if change.renewal is not None:
            record, token = renewed(record, change.renewal, settings.policy, change.now)
        ends = content == settings.empty != settings.content(stored)
        return Applied(record, content, overwritten, token, ends)
    record = following(stored, change.acted_at, stamp)
    record = promoted(
        record, change.privilege, change.token, change.client, settings.policy, change.now
    )
    return Applied(settings.filled(record, content), content, overwritten, change.token)


def rebased(change: Change, stored: Record, settings: Settings) -> tuple[bytes, tuple[str, ...]]:
    """Return the data of `stored` with the change's steps laid over it, and what they overwrote.

    Raises:
        Undecodable: the data of `stored` cannot be read.
        MergeRefused: both sides changed a key that must not merge.
    """
    if stored.is_same_save(change.base):
        return change.content, ()
    lost: list[str] = []
    theirs = settings.codec.decode(settings.content(stored))
    data = rebase(change.steps, theirs, settings.codec, settings.rules, lost)
    return settings.codec.encode(data), tuple(lost)


def moved(change: Change, stored: Record, settings: Settings) -> bytes:
    """Return a visitor's data as it moves to who signs in, with the change's steps laid over it.

    Some keys stay behind (P5). A key that must not merge is taken from the one who signs
    in: a sign-in never loses.

    Raises:
        Undecodable: the data of `stored` cannot be read.
    """
    theirs = settings.codec.decode(settings.content(stored))
    rules = dict.fromkeys(settings.rules, Merge.WHOLE)
    return settings.codec.encode(rebase(change.steps, moving(theirs), settings.codec, rules, []))


def own(change: Change, settings: Settings) -> bytes:
    """Return only what was put in after the sign-in: all that a fork, empty, starts with.

    A list, tuple or set that was there before is left out, whatever was added to it: it would bring
    along what it held.
    """
    steps = [_fresh(step, settings.codec) for step in change.own_steps]
    return settings.codec.encode(rebase(steps, {}, settings.codec, {}, []))


def _fresh(step: Step, codec: Codec) -> Step:
    """Return the step without what it did to collections that were there before."""
    if not isinstance(step, Difference):
        return step
    before, after = codec.decode(step.before), codec.decode(step.after)
    return step._replace(after=codec.encode(_without_collections(before, after)))


def _without_collections(before: Data, after: Data) -> Data:
    """Return `after` with the collections that `before` had as they were in it."""
    kept = dict(after)
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        if isinstance(old, dict) and isinstance(new, dict):
            kept[key] = _without_collections(cast("Data", old), cast("Data", new))
        elif isinstance(old, list | tuple | set | frozenset):
            kept[key] = cast("object", old)
    return kept


def check_size(content: bytes, settings: Settings) -> None:
    """Refuse data over the limit.

    Raises:
        SessionTooLarge: it is; with the sizes by key.
        TooManyKeys: it has too many.
    """
    limit = settings.policy.max_size
    if len(content) > limit:
        raise SessionTooLarge(len(content), limit, sizes(content, settings))
    count, most = settings.codec.count(content), settings.policy.max_keys
    if count > most:
        raise TooManyKeys(count, most)


def has_room(content: bytes, settings: Settings) -> bool:
    """Tell whether data takes at most half of what it may."""
    policy, count = settings.policy, settings.codec.count(content)
    return len(content) * 2 <= policy.max_size and count * 2 <= policy.max_keys


def sizes(content: bytes, settings: Settings) -> dict[str, int]:
    """Return the encoded bytes of each top-level key, the largest first."""
    codec = settings.codec
    taken = {key: len(codec.encode({key: value})) for key, value in codec.decode(content).items()}
    return dict(sorted(taken.items(), key=lambda item: -item[1]))
