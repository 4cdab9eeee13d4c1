"""Tell by a page's answers whether a cookie opens a session."""

from collections.abc import Mapping

from coatcheck.doctor.answer import Answer, Caller
from coatcheck.doctor.browser import cookie_header


class GuardedPage:
    """A page that looks different to those who are signed in.

    Args:
        signed_in: cookies that open a session now.
    """

    def __init__(self, caller: Caller, path: str, signed_in: Mapping[str, str]) -> None:
        self._caller, self._path = caller, path
        self._closed = [self._look({}) for _ in range(2)]
        self._open = [self._look(signed_in) for _ in range(2)]

    @property
    def seen(self) -> Answer:
        """What those who are signed in see."""
        return self._open[0]

    def is_open(self, cookies: Mapping[str, str]) -> bool | None:
        """Tell whether cookies open a session; `None` where the page does not tell."""
        closed, open_ = self._closed[0], self._open[0]
        if closed.status != open_.status:
            return self._look(cookies).status == open_.status
        bodies = {answer.body for answer in (*self._closed, *self._open)}
        if len(bodies) != 2 or closed.body == open_.body:
            return None  # nothing differs, or everything does, each time
        body = self._look(cookies).body
        return body == open_.body if body in bodies else None

    def _look(self, cookies: Mapping[str, str]) -> Answer:
        return self._caller.send("GET", self._path, cookie_header(cookies))
