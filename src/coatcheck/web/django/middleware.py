"""The middleware that takes the place of Django's `SessionMiddleware`."""

import asyncio
from typing import Any, cast

from django.conf import settings
from django.contrib.sessions import middleware
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware import csrf
from django.utils.module_loading import import_string

from coatcheck.errors import ConfigurationError
from coatcheck.web import answers, asgi, environ
from coatcheck.web.answers import Answer
from coatcheck.web.django.access import SERVING
from coatcheck.web.django.response import at_the_end, depart, respond
from coatcheck.web.django.site import current
from coatcheck.web.django.store import RequestStore
from coatcheck.web.environ import method
from coatcheck.web.exchange import Exchange
from coatcheck.web.reuse import require_new
from coatcheck.web.streams import has_length, watched, watched_async


class SessionMiddleware(middleware.SessionMiddleware):
    """Puts the session into `request.session`, and commits it before the response starts.

    The settings are `COATCHECK`, and Django's own for sessions.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self._site = current()
        self._site.require_async(is_async=self.async_mode)
        kinds = _kinds()
        _require_one(kinds)
        # Django's own is not doubled, unless the site says so.
        is_checked = any(issubclass(kind, csrf.CsrfViewMiddleware) for kind in kinds)
        self._guards = self._site.has_csrf or not is_checked

    def __call__(self, request: HttpRequest) -> Any:
        """Serve one request."""
        if self.async_mode:
            return self.__acall__(request)
        self.process_request(request)
        store: Any = request.session
        serving = SERVING.set(request)
        try:
            if self._is_guarded(request):
                refusal = self._site.run(store.refusal(), is_load=True)
                if refusal is not None:
                    return respond(refusal)
            response: Any = self.get_response(request)
            _require_kept(request, store)
            return self._settle(request, store, response)
        except BaseException:
            self._site.run(store.leave())
            raise
        finally:
            SERVING.reset(serving)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve one request in an event loop."""
        self.process_request(request)
        store: Any = request.session
        serving = SERVING.set(request)
        try:
            if self._is_guarded(request):
                refusal = await self._site.arun(store.refusal())
                if refusal is not None:
                    return respond(refusal)
            response = await cast("Any", self.get_response(request))
            _require_kept(request, store)
            if store.is_untouched():
                require_new(response, hands_over=False)
                return cast("HttpResponseBase", response)
            answer = await self._site.arun(store.settle(response.status_code))
        except BaseException:  # cancelled too, as the client went away
            await asyncio.shield(self._site.arun(store.leave()))
            raise
        finally:
            SERVING.reset(serving)
        return self._respond(request, store, response, answer)

    def _is_guarded(self, request: HttpRequest) -> bool:
        return self._guards and self._site.gate.guards(method(request.META))

    def process_request(self, request: HttpRequest) -> None:
        """Give the request a session that nobody has looked at yet."""
        marked: Any = request
        marked.exception_reporter_filter = self._site.reports
        if isinstance(getattr(request, "session", None), SessionBase):
            raise ConfigurationError("MIDDLEWARE", "has two middleware classes for sessions")
        adapter = self._site.gate.adapter
        if (scope := getattr(request, "scope", None)) is not None:
            asgi.require_alone(scope, adapter)
        else:
            environ.require_alone(request.META, adapter)
        request.session = RequestStore.of(self._site, request, is_guarded=self._guards)

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """Commit, and tell the browser; or turn the response into an error of the session."""
        store = request.session
        if not isinstance(store, RequestStore):
            _require_kept(request, None)
            return response
        return self._settle(request, store, response)

    def _settle(self, request: HttpRequest, store: RequestStore, response: Any) -> Any:
        if store.is_untouched():
            require_new(response, hands_over=False)
            return response
        answer = self._site.run(store.settle(response.status_code))
        return self._respond(request, store, response, answer)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer an error of the session that left a view."""
        answer = answers.answer(exception)
        if answer is None:
            return None
        if isinstance(request.session, RequestStore):
            request.session.error = exception
        return respond(answer)

    def _respond(
        self,
        request: HttpRequest,
        store: RequestStore,
        response: HttpResponseBase,
        answer: Answer | None,
    ) -> HttpResponseBase:
        if answer is not None:
            return respond(answer, instead_of=response)
        exchange = cast("Exchange", store.exchange)
        hands_over = exchange.hands_over
        require_new(response, hands_over=hands_over)
        if hands_over:
            _keep_out_of_cache(request)
        depart(exchange, response)
        if response.streaming:
            at_the_end(response, exchange)
            self._guard(exchange, cast("StreamingHttpResponse", response))
        return response

    def _guard(self, exchange: Exchange, response: StreamingHttpResponse) -> None:
        """Let a stream that has no length stop when the session is over."""
        if has_length(response.headers) or (watch := exchange.watch()) is None:
            return
        chunks: Any = response.streaming_content
        if response.is_async:
            response.streaming_content = watched_async(chunks, watch, self._site.arun)
        else:
            response.streaming_content = watched(chunks, watch, self._site.run)


def _require_kept(request: HttpRequest, store: RequestStore | None) -> None:
    """Refuse another session in the place of the request's own, which nobody would save.

    Raises:
        RuntimeError: the application put one there.
    """
    session: Any = getattr(request, "session", None)
    if isinstance(session, SessionBase) and session is not store:
        raise RuntimeError(
            "request.session was replaced: the other session would not be saved, nor its token "
            "handed out. Change the one that is there, by flush(), update(), or Django's login"
        )


def _keep_out_of_cache(request: HttpRequest) -> None:
    """Keep Django's own cache from storing the response.

    The first releases of 5.2 look for `private` alone, and give what says `no-store` to all whose
    cookies are the same, such as nothing but a consent.
    """
    cast("Any", request)._cache_update_cache = False


def _kinds() -> list[type]:
    kinds = [import_string(path) for path in settings.MIDDLEWARE]
    return [kind for kind in kinds if isinstance(kind, type)]


def _require_one(kinds: list[type]) -> None:
    ours = [kind for kind in kinds if issubclass(kind, SessionMiddleware)]
    puts = middleware.SessionMiddleware.process_request  # a subclass may have a session elsewhere
    if any(getattr(kind, "process_request", None) is puts for kind in kinds) or len(ours) > 1:
        raise ConfigurationError("MIDDLEWARE", "has two middleware classes for sessions")
