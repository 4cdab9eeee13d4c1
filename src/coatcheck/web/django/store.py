"""The session of a request: opened by the first look, committed before the response starts."""

from typing import Any

from django.http import HttpRequest

from coatcheck.core.session import Session, show
from coatcheck.core.unseen import look
from coatcheck.door import Arrival
from coatcheck.web.answers import Answer
from coatcheck.web.django import expiry
from coatcheck.web.django.access import served
from coatcheck.web.django.engine import SessionStore
from coatcheck.web.django.site import Site
from coatcheck.web.environ import headers, method
from coatcheck.web.exchange import Exchange


class RequestStore(SessionStore):
    """What `request.session` is.

    Attributes:
        exchange: the request's way out, once there was a way in.
        error: an error of the session that left the view.
    """

    exchange: Exchange | None
    error: Exception | None
    _request: HttpRequest | None
    _arrival: Arrival
    _is_guarded: bool
    _is_answered: bool

    def __new__(cls, session_key: str | None = None) -> Any:
        """Return the session of a key, as of any engine: the request's own, if it is that one's.

        Extensions ask the class of `request.session` for it to load anew what they saved. Its own
        is as it is stored then, and is what will be saved; another one is an ordinary store.
        """
        other, serving = SessionStore(session_key), served()
        if other._token is None or serving is None or other._token != serving._token:
            return other
        return serving

    def __init__(self, session_key: str | None = None) -> None:
        """Change nothing: a request's own is made by `of`, once."""

    @classmethod
    def of(cls, site: Site, request: HttpRequest, *, is_guarded: bool) -> "RequestStore":
        """Make the session of a request, which waits for the first look.

        Args:
            is_guarded: whether a forged request is refused here.
        """
        store: RequestStore = super().__new__(cls)
        SessionStore.__init__(store)
        store._is_guarded = is_guarded
        store._site = site
        # Only until the session is open: each has the other, and the token would stay in memory
        # until Python looks for such cycles.
        store._request = request
        store._arrival = site.gate.arrive()  # a login that began before an end of all is refused
        store.exchange = store.error = None
        store._is_answered = False
        return store

    @property
    def session_key(self) -> str | None:
        """The token, `None` while nothing is stored."""
        self.get_session()
        return super().session_key

    def is_empty(self) -> bool:
        """Tell whether there is nothing, which is a look at the session."""
        self.get_session()
        return super().is_empty()

    def own(self) -> Session | None:
        """Return the same; `None` once it is answered and nobody looked."""
        return self.opened if self._is_answered else super().own()

    def _run(self, coroutine: Any, *, is_load: bool = False) -> Any:
        return self._site.run(coroutine, is_load=is_load)

    async def _open(self) -> Session:
        if self.exchange is None and self._is_answered:
            raise RuntimeError(
                "the session is looked at for the first time after the response started, which may "
                "be cached by now: look at it before, as in `session_of(request)`"
            )
        return look((await self.enter()).session)

    async def enter(self) -> Exchange:
        """Read the token and open the session; the first look at it raises what went wrong."""
        request: Any = self._request  # before the question, as another thread may answer it now
        if (exchange := self.exchange) is None:
            # Under ASGI the headers that Django keeps are joined by commas, cookies too. Under WSGI
            # its path is no longer what the server gave.
            scope = getattr(request, "scope", None)
            exchange = await self._site.gate.enter(
                headers(request.META) if scope is None else list(scope["headers"]),
                request.META.get("REMOTE_ADDR") or None,
                request.scheme,
                request.path_info,
                request.META.get("SCRIPT_NAME", ""),
                self._arrival,
                method=method(request.META) if self._is_guarded else "GET",
                query=request.META.get("QUERY_STRING", ""),
            )
            if self.exchange is not None:  # another task of the request was first
                return self.exchange
            self.exchange, self._request = exchange, None
        return exchange

    async def refusal(self) -> Answer | None:
        """Return the answer to a request that is not to reach the view."""
        exchange = await self.enter()
        return None if exchange.refused is None else exchange.answer(exchange.refused)

    async def _load(self) -> dict[str, Any]:
        await self._loaded()  # only then is there a token
        return await super()._load()

    def _prepare(self, session: Session) -> None:
        super()._prepare(session)
        asked = session.get(expiry.KEY)
        if asked != self._expiry:
            self._expiry = asked
            if session.state.base is not None and not any(session.state.cookies.values()):
                session.privilege_changed()  # a new token tells the browser how long it lasts

    async def _commit(self, session: Session) -> None:
        self._prepare(session)
        await self._site.sessions.commit(session)

    async def settle(self, status: int) -> Answer | None:
        """Commit before the response starts; return an answer to be given in its place."""
        exchange = await self.enter()
        try:
            if self.error is not None:
                return await exchange.fail(self.error)
            session = exchange.session
            if session.state.failure is not None:
                # Django made a 500 of it, where it was raised outside of the view.
                is_lost = session.state.is_seen and status == 500
                await exchange.commit(status)
                return exchange.answer(session.state.failure) if is_lost else None
            if session.state.is_seen and status < 500:
                self._settle(await self._loaded())
            await exchange.commit(status)
        except Exception as error:
            if (answer := exchange.answer(error)) is None:
                await exchange.leave()
                raise
            return answer
        finally:
            self._is_answered = True
        return None

    def _settle(self, session: Session) -> None:
        self._prepare(session)
        state = session.state
        if session.keys() == {expiry.KEY} and state.base is None and not session.subject:
            show(session, {})  # it is worth no session of a visitor
        state.kept_for = expiry.kept_for(session, self._site.kept_for)

    def is_untouched(self) -> bool:
        """Tell, at the end, whether nothing has to be done about the session."""
        if self.exchange is None and not self._site.saves_every_request:
            self._is_answered, self._request = True, None
            return True
        return False

    async def leave(self) -> None:
        """Let an `end()` hold even where there was no response."""
        if self.exchange is not None and not self._is_answered:
            await self.exchange.leave()
