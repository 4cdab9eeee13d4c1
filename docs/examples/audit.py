"""A shop that keeps an audit trail, and refuses secrets in its sessions."""

from fastapi import FastAPI, Request

from coatcheck import Event, Happened, Policy, Secrets, Sessions, store_from_url
from coatcheck.observe import Audit, JSONFile, JSONLog
from coatcheck.web.asgi import SessionMiddleware, session_of

alarms: list[str] = []


# part: sink
def alarm(event: Event) -> None:
    """Tell somebody when a token is used after its session was signed out or ended."""
    if event.kind is Happened.REFUSED and event.cause == "retired":
        alarms.append(f"{event.id} from {event.client.address}")


# end part
# part: secrets
policy = Policy(secrets=Secrets.REFUSE, secrets_allowed={"calendar_token"})
# end part
# part: audit
sessions = Sessions(
    store_from_url("sqlite:///shop.db"),
    policy=policy,
    on_event=Audit(JSONFile("audit.log"), JSONLog(), alarm),
)
# end part
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.post("/login/{name}")
async def login(name: str, request: Request) -> None:
    session_of(request).sign_in(name)


@app.post("/remember/{key}")
async def remember(key: str, value: str, request: Request) -> None:
    session_of(request)[key] = value


# part: actor
@app.delete("/admin/sessions/{id}")
async def end(id: str, request: Request) -> bool:
    return await sessions.end(id, actor=session_of(request))  # after you checked that they may


async def disable(user: str) -> None:
    await sessions.end_all(user, actor="the nightly clean-up")


# end part
