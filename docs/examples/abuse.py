"""Floods, guesses and forged tokens, kept away from the store and from everybody else."""

from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request

from coatcheck import KeyedTokens, Keyring, Policy, Rate, Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

# part: rates
policy = Policy(
    visitor_rate=Rate(30),
    sign_in_rate=Rate(300, per=timedelta(hours=1)),
    on_guessing="refuse",
)
# end part

# part: keyed
tokens = KeyedTokens(
    Keyring.from_env("COATCHECK_KEYS"),
    accept_plain_until=datetime(2026, 12, 1, 18, 0, tzinfo=UTC),
)
# end part

# part: sessions
sessions = Sessions(store_from_url("sqlite:///sessions.db"), policy=policy, tokens=tokens)
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions, trusted_proxies=["10.0.0.1"])
# end part


@app.post("/cart/{thing}")
async def put(thing: str, request: Request) -> None:
    request.session.setdefault("cart", {})[thing] = 1


@app.post("/login")
async def login(request: Request) -> None:
    session_of(request).sign_in("alice")


@app.get("/me")
async def me(request: Request) -> str:
    return session_of(request).require_subject()
