"""One middleware around a bare WSGI application, Bottle and Pyramid."""

# part: bare
import json
from collections.abc import Iterable
from typing import Any

import bottle
from pyramid.config import Configurator
from pyramid.request import Request

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.wsgi import SessionMiddleware, session_of

sessions = BlockingSessions(store_from_url("sqlite:///wsgi.db", blocking=True))


def hello(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    session = session_of(environ)  # what environ["coatcheck.session"] is, typed
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(dict(session)).encode()]


bare = SessionMiddleware(hello, sessions=sessions, development=True)
# end part

# part: bottle
cart = bottle.Bottle()
cart.catchall = False  # leave errors of the session to the middleware: 401, 409, 503


@cart.get("/me")
def me() -> str:
    return session_of(bottle.request.environ).require_subject()


bottled = SessionMiddleware(cart, sessions=sessions, development=True)


# end part


# part: pyramid
def login(request: Request) -> str:
    request.session.sign_in("alice")  # check the password first
    return "hello alice"


config = Configurator()
config.set_session_factory(lambda request: session_of(request.environ))
config.add_route("login", "/login")
config.add_view(login, route_name="login", renderer="string")
pyramid = SessionMiddleware(config.make_wsgi_app(), sessions=sessions, development=True)
# end part
