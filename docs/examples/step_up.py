from typing import Annotated

from fastapi import Body, Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from coatcheck import Sessions, store_from_url
from coatcheck.web import safe_next
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.fastapi import CurrentSession, CurrentUser, requires

sessions = Sessions(store_from_url("sqlite:///shop.db"))
app = FastAPI()
app.add_middleware(
    SessionMiddleware,
    sessions=sessions,
    development=True,
    step_up_url="/confirm",  # pages lead here; whatever else asks is answered 401
)


Field = Annotated[str, Body(embed=True)]  # of the request's JSON


def password_is_right(user: str, password: str) -> bool:
    return password == "opensesame"


def code_is_right(user: str, code: str) -> bool:
    return code == "123456"  # a library for TOTP, and each code once


# part: routes
@app.get("/account", dependencies=[requires(level=2, max_age="5m")])
async def account(user: CurrentUser) -> HTMLResponse:
    return HTMLResponse("your bank account, for instance")


@app.post("/transfers/{euros}")
async def transfer(euros: int, session: CurrentSession) -> str:
    session.require(level=2 if euros > 100 else 1, max_age="15m")
    return "done"


# end part


# part: confirm
@app.post("/confirm")
async def confirm(code: Field, session: CurrentSession, next: str = "/") -> RedirectResponse:
    if not code_is_right(session.require_subject(), code):
        raise HTTPException(403, "this code is wrong")
    session.step_up(2)
    return RedirectResponse(safe_next(next), 303)


# end part


# part: login
@app.post("/login")
async def login(name: Field, password: Field, session: CurrentSession) -> str:
    if not password_is_right(name, password):
        raise HTTPException(401, "wrong user name or password")
    session.expect_factor(name)  # nobody is signed in by this
    return "and now the code"


@app.post("/login/code")
async def second_factor(code: Field, session: CurrentSession) -> str:
    user = await sessions.spend_attempt(session)  # before the code is looked at
    if not code_is_right(user, code):
        raise HTTPException(401, "this code is wrong")
    session.sign_in(user, assurance=2)
    return f"welcome, {user}"


# end part


# part: impersonate
def support(request: Request, session: CurrentSession) -> None:
    if session.require(level=2, max_age="15m") != "admin":
        raise HTTPException(403)


@app.post("/as/{user}", dependencies=[Depends(support)])
async def act_as(user: str, session: CurrentSession) -> str:
    session.impersonate(user)
    return f"{session.actor} acts as {session.subject}"


@app.post("/myself")
async def be_myself(session: CurrentSession) -> str:
    session.stop_impersonating()
    return f"{session.subject} again"


# end part
