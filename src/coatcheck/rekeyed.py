"""Tell that the data of a session is protected by another key than before (ASVS 5.0 V16.3.3).

Once for each key that gives way, in each process: a change of keys reaches every session one by
one, with its next save.
"""

from coatcheck.core.events import SYSTEM, Happened
from coatcheck.core.record import Record
from coatcheck.parts import Parts


def tell_of_key(parts: Parts, before: Record, after: Record) -> None:
    """Tell if `after`, which was saved, is sealed by another key than the record it comes of."""
    key_id = parts.settings.envelope.key_id
    old, new = key_id(before.payload), key_id(after.payload)
    if old != new and parts.reported.is_first((old, new)):
        kind, was, now = Happened.KEY_CHANGED, old or "none", new or "none"
        parts.tell(kind, after.id, after.subject, actor=SYSTEM, old_key=was, new_key=now)
