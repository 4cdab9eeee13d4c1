"""No sessions, but an exchange with the store for each, and another for what is written."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from bench import data
from bench.apps.django.pages import application
from bench.apps.exchange import EXCHANGE

Handler = Callable[[HttpRequest], HttpResponse]


def bare(handler: Handler) -> Handler:
    content: Any = data.session(0)

    def serve(request: HttpRequest) -> HttpResponse:
        EXCHANGE.read()
        request.session = content
        response = handler(request)
        if response.content == b"written":
            EXCHANGE.write()
        return response

    return serve


app = application(middleware=(f"{__name__}.bare",))
