"""What waits to be written, when the server of a Django site shuts down."""

import http.client
import os
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from coatcheck import Event, Happened, Sessions, store_from_url
from coatcheck.web.asgi import Message
from coatcheck.web.django.asgi import get_asgi_application
from tests.frameworks.django_site import site
from tests.servers import Server, free_port

LOGINS = 20
SITE = """
import time
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from coatcheck.observe import Audit

def slowly(event):
    time.sleep(0.05)
    with open("audit", "a") as file:
        file.write(f"{event.kind}\\n")

settings.configure(
    ALLOWED_HOSTS=["*"],
    COATCHECK={
        "store": "sqlite:///sessions.db",
        "development": True,
        "on_event": Audit(slowly, slow=True),
    },
    MIDDLEWARE=["coatcheck.web.django.middleware.SessionMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="qO3v-9xT_mZ1rLk7WcYf2Hs8uBn4JdPe6GaXi0VtRwE5yQzSbN",
    SESSION_ENGINE="coatcheck.web.django.engine",
)

from coatcheck.web.django import session_of
from coatcheck.web.django.asgi import get_asgi_application

def login(request):
    session_of(request).sign_in("alice")
    return HttpResponse()

urlpatterns = [path("login", login)]
app = get_asgi_application()
"""


def test_an_audit_is_whole_when_uvicorn_was_stopped(tmp_path: Path) -> None:
    """It ends by the signal, without Python's own end. Fails with Django's own application."""
    (tmp_path / "django_app.py").write_text(SITE)
    port = free_port()
    path = os.pathsep.join([str(tmp_path), *sys.path])
    command = ["env", "-C", str(tmp_path), f"PYTHONPATH={path}", sys.executable, "-m", "uvicorn"]
    server = Server([*command, "django_app:app", "--port", str(port)], port, tmp_path)
    server.start()
    for _ in range(LOGINS):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=90)) as browser:
            browser.request("GET", "/login")
            assert browser.getresponse().status == 200
    server.stop()
    assert (tmp_path / "audit").read_text().split() == [Happened.CREATED] * LOGINS


@pytest.mark.parametrize("form", ["asyncio", "threads"])
async def test_redis_of_either_kind_is_flushed(redis: Server, form: str) -> None:
    """That of threads too, which is asked in a thread."""
    flushed: list[int] = []

    class Listener:
        def __call__(self, event: Event) -> None:
            """Nothing happens."""

        def flush(self) -> None:
            flushed.append(threading.get_ident())

    url, on_event = f"redis://127.0.0.1:{redis.port}", Listener()
    sessions = Sessions(store_from_url(url), on_event=on_event)
    options = {"store": url, "on_event": on_event} if form == "threads" else {"sessions": sessions}
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[tuple[str, int]] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append((message["type"], len(flushed)))

    with site(COATCHECK=options):
        await get_asgi_application()({"type": "lifespan"}, receive, send)
    assert sent == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]
    assert flushed != [threading.get_ident()]
    await sessions.close()
