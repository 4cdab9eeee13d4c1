"""Where the claims of a request's access token are, in an ASGI scope as in a WSGI environ."""

from collections.abc import Mapping
from typing import Any

from coatcheck.core.claims import Claims
from coatcheck.errors import Unauthenticated

CLAIMS = "coatcheck.claims"


def claims_in(scope: Mapping[str, Any]) -> Claims:
    """Return what the access token of a request says.

    Raises:
        Unauthenticated: there is none, where it may be left out.
        RuntimeError: no `AccessTokenMiddleware` is around the application.
    """
    if (claims := claims_or_none(scope)) is None:
        raise Unauthenticated("the request has no access token")
    return claims


def claims_or_none(scope: Mapping[str, Any]) -> Claims | None:
    """Return what the access token of a request says; `None`, where there may be none.

    Raises:
        RuntimeError: no `AccessTokenMiddleware` is around the application.
    """
    if CLAIMS not in scope:
        raise RuntimeError("no claims here: put coatcheck's AccessTokenMiddleware around the app")
    claims = scope[CLAIMS]
    return claims if isinstance(claims, Claims) else None
