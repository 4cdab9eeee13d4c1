"""What Flask and Quart have in common: their applications' settings, and how their `session` is."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from coatcheck.core.session import Session
from coatcheck.core.unseen import Unseen, look
from coatcheck.sessions import Sessions
from coatcheck.web.answers import ERRORS
from coatcheck.web.cookie_settings import transport_of
from coatcheck.web.gate import Gate, GateOptions
from coatcheck.web.permanent import lifetime

S = TypeVar("S", bound=Session)


def set_up(
    app: Any,
    sessions: Sessions,
    options: GateOptions,
    *,
    defaults: Mapping[str, Any],
    of: type[Unseen],
    adapter: str,
    refuse: Callable[[Any], Any],
) -> tuple[Gate, int]:
    """Return an application's gate, and for how many seconds a permanent session's cookie is kept.

    Args:
        app: whose settings hold, where they differ from `defaults`.
        defaults: the framework's own settings.
        of, adapter: see `Gate`.
        refuse: handles the errors of a session that the application has no handlers for.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """
    options["transport"] = options.get("transport") or transport_of(app.config, defaults)
    gate = Gate(sessions, **options, of=of, adapter=adapter)
    kept_for = lifetime(app.config, defaults, sessions.policy.absolute)
    for error in ERRORS:
        if error not in app.error_handler_spec[None][None]:
            app.register_error_handler(error, refuse)
    return gate, kept_for


def behind(proxy: Any, current: Any, kind: type[S], advice: str) -> S:
    """Return the session that the framework's `session`, or what a request has, stands for.

    Raises:
        StoreUnavailable: it could not be loaded.
        RuntimeError: it is none of ours; or no request is being served, or its response has started
            and nobody looked before.
    """
    try:
        found = proxy._get_current_object() if proxy is current else proxy
    except AttributeError:  # the context that there is has none
        found = None
    if not isinstance(found, kind):
        raise RuntimeError(f"no session here: {advice}")
    look(found)
    return found
