"""What the session adds to Django's responses, or puts in their place."""

from http.cookies import Morsel
from typing import Any, NoReturn, cast

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from coatcheck.web.answers import Answer
from coatcheck.web.exchange import OWN, Exchange
from coatcheck.web.transport import Headers, raw


class _Line(Morsel[str]):
    """A cookie that is sent as it was written: Django's own would put it in another order.

    Its attributes may be read as any cookie's, by tests above all; to set one changes nothing. It
    is not copied, as a cache would, that gives one client's token to others.
    """

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        self.set(name, value, value)
        for attribute in attributes:
            key, equals, said = attribute.partition("=")
            # Python before 3.14 knows no `Partitioned`, and would refuse it.
            read: Any = int(said) if key == "Max-Age" else said if equals else True
            dict[str, Any].__setitem__(self, key.lower(), read)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a response with a session's cookie is nobody else's: do not store or copy it"
        )

    # Django asks one or the other.
    def output(self, attrs: Any = None, header: str = "Set-Cookie:") -> str:
        return f"{header} {self.line}".lstrip()

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802
        return self.line


def depart(exchange: Exchange, response: HttpResponseBase) -> None:
    """Add what the session says."""
    headers = response.headers
    own = [name for name in headers if name.lower().endswith(OWN)]  # to ask for each is slower
    before = raw([(name.lower(), headers[name]) for name in own])
    after = exchange.depart(before)
    if after is before:
        return
    for name in own:
        del headers[name]
    _add(response, after)


def respond(answer: Answer, instead_of: HttpResponseBase | None = None) -> HttpResponse:
    """Return an answer as Django has it; what is to be closed is closed with it."""
    response = HttpResponse(answer.body, status=answer.status)
    _add(response, answer.headers)
    if instead_of is not None:
        cast("Any", response)._resource_closers += cast("Any", instead_of)._resource_closers
    return response


def at_the_end(response: HttpResponseBase, exchange: Exchange) -> None:
    """Report what was done to the session while the response was being sent."""
    cast("Any", response)._resource_closers.append(exchange.report_unsaved)


def _add(response: HttpResponseBase, lines: Headers) -> None:
    for name, value in lines:
        text = value.decode("latin-1")
        if name == b"set-cookie":
            cookie = _Line(text)
            # Past its own way of setting, which takes the value apart.
            dict[str, Any].__setitem__(response.cookies, cookie.key, cookie)
        else:
            response.headers[name.decode("latin-1").title()] = text
