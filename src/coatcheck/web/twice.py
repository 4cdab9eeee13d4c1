"""Two adapters around one application: each would save, and send cookies, on its own."""

from contextvars import ContextVar

from coatcheck.errors import ConfigurationError
from coatcheck.web.transport import Headers

serving: ContextVar[tuple[str, Headers] | None] = ContextVar("coatcheck.serving", default=None)
"""The adapter that serves an ASGI request, and the request's headers.

A WSGI application inside is given an environ, which tells nothing of the scope it was made of; but
it runs in the request's context, or in a copy of it.
"""


def two(outer: str, inner: str) -> ConfigurationError:
    """Return what is said of two adapters that serve one request, by the names of their modules.

    The inner one may go where the outer one's session is found in its place. A framework's own
    does more than the one around it.
    """
    spare = "inner" if inner in (outer, "coatcheck.web.asgi") else "outer"
    return ConfigurationError(
        "application",
        f"has two of coatcheck's adapters around it, {outer} outside and {inner} inside: "
        f"leave the {spare} one out",
    )
