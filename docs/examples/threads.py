"""Sessions in threads, without an event loop and without a framework."""

from coatcheck import BlockingSessions, Token, store_from_url

sessions = BlockingSessions(store_from_url("sqlite:///threads.db", blocking=True))


def handle(cookie: str) -> str | None:
    """Serve one request: read the token, open, work on the dict, commit."""
    session = sessions.open(Token.parse(cookie))
    if session.subject is None:
        session.sign_in("alice")
    session["seen"] = True
    token = sessions.commit(session).token
    return token.reveal() if token else None
