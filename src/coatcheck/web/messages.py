"""A session as `flash()` of Flask and Quart uses one: what is HTML comes back as HTML."""

from typing import Any, cast

from markupsafe import Markup

from coatcheck.errors import TooManyMessages
from coatcheck.web.permanent import PermanentSession

MESSAGES = "_flashes"
"""The key that holds them."""

_HTML = "__html__"


class MessageSession(PermanentSession):
    """A session that messages are kept in until they are shown."""

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        if key == MESSAGES:
            limit = self.state.settings.policy.max_messages
            if len(value) > limit:
                del value[limit:]  # it may be the list that is in here, with one more
                raise TooManyMessages(limit)
            value = [_stored_message(message) for message in value]
        super().__setitem__(key, value)

    def pop(self, key: str, *default: Any) -> Any:
        """Take a key out."""
        value = super().pop(key, *default)
        if key == MESSAGES and value:
            return [_message(stored) for stored in value]
        return value


def _stored_message(message: tuple[str, Any]) -> tuple[str, Any]:
    """Return a message of `flash` as it is stored: what is HTML is said to be, as Flask does.

    By a tuple, so that no JSON that is flashed as it came from a client is taken for HTML. Messages
    that are stored already stay as they are.
    """
    category, shown = message
    if (html := getattr(shown, "__html__", None)) is None:
        return message
    return category, {_HTML: (str(html()),)}


def _message(stored: tuple[str, Any]) -> tuple[str, Any]:
    """Return what `_stored_message` was given."""
    category, shown = stored
    html = cast("dict[str, Any]", shown).get(_HTML) if isinstance(shown, dict) else None
    if not isinstance(html, tuple):
        return stored
    return category, Markup(cast("tuple[str]", html)[0])  # noqa: S704 - it was HTML before
