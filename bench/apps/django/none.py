"""No sessions: every request gets the same dict, so that the views do the same work."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from bench import data
from bench.apps.django.pages import application

Handler = Callable[[HttpRequest], HttpResponse]


def one_dict(handler: Handler) -> Handler:
    content: Any = data.session(0)

    def serve(request: HttpRequest) -> HttpResponse:
        request.session = content
        return handler(request)

    return serve


app = application(middleware=(f"{__name__}.one_dict",))
