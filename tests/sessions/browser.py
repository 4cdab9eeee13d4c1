"""A browser as the sessions see it: two cookies, requests that overlap, answers in any order."""

from dataclasses import dataclass, field

from coatcheck import Outcome, Session, Sessions, Token
from coatcheck.errors import StoreUnavailable, Superseded, Unauthenticated

STATUS = {Superseded: 409, Unauthenticated: 401, StoreUnavailable: 503}


@dataclass
class Answer:
    """What a request was answered: a status, and what it did to the cookies."""

    status: int
    cookies: dict[bool, Token | None]
    outcome: Outcome | None = None

    @property
    def cookie(self) -> str:
        """Return `set`, `delete` or `-`: the table's last column."""
        if not self.cookies:
            return "-"
        return "set" if any(self.cookies.values()) else "delete"


@dataclass
class Browser:
    """Holds the cookies of one person. `jar[True]` is the signed-in one."""

    sessions: Sessions
    jar: dict[bool, Token] = field(default_factory=dict[bool, Token])

    async def send(self) -> Session:
        """Let a request arrive with the cookies as they are."""
        return await self.sessions.open(self.jar.get(True) or self.jar.get(False))

    async def finish(self, session: Session, *, lose: bool = False) -> Answer:
        """Let the request be committed, and its answer arrive unless it is to be lost."""
        try:
            outcome = await self.sessions.commit(session)
        except (Superseded, Unauthenticated, StoreUnavailable) as error:
            answer = Answer(STATUS[type(error)], dict(session.intents.cookies))
        else:
            answer = Answer(200, dict(session.intents.cookies), outcome)
        if not lose:
            self.receive(answer)
        return answer

    def receive(self, answer: Answer) -> None:
        for signed_in, token in answer.cookies.items():
            if token is None:
                self.jar.pop(signed_in, None)
            else:
                self.jar[signed_in] = token

    async def sign_in(self, subject: str, **data: object) -> Answer:
        session = await self.send()
        session.sign_in(subject)
        session.update(data)
        return await self.finish(session)

    async def put(self, **data: object) -> Answer:
        session = await self.send()
        session.update(data)
        return await self.finish(session)

    async def see(self) -> tuple[str | None, dict[str, object]]:
        """Return who the browser is to the server, and what its session holds."""
        session = await self.send()
        return session.subject, dict(session)


def twin(browser: Browser) -> Browser:
    """Return a copy of the browser with the same cookies: a second tab, or a thief."""
    return Browser(browser.sessions, dict(browser.jar))
