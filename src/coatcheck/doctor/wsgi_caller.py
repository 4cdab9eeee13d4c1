"""Call a WSGI application in this process."""

import sys
from collections.abc import Collection, Mapping

from coatcheck.doctor.answer import Answer, shown_request
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.local import LOCALHOST
from coatcheck.sessions import Sessions
from coatcheck.testing.outcome import Wsgi, over_wsgi


class WsgiCaller:
    """A client of an application object.

    Args:
        host: as which it is asked.
    """

    def __init__(self, app: Wsgi, host: str) -> None:
        self._app, self._host = app, host
        self.origin = f"https://{host}"

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """See `Caller.send`."""
        asked = over_wsgi(
            self._app, method, path, headers, body,
            host=self._host, peer=LOCALHOST, log=sys.stderr,
        )  # fmt: skip
        request = shown_request(method, path)
        if asked.raised is not None:
            what = f"the application raised {type(asked.raised).__name__}"
            raise CannotRun(what, request, "see its log")
        if not asked.starts:
            raise CannotRun("the application started no response", request, "see its log")
        return Answer.of(request, *asked.starts[0], asked.body)

    def close(self, used: Collection[Sessions] = ()) -> None:
        """See `Caller.close`: nothing runs between requests."""
