"""An API with bearer tokens whose WebSockets are opened by tickets."""

from fastapi import FastAPI, Request, WebSocket

from coatcheck import Sessions, store_from_url
from coatcheck.web import BearerTransport
from coatcheck.web.asgi import SessionMiddleware, session_of

sessions = Sessions(store_from_url("sqlite:///api.db"))
# part: tickets
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions, transport=BearerTransport(), tickets=True)


@app.post("/ticket")
async def ticket(request: Request) -> str:
    return await sessions.issue_ticket(session_of(request), origin="https://app.example")


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    user = session_of(websocket).require_subject()
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{user}: {text}")


# end part
@app.post("/login")
async def login(request: Request) -> None:
    session_of(request).sign_in("alice")
