"""As much of a browser as signing in takes: it keeps cookies, and fills in a form."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from coatcheck.doctor.answer import Answer, Caller
from coatcheck.doctor.form import hidden_fields


class Browser:
    """Keeps the cookies of one visitor.

    Args:
        cookies: what it has from the start.

    Attributes:
        cookies: values by name.
    """

    def __init__(self, caller: Caller, cookies: Mapping[str, str] | None = None) -> None:
        self._caller = caller
        self.cookies = dict(cookies or {})

    def get(self, path: str) -> Answer:
        """Open a page."""
        return self._send("GET", path, {"Sec-Fetch-Site": "none"}, b"")

    def post(
        self, path: str, fields: Mapping[str, str], *, form: str, as_json: bool = False
    ) -> Answer:
        """Send a form from the page `form`.

        Its token is taken from a hidden field of that page, or from Django's cookie.
        """
        page = self.get(form)
        headers = {
            "Origin": self._caller.origin,
            "Referer": f"{self._caller.origin}{form}",
            "Sec-Fetch-Site": "same-origin",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if token := self.cookies.get("csrftoken"):
            headers["X-CSRFToken"] = token
        body = urlencode({**hidden_fields(page.body), **fields})
        if as_json:
            headers["Content-Type"], body = "application/json", json.dumps(dict(fields))
        return self._send("POST", path, headers, body.encode())

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer = self._caller.send(method, path, {**headers, **cookie_header(self.cookies)}, body)
        for cookie in answer.cookies:
            if cookie.is_deletion:
                self.cookies.pop(cookie.name, None)
            else:
                self.cookies[cookie.name] = cookie.value
        return answer


def cookie_header(cookies: Mapping[str, str]) -> dict[str, str]:
    """Return the header that presents cookies, if there are any."""
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {"Cookie": pairs} if pairs else {}
