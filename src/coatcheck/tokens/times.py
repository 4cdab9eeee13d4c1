"""Times that are settings."""

from datetime import timedelta

from coatcheck.errors import ConfigurationError


def check_time(setting: str, value: timedelta, least: timedelta, most: timedelta) -> None:
    """Refuse a time that is none, or out of bounds.

    Raises:
        ConfigurationError: it is; it names the setting.
    """
    if not isinstance(value, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(setting, f"{value!r} is no timedelta")
    if not least <= value <= most:
        raise ConfigurationError(setting, f"{value} is not {least} to {most}")
