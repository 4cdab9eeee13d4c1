"""Where an audit trail can be kept: a file, or the application's log; a line of JSON an event."""

import json
import logging
import os
from typing import Any

from coatcheck.core.events import Event
from coatcheck.core.info import moment
from coatcheck.errors import ConfigurationError
from coatcheck.parts import level

_encode = json.JSONEncoder(separators=(",", ":")).encode


def as_json(event: Event) -> str:
    """Return an event as one line of JSON: ASCII, so that nothing in it can look like another line.

    `time` is ISO 8601 in UTC, `session` the public handle; what is unknown is left out. (ASVS 5.0
    V16.2.2, V16.2.4, V16.4.1)
    """
    said: dict[str, Any] = {
        "time": moment(event.at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": event.kind,
        "session": event.id,
        "subject": event.subject,
        "actor": event.actor,
        "cause": event.cause,
        "address": event.client.address,
        "agent": event.client.agent,
        "facts": dict(event.facts) or None,
    }
    known = {name: value for name, value in said.items() if value is not None}
    return _encode(known).replace("\x7f", "\\u007f")


class JSONFile:
    """Appends a line of JSON an event to a file, created readable by its owner only.

    The file is opened for each line, so that it may be moved or cut at any time, and processes may
    share it.

    Args:
        path: of the file, in a directory that exists.
        fsync: whether what concerns authentication outlives a loss of power too. It holds up the
            caller, an event loop as well, for as long as the disk takes.

    Raises:
        ConfigurationError: the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], *, fsync: bool = False) -> None:
        self._path, self._fsync = os.fspath(path), fsync
        self._is_torn = False
        try:
            os.close(self._open())
        except OSError as error:
            raise ConfigurationError("path", f"cannot be written: {error.strerror}") from error

    def __call__(self, event: Event) -> None:
        """Append an event.

        Raises:
            OSError: it could not be written, or only a part of it.
        """
        line = f"{as_json(event)}\n".encode()
        file = self._open()
        try:
            if self._is_torn:
                line = b"\n" + line
            self._is_torn = os.write(file, line) != len(line)
            if self._is_torn:
                raise OSError("the disk took a part of the line only")
            if self._fsync and not event.kind.is_routine:
                os.fsync(file)
        finally:
            os.close(file)

    def _open(self) -> int:
        as_it_is = getattr(os, "O_BINARY", 0)  # Windows would end the line in its own way
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | as_it_is, 0o600)


class JSONLog:
    """Logs a line of JSON an event, by the standard `logging`.

    The record's `coatcheck_event` is the `Event`, for a formatter that makes something else of it.

    Args:
        logger: its name. It logs from `INFO` on unless it was given a level of its own.
    """

    def __init__(self, logger: str = "coatcheck.audit") -> None:
        self._logger = logging.getLogger(logger)
        if self._logger.level == logging.NOTSET:
            self._logger.setLevel(logging.INFO)  # by default the root's, and that is WARNING

    def __call__(self, event: Event) -> None:
        """Log an event."""
        line = as_json(event)
        self._logger.log(level(event.kind), "%s", line, extra={"coatcheck_event": event})
