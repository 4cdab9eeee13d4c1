"""Django's ASGI application, in the place of `django.core.asgi`."""

from typing import cast

from django.core import asgi

from coatcheck.web.asgi import App, Receive, Scope, Send
from coatcheck.web.django.site import current
from coatcheck.web.lifespan import live


def get_asgi_application() -> App:
    """Return Django's, which by ours also hears that the server shuts down.

    What waits is written then: activity of the last second, and events of an `Audit`. Django's own
    does not speak the lifespan protocol.
    """
    app = cast("App", asgi.get_asgi_application())

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(app, _flush, scope, receive, send)
        else:
            await app(scope, receive, send)

    return application


async def _flush() -> None:
    site = current()
    await site.arun(site.sessions.flush())
