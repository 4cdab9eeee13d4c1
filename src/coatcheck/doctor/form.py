"""The hidden fields of a page's forms, such as a token against forged requests."""

from html.parser import HTMLParser


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        name = said.get("name")
        if tag == "input" and (said.get("type") or "").lower() == "hidden" and name:
            self.found[name] = said.get("value") or ""


def hidden_fields(page: bytes) -> dict[str, str]:
    """Return name and value of each hidden field of a page."""
    parser = _Fields()
    parser.feed(page.decode(errors="replace"))
    return parser.found
