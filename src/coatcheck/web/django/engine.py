"""`SESSION_ENGINE`: Django's contract for sessions, on coatcheck's.

Django's contract saves, renews and ends at once, where the rest of coatcheck waits for the commit.
"""

from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.utils.module_loading import import_string

from coatcheck.core.outcome import Done, Outcome
from coatcheck.core.session import Session
from coatcheck.core.token import Token
from coatcheck.errors import (
    ConfigurationError,
    SessionLimitReached,
    Superseded,
    Unauthenticated,
)
from coatcheck.waiting import Kind
from coatcheck.web.django import expiry, login
from coatcheck.web.django.site import current


class SessionStore(SessionBase):
    """A session by its token, which is Django's session key. Loaded by the first look at it.

    Nested changes are seen without `modified`. `session_key` opens the session: never log it.

    Args:
        session_key: of the session; one that opens none is as good as none.

    Raises:
        UpdateError: from what saves: the session has ended, its token was replaced, or its user has
            too many. Within a request of coatcheck's middleware a save after the end is dropped
            instead, what was superseded is answered 409, and one session too many 403.
    """

    is_of_coatcheck = True
    _session_cache: Session

    def __init__(self, session_key: str | None = None) -> None:
        # Not Django's own, which looks the serializer up each time.
        self._session_key = session_key
        self.accessed = self.modified = False
        self._site = current()
        self._expiry: expiry.Expiry = None

    @cached_property
    def serializer(self) -> Any:
        """What Django's `encode` and `decode` use; nothing here does."""
        return import_string(settings.SESSION_SERIALIZER)

    @property
    def session_key(self) -> str | None:
        """The token, `None` while nothing is stored. A login, which changes it, is saved first."""
        if (session := self.opened) is not None and self._is_to_change(session):
            self._run(self._commit(session))  # Django's key is the last one when it is asked for
        token = self._token
        return token.reveal() if token else None

    @property
    def _session_key(self) -> str | None:
        return self.session_key

    @_session_key.setter
    def _session_key(self, value: object) -> None:
        self._presented = _parsed(value)

    @property
    def _token(self) -> Token | None:
        session = self.opened
        return self._presented if session is None else session.state.held

    @property
    def opened(self) -> Session | None:
        """The session, if anybody has looked at it."""
        return getattr(self, "_session_cache", None)

    def own(self) -> Session | None:
        """Return the session, for what is done to others in its name.

        Raises:
            StoreUnavailable: it could not be loaded.
        """
        return self.get_session()

    def get_session(self) -> Session:
        """Return the session behind this, loaded. See `coatcheck.web.django.session_of`."""
        self.accessed = True
        if (session := self.opened) is None:
            loaded: Session = self._run(self._loaded(), is_load=True)
            return loaded
        return session

    async def aget_session(self) -> Session:
        """Return the same in a coroutine."""
        self.accessed = True
        session = self.opened
        return await self._site.arun(self._loaded()) if session is None else session

    def _get_session(self, no_load: bool = False) -> Session:
        return self.get_session()

    async def _aget_session(self, no_load: bool = False) -> Session:
        return await self.aget_session()

    _session = property(_get_session)

    def _run(self, coroutine: Any, *, is_load: bool = False) -> Any:
        if self._site.sessions.kind is Kind.ASYNCIO:
            coroutine.close()
            raise ConfigurationError(
                'COATCHECK["sessions"]',
                "is for asyncio: outside of a request under ASGI await the methods that begin with "
                "a, or give BlockingSessions",
            )
        return self._site.run(coroutine, is_load=is_load)

    async def _open(self) -> Session:
        return await self._site.sessions.open(self._token, is_held=False)

    async def _loaded(self) -> Session:
        if (session := self.opened) is None:
            session = await self._open()
            self._expiry = self._end_if_over(session)
            self._session_cache = session
        return session

    def _end_if_over(self, session: Session) -> expiry.Expiry:
        """End a session that is over by Django's rules; return what expiry it asked for."""
        login.distrust(session)
        asked: expiry.Expiry = session.get(expiry.KEY)
        if expiry.is_over(session, self._site.age):
            session.end()
            session.state.signs_out = False  # nobody asked for it
        return asked

    async def _commit(self, session: Session) -> None:
        self._prepare(session)
        try:
            outcome = await self._site.sessions.commit(session)
        except (Superseded, Unauthenticated, SessionLimitReached) as error:
            raise UpdateError(str(error)) from error
        self._check(outcome)

    def _check(self, outcome: Outcome) -> None:
        if outcome.done is Done.DROPPED:
            raise UpdateError("the session has ended")

    def _is_to_change(self, session: Session) -> bool:
        """Tell whether the next commit makes a new token."""
        if session.state.is_committing:
            return False
        self._prepare(session)
        return session.state.privilege is not None

    def _prepare(self, session: Session) -> None:
        """Let a commit do what Django's keys among the data say."""
        login.follow(session)

    # What follows is Django's contract, each method once as a coroutine.

    def __setitem__(self, key: str, value: Any) -> None:
        login.put(self.get_session(), key, value)
        self.modified = True

    async def aset(self, key: str, value: Any) -> None:
        """See `SessionBase.aset`."""
        login.put(await self.aget_session(), key, value)
        self.modified = True

    def clear(self) -> None:
        """Empty the data; a stored session ends when that is saved."""
        self.get_session().clear()
        self.modified = True

    def get_session_cookie_age(self) -> int:
        """Return `SESSION_COOKIE_AGE` where it is set, else how long a login lasts at most."""
        return self._site.cookie_age or self._site.kept_for

    def is_empty(self) -> bool:
        """Tell whether there is nothing: no token, no data, nobody signed in.

        From Django 6.1 on a session is true if it is not. Unlike `session_key` it saves no login.
        """
        session = self.opened
        return not (self._token or session or (session is not None and session.subject))

    def load(self) -> dict[str, Any]:
        """Return the data as it is stored."""
        data: dict[str, Any] = self._run(self._load(), is_load=True)
        return data

    async def aload(self) -> dict[str, Any]:
        """See `load`."""
        return await self._site.arun(self._load())

    async def _load(self) -> dict[str, Any]:
        session = await self._other(self._token)
        self._end_if_over(session)
        if session.id is None or session.state.ending:
            self._presented = None
        return dict(session)

    def exists(self, session_key: str) -> bool:
        """Tell whether a token opens a session."""
        return bool(self._run(self._exists(session_key), is_load=True))

    async def aexists(self, session_key: str) -> bool:
        """See `exists`."""
        return await self._site.arun(self._exists(session_key))

    async def _exists(self, session_key: str | None) -> bool:
        return (await self._other(_parsed(session_key))).id is not None

    async def _other(self, token: Token | None) -> Session:
        return await self._site.sessions.open(token, is_activity=False, is_held=False)

    def create(self) -> None:
        """Store the session now, under a new token; the one it had, if any, is dead."""
        self._run(self._create())

    async def acreate(self) -> None:
        """See `create`."""
        await self._site.arun(self._create())

    async def _create(self) -> None:
        self.accessed = True
        session = await self._loaded()
        if session.id is not None:
            return await self._cycle_key()
        session.state.is_wanted, session.state.is_gone = True, False
        await self._commit(session)
        self.modified = True
        return None

    def save(self, must_create: bool = False) -> None:
        """Save now; store a session that is empty, too."""
        self._run(self._save(must_create))

    async def asave(self, must_create: bool = False) -> None:
        """See `save`."""
        await self._site.arun(self._save(must_create))

    async def _save(self, must_create: bool) -> None:
        self.accessed = True
        session = await self._loaded()
        is_new = session.id is None
        if must_create and not is_new:
            raise CreateError
        session.state.is_wanted = True
        await self._commit(session)
        self.modified = self.modified or is_new  # or Django's own middleware would set no cookie

    def delete(self, session_key: str | None = None) -> None:
        """End the session of a token now, or this one."""
        self._run(self._delete(session_key))

    async def adelete(self, session_key: str | None = None) -> None:
        """See `delete`."""
        await self._site.arun(self._delete(session_key))

    async def _delete(self, session_key: str | None) -> None:
        session = await self._loaded()
        if session_key is None or session_key == (self._token and self._token.reveal()):
            session.end()
            await self._commit(session)
        else:
            session = await self._other(_parsed(session_key))
            session.end()
            await self._site.sessions.commit(session)

    def flush(self) -> None:
        """End the session now. What is put in afterwards starts a new one."""
        self._run(self._flush())

    async def aflush(self) -> None:
        """See `flush`."""
        await self._site.arun(self._flush())

    async def _flush(self) -> None:
        self.accessed = self.modified = True
        await self._delete(None)

    def cycle_key(self) -> None:
        """Replace the token now, and save; the old one is dead."""
        self._run(self._cycle_key())

    async def acycle_key(self) -> None:
        """See `cycle_key`."""
        await self._site.arun(self._cycle_key())

    async def _cycle_key(self) -> None:
        self.accessed = self.modified = True
        session = await self._loaded()
        session.privilege_changed()
        try:
            await self._commit(session)
        except (Superseded, Unauthenticated, UpdateError):
            # Django's login begins with this, and a login never loses (P6). Without one, the next
            # commit says the same again.
            if session.subject is not None:
                raise

    @classmethod
    def clear_expired(cls) -> None:
        """Have the store forget what is over."""
        SessionStore()._run(current().sessions.sweep())

    @classmethod
    async def aclear_expired(cls) -> None:
        """See `clear_expired`."""
        site = current()
        await site.arun(site.sessions.sweep())


def _parsed(session_key: object) -> Token | None:
    return Token.parse(session_key) if isinstance(session_key, str) else None


current()  # so that a setting that cannot work stops the start
