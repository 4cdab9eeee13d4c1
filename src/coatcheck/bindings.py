"""Whether a session is still in the hands it was given to, and who is told when it may not be."""

import logging

from coatcheck.core.binding import NO_DRIFT, Action, Drift, actions, compare, differences
from coatcheck.core.events import Event, Happened, Listener
from coatcheck.core.once import Once
from coatcheck.core.record import Client, Record
from coatcheck.parts import Parts

_log = logging.getLogger("coatcheck")


class Bindings:
    """Judges clients by the policy's binding; tells of a drift once, not with each request.

    Raises:
        ConfigurationError: the binding cannot be asked.
    """

    def __init__(self, parts: Parts, notify: Listener | None) -> None:
        self._parts, self._notify = parts, notify
        self._actions = actions(parts.settings.policy.binding)
        self._told = Once(10_000)

    def judge(self, record: Record, client: Client) -> tuple[Action, Drift]:
        """Say what is to be done about a session that `client` presented the token of."""
        if record.client == client or record.subject is None:
            return Action.OBSERVE, NO_DRIFT
        drift = compare(record.client, client)
        if not drift:
            return Action.OBSERVE, drift
        action = self._actions[drift]
        if self._told.is_first((record.id, record.lineage_digest, drift)):  # of this proof
            self._tell(record, client, drift, action)
        return action, drift

    def _tell(self, record: Record, client: Client, drift: Drift, action: Action) -> None:
        facts: dict[str, str | int] = {
            "action": action.name.lower(),
            "score": drift.score,
            **differences(record.client, client, drift),
        }
        kind, now = Happened.BINDING_CHANGED, self._parts.clock.now()
        event = Event(kind, now, record.id, record.subject, facts, client=client)
        self._parts.send(event)
        if self._notify is not None and action >= Action.NOTIFY:
            try:
                self._notify(event)
            except Exception:
                _log.exception("notify failed on session %s", record.id)
