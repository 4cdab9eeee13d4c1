"""The end of a time of transition, in which what is not protected yet is accepted as well."""

import logging
from datetime import UTC, datetime, timedelta

from coatcheck.errors import ConfigurationError

_AT_MOST = timedelta(days=400)
_log = logging.getLogger("coatcheck")


def checked(until: datetime, *, what: str) -> datetime:
    """Return the end of the transition, and warn while it lasts.

    Args:
        what: what is accepted until then, in words.

    Raises:
        ConfigurationError: it is no moment, or too far away to be meant.
    """
    setting = "accept_plain_until"
    is_moment = isinstance(until, datetime)  # pyright: ignore[reportUnnecessaryIsInstance]
    if not is_moment or until.tzinfo is None:
        raise ConfigurationError(setting, f"{until!r} is no datetime with an offset")
    now = datetime.now(UTC)
    if until > now + _AT_MOST:
        raise ConfigurationError(setting, f"is more than {_AT_MOST.days} days from now")
    if until > now:
        _log.warning("%s are accepted until %s", what, until)
    return until
