"""Search what was said for what must not be: whole, in pieces, and in other spellings."""

import contextlib
import traceback
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Generator
from inspect import CO_COROUTINE
from pprint import pformat
from urllib.parse import quote

from rich.pretty import pretty_repr

from coatcheck import Token
from coatcheck.errors import ConfigurationError, StoreUnavailable

WINDOW = 8
DATA = "17 Quince Walk, Xyloburg"


class Hunt:
    """Secrets, and all that was said by somebody."""

    def __init__(self) -> None:
        self._needles: dict[str, str] = {}
        self._said: list[tuple[str, str]] = []
        self.raised: list[BaseException] = []

    def token(self, token: Token) -> Token:
        """Look for either secret of a token, and for any 8 characters of them."""
        for name, text in (("lineage", token.lineage), ("secret", token.secret)):
            self.secret(f"the {name} of {token.id}", text)
            self.secret(f"the {name} of {token.id}", urlsafe_b64decode(text + "=="))
        return token

    def secret(self, name: str, secret: str | bytes) -> None:
        """Look for a secret as it is, in base64, in hex, quoted, and as Python shows it."""
        raw = secret.encode() if isinstance(secret, str) else secret
        self._needles[repr(raw)[2:-1]] = name  # its pieces are in anything binary
        spellings = {raw.decode("latin-1"), raw.hex(), quote(raw)}
        for encode in (b64encode, urlsafe_b64encode):
            for shift in range(3):  # how it looks depends on what stands before it
                spelled = encode(b"\0" * shift + raw).decode().rstrip("=")
                spellings.add(spelled[0 if not shift else shift + 1 : -2])
        for spelling in spellings:
            for start in range(max(1, len(spelling) - WINDOW + 1)):
                self._needles[spelling[start : start + WINDOW]] = name

    def hear(self, where: str, said: str) -> None:
        self._said.append((where, said))

    def show(self, **objects: object) -> None:
        """Hear an object in every way that Python shows it."""
        for name, each in objects.items():
            with contextlib.suppress(TypeError, StoreUnavailable):
                self.hear(f"format of {name}", f"{each}")
            self.hear(f"repr of {name}", f"{each!r} {[each]!r}")
            self.hear(f"pprint of {name}", pformat([each]))
            with contextlib.suppress(StoreUnavailable):
                self.hear(f"{name} in rich", pretty_repr([each]))
            self.hear(f"{name} among locals", _with_locals(each))

    @contextlib.contextmanager
    def raises(self, kind: type[BaseException]) -> Generator[None]:
        """Hear an error, with all that it was caused by."""
        try:
            yield
        except kind as error:
            self.error(error)
        else:
            raise AssertionError(f"no {kind.__name__} was raised")

    def error(self, error: BaseException, *, is_scope_seen: bool = False) -> None:
        self.raised.append(error)
        each: BaseException | None = error
        while each is not None:
            self.hear(
                f"attributes of {type(each).__name__}", f"{each!r} {each.args!r} {vars(each)!r}"
            )
            each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        self.hear(
            f"traceback of {type(error).__name__}", "".join(traceback.format_exception(error))
        )

        # A URL with a password is in a frame of the application too, a scope in the server's.
        if not is_scope_seen and not isinstance(error, ConfigurationError):
            shown = "\n".join(_locals_of_the_library(error))
            self.hear(f"locals behind {type(error).__name__}", shown)

    @property
    def hits(self) -> list[str]:
        """Where which secret was said."""
        found: list[str] = []
        long = {needle: name for needle, name in self._needles.items() if len(needle) > WINDOW}
        for where, said in self._said:
            pieces = {said[start : start + WINDOW] for start in range(len(said))}
            found += [f"{name} in {where}" for needle, name in long.items() if needle in said]
            found += [
                f"{name} in {where}"
                for name in {self._needles[piece] for piece in pieces & self._needles.keys()}
            ]
        return found


def _locals_of_the_library(error: BaseException) -> Generator[str]:
    """Yield what a traceback with local variables shows of our frames, and of a driver's."""
    each: BaseException | None = error
    while each is not None:
        for frame, _ in traceback.walk_tb(each.__traceback__):
            # A coroutine may be at work still; where none can be, Django's pages show them all.
            is_ours = frame.f_globals["__name__"].partition(".")[0] in ("coatcheck", "redis")
            if is_ours and not frame.f_code.co_flags & CO_COROUTINE:
                yield f"{frame.f_code.co_name}: {frame.f_locals!r}"
        each = each.__cause__ or each.__context__


def _with_locals(shown: object) -> str:
    """Return a traceback as tools show it that show local variables too."""
    try:
        raise ValueError
    except ValueError as error:
        return "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
