"""A browser as the sessions see it: two cookies, requests that overlap, answers in any order."""

from dataclasses import dataclass, field

from coatcheck import Holder, Outcome, Session, Sessions, Token
from coatcheck.core.presented import Presented
from coatcheck.errors import (
    CoatcheckError,
    MergeRefused,
    SessionLimitReached,
    StoreUnavailable,
    Superseded,
    Unauthenticated,
)

STATUS: dict[type[CoatcheckError], int] = {
    Superseded: 409,
    MergeRefused: 409,
    Unauthenticated: 401,
    SessionLimitReached: 403,
    StoreUnavailable: 503,
}


@dataclass
class Answer:
    """What a request was answered: a status, and what it did to the cookies."""

    status: int
    cookies: dict[Holder, Token | None]
    outcome: Outcome | None = None

    @property
    def cookie(self) -> str:
        """Return `set`, `delete` or `-`: the table's last column."""
        if not self.cookies:
            return "-"
        return "set" if any(self.cookies.values()) else "delete"


@dataclass
class Browser:
    """Holds the cookies of one person."""

    sessions: Sessions
    jar: dict[Holder, Token] = field(default_factory=dict[Holder, Token])

    async def send(self, *, is_activity: bool = True) -> Session:
        """Let a request arrive with the cookies as they are."""
        presented = [Presented(self.jar[holder], holder) for holder in Holder if holder in self.jar]
        return await self.sessions.admit(presented, is_activity=is_activity)

    async def finish(self, session: Session, *, lose: bool = False) -> Answer:
        """Let the request be committed, and its answer arrive unless it is to be lost."""
        try:
            outcome = await self.sessions.commit(session)
        except tuple(STATUS) as error:
            answer = Answer(STATUS[type(error)], dict(session.state.cookies))
        else:
            answer = Answer(200, dict(session.state.cookies), outcome)
        if not lose:
            self.receive(answer)
        return answer

    def receive(self, answer: Answer) -> None:
        for holder, token in answer.cookies.items():
            if token is None:
                self.jar.pop(holder, None)
            else:
                self.jar[holder] = token

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
