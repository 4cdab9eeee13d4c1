"""Sessions that nobody reads in the store, compressed where they are large."""

from fastapi import FastAPI, Request

from coatcheck import Compressed, Keyring, Sealed, Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

# part: sealed
keyring = Keyring.from_env("COATCHECK_KEYS")
sessions = Sessions(store_from_url("sqlite:///sessions.db"), envelope=Sealed(keyring))
# end part

# part: compressed
envelope = Compressed(Sealed(keyring), above=2_048)
# end part
sessions = Sessions(store_from_url("sqlite:///sessions.db"), envelope=envelope)

app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.post("/login")
async def login(request: Request) -> None:
    session_of(request).sign_in("alice")


@app.post("/note/{text}")
async def note(text: str, request: Request) -> None:
    request.session["note"] = text


@app.get("/note")
async def read(request: Request) -> str:
    return str(request.session["note"])
