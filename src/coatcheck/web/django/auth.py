"""The middleware that takes the place of Django's `AuthenticationMiddleware`.

It knows users who signed in by another framework, on the same store.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
    middleware,
)
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from coatcheck.core.session import Session
from coatcheck.web.django.access import asession_of, session_of
from coatcheck.web.django.login import ADOPTED


class AuthenticationMiddleware(middleware.AuthenticationMiddleware):
    """Puts the user into `request.user`: of Django's own login, or of the session's subject.

    A subject is the text of a user's primary key. When Django first meets a sign-in that another
    framework made, it writes down what its own `login` would have, with the hash that stands for
    the password as it is then. From there on it is a login of Django's: when the password changes,
    the session ends at the next request. A password that changed before that first meeting cannot
    be told; who changes it should end all sessions of the user.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Give the request a user that nobody has looked at yet."""
        super().process_request(request)
        request.user = cast("Any", SimpleLazyObject(lambda: _user(request)))
        request.auser = partial(_auser, request)


def _user(request: HttpRequest) -> Any:
    if not hasattr(request, "_cached_user"):
        session = session_of(request)
        for backend, path, pk in _unmet(session):
            if _is_subject(session, user := backend.get_user(pk)):
                _adopt(session, path, user)
                break
    return middleware.get_user(request)


async def _auser(request: HttpRequest) -> Any:
    if not hasattr(request, "_acached_user"):
        session = await asession_of(request)
        for backend, path, pk in _unmet(session):
            if _is_subject(session, user := await backend.aget_user(pk)):
                _adopt(session, path, user)
                break
    return await middleware.auser(request)


def _unmet(session: Session) -> Iterator[tuple[Any, str, Any]]:
    """Yield where to look for the user of a sign-in that Django does not know yet."""
    base, subject = session.state.base, session.subject
    if base is None or subject is None or base.subject != subject:
        return
    if SESSION_KEY in session and session.get(ADOPTED, base.ends_at) == base.ends_at:
        return
    try:
        pk = cast("Any", get_user_model()._meta.pk).to_python(subject)
    except (ValidationError, ValueError, TypeError):
        return  # it is nobody's key
    for path in settings.AUTHENTICATION_BACKENDS:
        yield load_backend(path), path, pk


def _is_subject(session: Session, user: Any) -> bool:
    """Tell whether a user was found by that very text, under which their sessions are listed.

    A key is also read from `01`, or from digits of other scripts, who would be somebody else to an
    end of all sessions.
    """
    return user is not None and user._meta.pk.value_to_string(user) == session.subject


def _adopt(session: Session, backend: str, user: Any) -> None:
    """Write down what Django's login would have, and for which sign-in.

    Nothing but a sign-in moves the absolute end, so that is its mark: who signs in again, with the
    new password, is met anew.
    """
    session[SESSION_KEY] = session.subject
    session[BACKEND_SESSION_KEY] = backend
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[ADOPTED] = cast("Any", session.state.base).ends_at
