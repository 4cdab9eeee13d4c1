"""A small application in which any request can be held up, and a client that sees every cookie."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import httpx2

from coatcheck import Event, Happened, Policy, Session, Sessions, Store, Token
from coatcheck.core.events import Listener
from coatcheck.web.asgi import SessionMiddleware

Message = MutableMapping[str, Any]
Action = Callable[[Sessions, Session, list[str]], Awaitable[object]]


class Answer:
    """A response, and what it does to the client's cookies."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body: Any = response.json() if response.content else None
        self.cookies = response.headers.get_list("set-cookie")

    @property
    def cookie(self) -> str:
        """The one cookie handed out, as the client sends it back."""
        (line,) = [line for line in self.cookies if "Max-Age=0" not in line]
        return line.partition(";")[0]

    @property
    def token(self) -> Token:
        token = Token.parse(self.cookie.partition("=")[2])
        assert token is not None
        return token


class Held:
    """A request whose handler has its session, and waits."""

    def __init__(self, task: asyncio.Task[Answer], go: asyncio.Event) -> None:
        self._task, self._go = task, go

    async def finish(self) -> Answer:
        self._go.set()
        return await self._task


class Shop:
    """The application, and its clients."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] | None = None,
        policy: Policy | None = None,
        on_event: Listener | None = None,
    ) -> None:
        self.events: list[Event] = []
        listener = on_event or self.events.append
        self.sessions = Sessions(store, clock=clock, policy=policy, on_event=listener)
        self._gates: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self._client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(SessionMiddleware(self._serve, sessions=self.sessions)),
            base_url="https://shop.test",
        )

    async def send(self, path: str, cookie: str | None = None, *, gate: str = "") -> Answer:
        """Do what `path` says, such as `/add/apple`, with this cookie and no other."""
        headers = {"x-gate": gate} if gate else {}
        if cookie:
            headers["cookie"] = cookie
        self._client.cookies.clear()
        return Answer(await self._client.post(path, headers=headers))

    async def hold(self, path: str, cookie: str | None = None) -> Held:
        """Send a request and return once its handler has the session."""
        gate = str(len(self._gates))
        reached, go = self._gates[gate] = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self.send(path, cookie, gate=gate))
        async with asyncio.timeout(10):
            await reached.wait()
        return Held(task, go)

    def happened(self, kind: Happened) -> int:
        """Return how often something happened."""
        return sum(event.kind is kind for event in self.events)

    async def close(self) -> None:
        await self._client.aclose()
        await self.sessions.close()

    async def _serve(self, scope: Message, receive: object, send: Any) -> None:
        _, name, *words = scope["path"].split("/")
        session: Session = scope["session"]
        gate = dict(scope["headers"]).get(b"x-gate", b"").decode()
        if gate:
            reached, go = self._gates[gate]
            reached.set()
            await go.wait()
        result = await ACTIONS[name](self.sessions, session, words)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(result).encode()})


async def login(_: Sessions, session: Session, words: list[str]) -> None:
    session.sign_in(words[0])


async def logout(_: Sessions, session: Session, words: list[str]) -> None:
    session.end()


async def step_up(_: Sessions, session: Session, words: list[str]) -> None:
    session.step_up(2)


async def rotate(_: Sessions, session: Session, words: list[str]) -> None:
    session.privilege_changed()


async def add(_: Sessions, session: Session, words: list[str]) -> None:
    """Put something into the cart: a nested value of its own."""
    session.setdefault("cart", {})[words[0]] = 1


async def put(_: Sessions, session: Session, words: list[str]) -> None:
    """Set a key of its own."""
    session[words[0]] = 1


async def count(_: Sessions, session: Session, words: list[str]) -> None:
    session.edit(increment)


async def read(_: Sessions, session: Session, words: list[str]) -> Mapping[str, object]:
    return {"subject": session.subject, "data": dict(session)}


async def ping(_: Sessions, session: Session, words: list[str]) -> str:
    """Never look at the session."""
    return "pong"


async def login_alone(sessions: Sessions, session: Session, words: list[str]) -> None:
    """End all sessions of the user, and then sign in."""
    await sessions.end_all(words[0], keep=session)
    session.sign_in(words[0])


ACTIONS: Mapping[str, Action] = {
    action.__name__.replace("_", "-"): action
    for action in (login, logout, step_up, rotate, add, put, count, read, ping, login_alone)
}


def increment(data: dict[str, Any]) -> None:
    data["count"] = data.get("count", 0) + 1
