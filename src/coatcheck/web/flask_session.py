"""A session as Flask and Flask-Login use one: who is put in signs in, who is taken out is gone."""

from typing import Any

from flask import g, has_app_context

from coatcheck.core.intents import SignIn
from coatcheck.core.session import Session
from coatcheck.web.forms import FormSession
from coatcheck.web.messages import MESSAGES
from coatcheck.web.permanent import stored

# What Flask-Login keeps among the data.
_USER, _FRESH = "_user_id", "_fresh"
_OF_LOGIN = (_USER, _FRESH, "_id", "_remember", "_remember_seconds")


class FlaskSession(FormSession):
    """A session with what Flask asks of one. What changed is found out; nothing has to be said.

    Who Flask-Login puts in is signed in at that moment, as by `sign_in`; who it takes out ends the
    session, as by `end`. So what the request puts in afterwards is kept whatever others do.
    """

    __slots__ = ()

    def _of_request(self) -> Any:
        return g if has_app_context() else None

    def __setitem__(self, key: str, value: Any) -> None:
        if key == _USER:
            self._be_of(value)
        super().__setitem__(key, value)
        if key == _FRESH and value is True and self.get(_USER) is not None:
            # The user has just proved who it is, perhaps again.
            self.sign_in(str(self[_USER]), assurance=max(self.assurance, 1))

    def __delitem__(self, key: str) -> None:
        if key == _USER and key in self:
            self._leave_messages()
        else:
            super().__delitem__(key)

    def pop(self, key: str, *default: Any) -> Any:
        """Take a key out. Without the user id, the session is over."""
        value = super().pop(key, *default)
        if key == _USER and value is not None:
            self._leave_messages()
        return value

    def clear(self) -> None:
        """Empty the data, as many applications do to log out: it ends a user's session."""
        is_users = self.subject is not None and self.state.privilege is None
        if _USER in self or is_users or self.doubt is not None:
            self.end()
        else:
            super().clear()

    def follow(self) -> None:
        """Let the subject be who Flask-Login says, by whatever way the data changed."""
        user, was = self.get(_USER), stored(self, _USER)
        if user is not None and user != was and str(user) != self.subject:
            said = {key: self[key] for key in _OF_LOGIN if key in self}
            kept = {key: value for key, value in said.items() if value != stored(self, key)}
            self._be_of(user)
            dict[str, Any].update(self, kept)
        elif user is None and was is not None and not isinstance(self.state.privilege, SignIn):
            self._leave_messages()

    def _be_of(self, user: object) -> None:
        if user is None:
            if self.get(_USER) is not None:
                self._leave_messages()
        elif str(user) != self.subject:
            is_permanent = self.permanent
            for key in _OF_LOGIN:
                dict[str, Any].pop(self, key, None)
            self.sign_in(str(user))  # over another user's session it starts empty
            self.permanent = is_permanent

    def _leave_messages(self) -> None:
        """End the session; the messages of this very request are for whoever sees the answer."""
        is_permanent = self.permanent
        old: Any = stored(self, MESSAGES) or []
        messages: Any = self.get(MESSAGES) or []
        if messages[: len(old)] == old:
            messages = messages[len(old) :]
        self.end()
        self.permanent = is_permanent
        if messages:
            self[MESSAGES] = messages


def distrust(session: Session) -> None:
    """Hide Flask-Login's keys in a session that is somebody else's, or nobody's.

    Whoever can write to the data, in another framework too, could log in as anybody otherwise, past
    the index of subjects. The next save leaves them out.
    """
    state = session.state
    if (doubt := state.doubt) is not None:
        _hide(doubt.data, doubt.subject)
    if (data := state.unseen) is not None and _hide(data, state.subject):
        state.believe(data)


def _hide(data: dict[str, Any], subject: str | None) -> bool:
    user = data.get(_USER)
    if user is None or str(user) == subject:
        return False
    for key in _OF_LOGIN:
        data.pop(key, None)
    return True


def adopt(session: Session, manager: Any) -> None:
    """Let Flask-Login know who signed in elsewhere, by another framework or by `sign_in`.

    It is no fresh login to it, and no edit: the next save writes it down.

    Args:
        manager: the application's `LoginManager`, if it has one.
    """
    state = session.state
    data = state.unseen
    if manager is None or data is None or state.subject is None or _USER in data:
        return
    # With the identifier of this very client, as a missing one would end the login.
    identify = manager._session_identifier_generator
    data.update({_USER: state.subject, _FRESH: False, "_id": identify()})
    state.believe(data)
