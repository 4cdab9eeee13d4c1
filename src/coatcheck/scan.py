"""Look for secrets in what is about to be stored. What looks like one is told in `core.secrets`."""

import logging
from typing import Any

from coatcheck.core.events import APPLICATION, Happened
from coatcheck.core.secrets import Secrets, find_secrets
from coatcheck.core.state import State
from coatcheck.errors import SecretInSession
from coatcheck.parts import Parts

_log = logging.getLogger("coatcheck")


def scan(parts: Parts, state: State, data: dict[str, Any]) -> None:
    """Report or refuse secrets in the top-level keys that this request changed.

    Raises:
        SecretInSession: the policy refuses them.
    """
    policy = parts.settings.policy
    action = policy.secrets or (Secrets.REPORT if state.is_development else Secrets.OFF)
    if action is Secrets.OFF or state.mark == state.content:
        return
    before = parts.settings.codec.decode(state.content)
    kept = state.kept(data).items()
    changed = {key: value for key, value in kept if key not in before or before[key] != value}
    found = find_secrets(changed, policy.secrets_allowed)
    if found and action is Secrets.REFUSE:
        raise SecretInSession(dict(found))
    for path, kind in found:
        if parts.reported.is_first(path):
            _log.warning(
                "session key %s holds what looks like %s: keep it elsewhere, or name the key in "
                "Policy.secrets_allowed",
                path,
                kind,
            )
            id = state.base.id if state.base else None
            parts.tell(
                Happened.SECRET_STORED,
                id,
                state.subject,
                actor=APPLICATION,
                cause=kind,
                client=state.client,
                key=path,
            )
