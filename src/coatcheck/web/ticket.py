"""Find the one-use ticket in a handshake's URL, and let nobody else see it."""

from coatcheck.web.transport import Headers

NAME = "ticket"
"""Of the parameter."""


def ticket_in(query: bytes) -> tuple[str | None, bytes]:
    """Return the ticket of a query, `None` without one, and the query that is left.

    Several are as good as one that opens nothing.
    """
    kept: list[bytes] = []
    found: list[bytes] = []
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        if name == NAME.encode():
            found.append(value)
        else:
            kept.append(part)
    if not found:
        return None, query
    return found[0].decode("latin-1") if len(found) == 1 else "", b"&".join(kept)


def origin_of(headers: Headers) -> str | None:
    """Return the `Origin` of a handshake (RFC 6454 7), `None` without one."""
    lines = [value for name, value in headers if name == b"origin"]
    return b", ".join(lines).decode("latin-1") if lines else None
