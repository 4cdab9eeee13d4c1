"""The tokens of forms that extensions make: one a request, by what the session held then."""

from typing import Any

from coatcheck.web.messages import MessageSession

_KEY = "csrf_token"
"""By which extensions find it, in the session and in the framework's `g`."""


class FormSession(MessageSession):
    """Whose forms are checked by the session as it is after a sign-in or an end."""

    __slots__ = ()

    def sign_in(self, subject: str, *, assurance: int = 1) -> None:
        """Make this the session of `subject`. See `Session.sign_in`."""
        super().sign_in(subject, assurance=assurance)
        self._renew_forms()

    def end(self) -> None:
        """End the session everywhere. See `Session.end`."""
        super().end()
        self._renew_forms()

    def _renew_forms(self) -> None:
        """Let the forms that this request makes from now on be of the session as it is now."""
        if (made := self._of_request()) is not None:
            made.pop(_KEY, None)

    def _of_request(self) -> Any:
        """Return what the framework keeps for the length of a request, `g`, if one is served."""
        raise NotImplementedError
