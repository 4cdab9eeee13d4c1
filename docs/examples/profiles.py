"""A bank: limits by profile, and a session that is bound to where its user was proved."""

from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from coatcheck import Action, Drift, Event, MemoryStore, Sessions, describe_policy, profile
from coatcheck.web import CookieTransport
from coatcheck.web.asgi import SessionMiddleware, session_of

# part: override
because = {"absolute": "night shifts of 13 h; accepted by the risk board, no. 112"}
policy = profile("bank", absolute=timedelta(hours=13), because=because)
# end part

# part: describe
print(describe_policy(policy, CookieTransport.of(policy)))
# end part


# part: notify
outbox: list[tuple[str | None, str]] = []  # a queue: what is told must not wait


def notify(event: Event) -> None:
    outbox.append((event.subject, f"Was that you? {event.facts}"))


sessions = Sessions(MemoryStore(), policy=policy, notify=notify)
# end part
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.get("/balance")
async def balance(request: Request) -> dict[str, Any]:
    return {"of": session_of(request).require_subject(), "is": 7}


# part: page
@app.get("/account", response_model=None)
async def account(request: Request) -> Response | dict[str, Any]:
    session = session_of(request)
    if session.subject is None:  # a visitor, or a user who has to be proved again
        return RedirectResponse("/login?again" if session.doubt else "/login", 303)
    return {"of": session.subject, "draft": session.get("draft")}


@app.post("/login/{name}")
async def login(name: str, request: Request) -> None:
    session_of(request).sign_in(name)  # check the password first, as for any login


# end part


# part: own
def only_another_browser(drift: Drift) -> Action:
    return Action.END if Drift.BROWSER in drift else Action.OBSERVE


own = profile("aal2", binding=only_another_browser)
# end part
