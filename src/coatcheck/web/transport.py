"""What every way of carrying a token does: read it from a request, write it to a response."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from coatcheck.core.outcome import Cookies, Holder
from coatcheck.core.policy import Policy
from coatcheck.core.standing import Standing
from coatcheck.core.token import Token

Headers = list[tuple[bytes, bytes]]
"""Lower-case names and values, as ASGI has them."""


class Presented(NamedTuple):
    """What a request presented.

    Attributes:
        token: the token, if it was well-formed.
        holder: in whose place it came.
        standing: where there is no token, why: `NONE`, `MALFORMED` or `AMBIGUOUS`.
    """

    token: Token | None
    holder: Holder = Holder.SIGNED_IN
    standing: Standing = Standing.MALFORMED


NOTHING = Presented(None, standing=Standing.NONE)


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

    def read(self, headers: Iterable[tuple[bytes, bytes]], /) -> Presented:
        """Return what a request presents. Never raises, whatever is sent."""
        ...

    def write(self, cookies: Cookies, mount: str, /) -> Headers:
        """Return the response headers that tell the client what to keep and what to delete.

        Args:
            mount: the path the application is mounted at, without a slash at the end.
        """
        ...
