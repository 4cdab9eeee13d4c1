"""Logging in, who am I, logging out."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from coatcheck import Session
from examples.shop.context import CurrentSession, Now, ServerName, Subject
from examples.shop.users import password_matches

router = APIRouter()


class Credentials(BaseModel):
    """What the login form sends."""

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Annotated[str, Field(min_length=1, max_length=256)]


class Greeting(BaseModel):
    """The answer to logging in and out."""

    message: str


class Me(BaseModel):
    """The caller's own session; `session` is its id, which opens nothing."""

    subject: str
    session: str | None
    created_at: datetime | None
    seen_at: datetime | None
    expires_at: datetime | None
    now: datetime
    address: str | None
    agent: str | None
    server: str


@router.post("/login")
async def login(credentials: Credentials, session: CurrentSession) -> Greeting:
    """Check the password and start a session; a visitor's cart comes along."""
    if not await password_matches(credentials.username, credentials.password):
        raise HTTPException(401, "wrong user name or password")
    session.sign_in(credentials.username)
    return Greeting(message=f"welcome, {credentials.username}")


@router.get("/me")
async def me(session: CurrentSession, _: Subject, server: ServerName, now: Now) -> Me:
    """Describe the session this request came with."""
    return describe(session, server, now)


def describe(session: Session, server: str, now: datetime) -> Me:
    """Return what the caller may know of a session."""
    return Me(
        subject=session.require_subject(),
        session=session.id,
        created_at=session.created_at,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
        now=now,
        address=session.client.address,
        agent=session.client.agent,
        server=server,
    )


@router.post("/logout")
async def logout(session: CurrentSession) -> Greeting:
    """End the session on the server, so that no copy of the cookie works; twice is fine."""
    session.end()
    return Greeting(message="you are logged out")
