"""The pages of the application under attack: the same under every framework."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from coatcheck import Session, Sessions

SECRET = "the PIN is 4711"
"""What alice's session holds."""
CODE = "246810"
"""The second factor of everybody."""


class Visit(NamedTuple):
    """A request.

    Attributes:
        session: of the request; nobody has looked at it yet.
        pause: waits until the attack lets the request go on.
    """

    session: Session
    sessions: Sessions
    query: Mapping[str, str]
    pause: Callable[[], Awaitable[None]]


class Said(NamedTuple):
    """A response."""

    body: Any = None
    headers: Mapping[str, str] = {}
    status: int = 200


async def home(_: Visit) -> Said:
    return Said("hello, whoever you are")


async def me(visit: Visit) -> Said:
    session = visit.session
    return Said({"subject": session.require_subject(), "assurance": session.assurance})


async def login(visit: Visit) -> Said:
    who = visit.query.get("as", "alice")
    visit.session.sign_in(who)
    if who == "alice":
        visit.session["note"] = SECRET
    return Said()


async def logout(visit: Visit) -> Said:
    visit.session.end()
    return Said()


async def write(visit: Visit) -> Said:
    visit.session.update(visit.query)
    return Said()


async def read(visit: Visit) -> Said:
    return Said(dict(visit.session))


async def late(visit: Visit) -> Said:
    """Load the session, be slow, then write to it."""
    len(visit.session)
    await visit.pause()
    visit.session["late"] = "written"
    return Said()


async def step_up(visit: Visit) -> Said:
    visit.session.step_up(2)
    return Said()


async def vault(visit: Visit) -> Said:
    return Said({"subject": visit.session.require(level=2)})


async def password(visit: Visit) -> Said:
    """Change the password: all other sessions end."""
    subject = visit.session.require_subject()
    visit.session.privilege_changed()
    await visit.sessions.end_all(subject, keep=visit.session)
    return Said()


async def disable(visit: Visit) -> Said:
    """Disable an account, as an administrator's script does."""
    await visit.sessions.end_all(visit.query["who"], actor="root", reason="disabled")
    return Said()


async def first_factor(visit: Visit) -> Said:
    """Alice's password was right."""
    visit.session.expect_factor("alice")
    return Said()


async def second_factor(visit: Visit) -> Said:
    subject = await visit.sessions.spend_attempt(visit.session)
    if visit.query["code"] == CODE:
        visit.session.sign_in(subject, assurance=2)
        return Said()
    return Said(status=403)


async def forgot(visit: Visit) -> Said:
    """Note whose password was forgotten, under every name that a login might be looked for."""
    visit.session.update(dict.fromkeys(("user", "username", "subject", "user_id"), "alice"))
    return Said()


async def form(visit: Visit) -> Said:
    return Said({"token": visit.session.csrf_token()})


async def transfer(visit: Visit) -> Said:
    return Said({"paid by": visit.session.require_subject()})


async def promoted(visit: Visit) -> Said:
    """Ask every cache to keep a page that begins a session."""
    visit.session["seen"] = "promotion"
    return Said("50 % off", {"cache-control": "public, s-maxage=600"})


def _item(session: Session) -> object:
    try:
        return session["note"]
    except KeyError:
        return None


LOOKS: dict[str, Callable[[Session], object]] = {
    "get": lambda session: session.get("note"),
    "[]": _item,
    "in": lambda session: "note" in session,
    "len": len,
    "iteration": list,
    "bool": bool,
    "==": lambda session: session == {},
    "keys": lambda session: session.keys(),
    "items": lambda session: session.items(),
    "dict": dict,
    "json": json.dumps,
    "pop": lambda session: session.pop("note", None),
    "setdefault": lambda session: session.setdefault("note", ""),
    "modified": lambda session: getattr(session, "modified", None),
    "subject": lambda session: session.subject,
    "id": lambda session: session.id,
    "expires_at": lambda session: session.expires_at,
}
"""The ways to look at a session, by their names."""


async def look(visit: Visit) -> Said:
    """Say what one look at the session shows."""
    return Said(str(LOOKS[visit.query["how"]](visit.session)))


Page = Callable[[Visit], Awaitable[Said]]
_PAGES: tuple[Page, ...] = (
    home, me, login, logout, write, read, late, step_up, vault, password, disable, first_factor,
    second_factor, forgot, form, transfer, promoted, look,
)  # fmt: skip
PAGES: dict[str, Page] = {str(getattr(page, "__name__", "")): page for page in _PAGES}
