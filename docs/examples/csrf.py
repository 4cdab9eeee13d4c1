"""A payment page that an administrator's site may use too, and a webhook."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from coatcheck import Sessions, store_from_url
from coatcheck.web import CSRF
from coatcheck.web.asgi import SessionMiddleware, session_of


async def login(request: Request) -> Response:
    session_of(request).sign_in("alice")  # check the password first
    return PlainTextResponse("welcome")


async def transfer(request: Request) -> Response:
    return PlainTextResponse(session_of(request).require_subject())


async def paid(request: Request) -> Response:
    return PlainTextResponse("noted")  # check the sender's signature first


# part: settings
csrf = CSRF(
    origins=["https://admin.example.com", "https://example.com:8443"],
    exempt=["/webhooks/paid"],
)
app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/transfer", transfer, methods=["POST"]),
        Route("/webhooks/paid", paid, methods=["POST"]),
    ],
    middleware=[
        Middleware(SessionMiddleware, sessions=Sessions(store_from_url("memory:")), csrf=csrf)
    ],
)
# end part
