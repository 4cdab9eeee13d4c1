"""The shop as a Flask app: `flask.session` is the session that the other servers know."""

from flask import Flask, Response, request, send_file

from coatcheck import BlockingSessions
from coatcheck.web import CookieTransport
from coatcheck.web.flask import SessionInterface, session_of
from examples.shop.access import make_issuer
from examples.shop.app import LOOPBACK, PAGE, PAGE_HEADERS
from examples.shop.blocking import Call, answer
from examples.shop.clock import ShopClock
from examples.shop.served_by import HEADER


def create_app(name: str, sessions: BlockingSessions, *, clock: ShopClock | None = None) -> Flask:
    """Build server `name` over `sessions`; `clock` is the shop's own time, where that moves."""
    issuer = make_issuer(clock)
    app = Flask(__name__, static_url_path="/page", static_folder=str(PAGE))
    app.session_interface = SessionInterface(
        app,
        sessions,
        transport=CookieTransport(same_site="Strict"),
        development=True,  # plain http on loopback; a shop on the internet leaves this out
        trusted_proxies=LOOPBACK,
    )

    @app.get("/")
    def page() -> Response:  # pyright: ignore[reportUnusedFunction]
        response = send_file(PAGE / "index.html")
        response.headers.update(PAGE_HEADERS)
        return response

    @app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
    def route(path: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        call = Call(session_of, request.get_data(), sessions, name, clock, issuer)
        reply = answer(request.method, f"/{path}", call)
        return Response(reply.json, reply.status, content_type="application/json")

    @app.after_request
    def mark(response: Response) -> Response:  # pyright: ignore[reportUnusedFunction]
        response.headers[HEADER] = name
        return response

    return app
