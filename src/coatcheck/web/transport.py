"""What every way of carrying a token does: read it from a request, write it to a response."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from coatcheck.core.intents import Standing
from coatcheck.core.policy import Policy
from coatcheck.core.token import Token

Headers = list[tuple[bytes, bytes]]
"""Lower-case names and values, as ASGI has them."""


class Presented(NamedTuple):
    """What a request presented.

    Attributes:
        token: the token, if it was well-formed.
        signed_in: whether it came in the place of a signed-in session.
        standing: `MALFORMED` or `AMBIGUOUS` where there is no token.
    """

    token: Token | None
    signed_in: bool = True
    standing: Standing = Standing.MALFORMED


class Transport(Protocol):
    """Carries tokens between a client and the application."""

    @property
    def vary(self) -> str:
        """The request header that answers depend on."""
        ...

    @property
    def secure(self) -> bool:
        """Whether tokens may travel only over connections that nobody on the way can read."""
        ...

    def check(self, policy: Policy, /) -> None:
        """Compare the transport's settings with the policy's.

        Raises:
            ConfigurationError: they do not go together.
        """
        ...

    def for_development(self) -> "Transport":
        """Return the same transport for plain HTTP on the developer's own machine."""
        ...

    def read(self, headers: Iterable[tuple[bytes, bytes]], /) -> Presented | None:
        """Return what a request presents, `None` for nothing. Never raises, whatever is sent."""
        ...

    def write(self, tokens: Mapping[bool, Token | None], mount: str, /) -> Headers:
        """Return the response headers that hand tokens over (`None`: delete the client's copy).

        Args:
            tokens: by whether it concerns the signed-in session.
            mount: the path the application is mounted at, without a slash at the end.
        """
        ...
