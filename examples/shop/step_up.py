"""Confirming that it is you, by a code of your authenticator app, and what asks for it."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from coatcheck import Session
from coatcheck.web.fastapi import requires
from examples.shop import cart, profiles
from examples.shop.account import Greeting
from examples.shop.context import CurrentSession, Now, Subject

ASKS_FROM: Final = 100_00  # euro cents
WRONG_CODE: Final = "this code is wrong, or was used before"

router = APIRouter()


class Confirmation(BaseModel):
    """What the form sends: six digits."""

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


class Email(BaseModel):
    """Where the shop writes to."""

    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]


class Code(BaseModel):
    """What an authenticator app shows."""

    code: str


# Plain functions: FastAPI runs them in threads, as they wait for a file.
# part: step-up
@router.post("/step-up")
def confirm(confirmation: Confirmation, session: CurrentSession, now: Now) -> Greeting:
    """Check a code; from then on the session is one of two factors, under a new cookie."""
    return confirmed(session, confirmation.code, now.timestamp())


def confirmed(session: Session, code: str, at: float) -> Greeting:
    """Note that the user of a session has given a right code."""
    if not profiles.is_right(session.require_subject(), code, at):
        raise HTTPException(403, WRONG_CODE)
    session.step_up(2)
    return Greeting(message="thank you")


@router.put("/email", dependencies=[requires(level=2, max_age="5m")])
def change_email(email: Email, subject: Subject) -> Email:
    """Change the address; the second factor must have been given within five minutes."""
    profiles.change_email(subject, email.email)
    return email


# end part


@router.get("/email")
def show_email(subject: Subject) -> Email:
    """Tell the caller's address."""
    return Email(email=profiles.email(subject))


# part: order
@router.post("/orders")
async def order(session: CurrentSession) -> Greeting:
    """Order what is in the cart; much of it only with the second factor."""
    return ordered(session)


def ordered(session: Session) -> Greeting:
    """Take the cart's things off it, once it is certain who wants them."""
    session.require_subject()
    wanted = cart.show(session)
    if not wanted.items:
        raise HTTPException(409, "there is nothing in the cart")
    if wanted.total >= ASKS_FROM:
        session.require(level=2, max_age="5m")
    session["cart"] = {}
    return Greeting(message=f"ordered for {wanted.total / 100:.2f} euros")


# end part


@router.get("/demo/code")
def code(subject: Subject, now: Now) -> Code:
    """Be the authenticator app of the caller; only a demonstration has such a route."""
    return Code(code=profiles.shown(subject, now.timestamp()))
