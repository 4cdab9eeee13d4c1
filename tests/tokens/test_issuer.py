"""Tokens that are issued from sessions, and end with them (R-024, R-090, R-092)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest

from coatcheck import BlockingSessions, Keyring, MemoryStore, Policy, Sealed, Session, Token
from coatcheck.core.base64url import decode
from coatcheck.errors import ConfigurationError, InvalidToken, StepUpRequired, Unauthenticated
from coatcheck.testing import Clock
from coatcheck.tokens import Issuer, SigningKeys, Verifier
from coatcheck.tokens.algorithm import ALGORITHMS
from coatcheck.waiting import finish
from tests.tokens.forge import AUDIENCE, GOOD, ISSUER, NOW, forge, issuer_by, signing, verifier_by

KEYS = signing("ES256")


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW * 1_000)


@pytest.fixture
def sessions(clock: Clock) -> Iterator[BlockingSessions]:
    sessions = BlockingSessions(MemoryStore(), clock=clock, on_event=lambda _: None)
    yield sessions
    sessions.close()


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return issuer_by(clock, KEYS)


@pytest.fixture
def verifier(clock: Clock) -> Verifier:
    return verifier_by(clock, KEYS)


@pytest.fixture
def token(sessions: BlockingSessions) -> Token:
    session = sessions.open(None)
    session.sign_in("alice", assurance=2)
    token = sessions.commit(session).token
    assert token is not None
    return token


@pytest.fixture
def session(sessions: BlockingSessions, token: Token) -> Session:
    return sessions.open(token)


def said_by(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(decode(token.split(".")[1]))
    return found


def test_a_token_says_who_it_is_and_no_more(issuer: Issuer, session: Session) -> None:
    """R-090, RFC 9068 2.2: nothing about the user but what the application put in."""
    session["cart"] = ["hat"]
    token = issuer.issue(session).reveal()
    said = said_by(token)
    assert said.pop("jti") != said_by(issuer.issue(session).reveal())["jti"]
    assert said.pop("lineage")
    assert said == {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "web",
        "iat": NOW,
        "exp": NOW + 300,
        "sid": session.id,
        "acr": "aal2",
        "auth_time": NOW,
    }
    assert json.loads(decode(token.split(".")[0])) == {
        "alg": "ES256",
        "kid": KEYS.first.id,
        "typ": "at+jwt",
    }


def test_what_it_says_comes_back(
    issuer: Issuer, verifier: Verifier, session: Session, clock: Clock
) -> None:
    clock.move(seconds=10)
    token = issuer.issue(session, {"roles": ["clerk"], "name": "Alice"})
    claims = verifier.verify(token.reveal())
    assert (claims.subject, claims.session, claims.client) == ("alice", session.id, "web")
    assert claims.extra == {"roles": ["clerk"], "name": "Alice"}
    assert (claims.assurance, claims.authenticated_at) == (2, session.authenticated_at)
    assert (claims.expires_at - claims.issued_at).total_seconds() == token.lifetime == 300
    assert token.response() == {
        "access_token": token.reveal(),
        "token_type": "Bearer",
        "expires_in": 300,
    }
    assert token.reveal() not in repr(token)


@pytest.mark.parametrize("algorithm", [each for each in ALGORITHMS if each != "Ed25519"])
def test_another_library_believes_it_as_well(
    session: Session, clock: Clock, algorithm: str
) -> None:
    """And we believe what it signs, by its own reading of our keys. It lacks RFC 9864's name."""
    keys = signing(algorithm)
    token = Issuer(ISSUER, keys, audience=AUDIENCE, clock=lambda: NOW).issue(session)
    jwk = json.loads(SigningKeys.new_key(algorithm))
    theirs = jwt.PyJWK(keys.jwks()["keys"][0] if algorithm[0] != "H" else jwk)
    if algorithm[0] == "H":
        keys = SigningKeys(json.dumps(jwk))
        token = Issuer(ISSUER, keys, audience=AUDIENCE, clock=lambda: NOW).issue(session)
    said = jwt.decode(
        token.reveal(),
        theirs,
        algorithms=[algorithm],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert said["sub"] == "alice"
    own = SigningKeys(json.dumps(jwk))
    made = jwt.encode(
        said, jwt.PyJWK(jwk), algorithm=algorithm, headers={"kid": jwk["kid"], "typ": "at+jwt"}
    )
    verifier = Verifier(ISSUER, audience=AUDIENCE, keys=own, clock=lambda: NOW)
    assert verifier.verify(made).subject == "alice"


def test_only_names_that_were_agreed_on_are_said(issuer: Issuer, session: Session) -> None:
    """R-090. Fails when whatever an application passes on goes into the token."""
    for name in ("email", "sub", "exp", "sid"):
        with pytest.raises(ValueError, match=name):
            issuer.issue(session, {name: "x"})
    for name in ("sub", "exp", "acr", "sid"):
        with pytest.raises(ConfigurationError, match=f"claims: .*{name}.* have a meaning already"):
            Issuer(ISSUER, KEYS, audience=AUDIENCE, claims=["roles", name])
    with pytest.raises(TypeError):
        issuer.issue(session, {"roles": {"clerk"}})
    with pytest.raises(ValueError, match=r"the token has .* characters, over 8192"):
        issuer.issue(session, {"roles": ["x" * 10_000]})


def test_a_visitor_is_given_none(sessions: BlockingSessions, issuer: Issuer) -> None:
    visitor = sessions.open(None)
    visitor["cart"] = []
    sessions.commit(visitor)
    with pytest.raises(Unauthenticated):
        issuer.issue(visitor)


def test_what_is_not_stored_yet_is_not_said(
    sessions: BlockingSessions, issuer: Issuer, verifier: Verifier, token: Token
) -> None:
    """Fails when a token names the session or the privileges of before, or of an end."""
    new = sessions.open(None)
    new.sign_in("bob")
    with pytest.raises(RuntimeError, match="commit the session first"):
        issuer.issue(new)
    sessions.commit(new)
    assert verifier.verify(issuer.issue(new).reveal()).session == new.id

    stepping, switching, ending = (sessions.open(token) for _ in range(3))
    stepping.step_up(3)
    switching.sign_in("carol")
    for session in (stepping, switching):
        with pytest.raises(RuntimeError, match="commit the session first"):
            issuer.issue(session)
    ending.end()
    with pytest.raises(Unauthenticated):
        issuer.issue(ending)
    sessions.commit(stepping)
    assert verifier.verify(issuer.issue(stepping).reveal()).assurance == 3


@pytest.mark.parametrize("how", ["clear", "del"])
def test_a_session_that_is_being_emptied_gets_no_token(
    sessions: BlockingSessions, issuer: Issuer, token: Token, how: str
) -> None:
    """Emptying ends it. Fails when the token is good for longer than the session."""
    session = sessions.open(token)
    session["cart"] = ["hat"]
    sessions.commit(session)
    assert issuer.issue(session).lifetime == 300
    if how == "clear":
        session.clear()
    else:
        del session["cart"]
    with pytest.raises(RuntimeError, match="commit the session first"):
        issuer.issue(session)


def test_a_record_that_somebody_else_wrote_stands_for_nothing(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    """Fails when who can write to the store undoes an end."""
    store = MemoryStore()
    envelope = Sealed(Keyring(Keyring.new_key()))
    sessions = BlockingSessions(store, clock=clock, envelope=envelope, on_event=lambda _: None)
    session = sessions.open(None)
    session.sign_in("alice")
    sessions.commit(session)
    issued = issuer.issue(session).reveal()
    assert stands(sessions, verifier, issued)
    base = session.state.base
    assert base is not None
    forged = base._replace(version=base.version + 1, stamp=b"12345678", ends_at=base.ends_at + 1)
    finish(store.save(forged, base))
    assert not stands(sessions, verifier, issued)
    sessions.close()


def test_a_token_does_not_outlive_its_session(clock: Clock) -> None:
    """R-031. Fails when a token issued at the end of it is good for longer."""
    policy = Policy(idle=timedelta(minutes=10), absolute=timedelta(minutes=12), renew_after=None)
    sessions = BlockingSessions(MemoryStore(), policy=policy, clock=clock, on_event=lambda _: None)
    session = sessions.open(None)
    session.sign_in("alice")
    token = sessions.commit(session).token
    clock.move(seconds=540)
    sessions.commit(sessions.open(token))
    clock.move(seconds=120)
    issuer = Issuer(ISSUER, KEYS, audience=AUDIENCE, clock=lambda: clock() / 1_000)
    issued = issuer.issue(sessions.open(token))
    assert issued.lifetime == 60
    assert said_by(issued.reveal())["exp"] == NOW + 720
    sessions.close()


def test_who_impersonates_is_named(
    sessions: BlockingSessions, issuer: Issuer, verifier: Verifier, session: Session
) -> None:
    """RFC 8693 4.1."""
    session.impersonate("bob")
    token = sessions.commit(session).token
    acting = sessions.open(token)
    claims = verifier.verify(issuer.issue(acting).reveal())
    assert (claims.subject, claims.actor) == ("bob", "alice")
    acting.stop_impersonating()
    sessions.commit(acting)
    assert verifier.verify(issuer.issue(acting).reveal()).actor is None


def test_a_service_asks_for_more_than_a_token(
    issuer: Issuer, verifier: Verifier, session: Session, clock: Clock
) -> None:
    """R-073. Fails when the age is that of the token, or the level is not looked at."""
    token = issuer.issue(session).reveal()
    claims = verifier.verify(token)
    assert claims.require(level=2, max_age="5m") == "alice"
    with pytest.raises(StepUpRequired) as caught:
        claims.require(level=3)
    assert caught.value.level == 3
    clock.move(seconds=240)
    later = verifier.verify(issuer.issue(session).reveal())
    assert later.require(max_age="4m") == "alice"
    with pytest.raises(StepUpRequired):
        later.require(max_age="3m")


def test_who_says_nothing_about_it_was_authenticated_at_no_time(verifier: Verifier) -> None:
    claims = verifier.verify(forge(KEYS.first, {**GOOD, "acr": "urn:other"}))
    assert claims.require() == "alice"
    assert claims.authenticated_at is None
    with pytest.raises(StepUpRequired):
        claims.require(max_age="1d")
    with pytest.raises(StepUpRequired):
        claims.require(level=2)


def stands(sessions: BlockingSessions, verifier: Verifier, token: str) -> bool:
    """Ask as a service does that shares the store."""
    claims = verifier.verify(token)  # that alone, it knows nothing of the store
    try:
        sessions.require_live(claims)
    except InvalidToken:
        return False
    return True


@pytest.mark.parametrize("how", ["logout", "end", "end_all", "step_up", "role", "moved", "expired"])
def test_where_the_store_is_asked_a_token_ends_with_its_session(
    sessions: BlockingSessions,
    issuer: Issuer,
    verifier: Verifier,
    token: Token,
    clock: Clock,
    how: str,
) -> None:
    """R-024, R-038, R-092: at once, for whatever ends the session or changes its privileges."""
    session = sessions.open(token)
    issued = issuer.issue(session).reveal()
    assert stands(sessions, verifier, issued)
    id = session.id
    assert id is not None
    if how == "logout":
        session.end()
        sessions.commit(session)
    elif how == "end":
        assert sessions.end(id)
    elif how == "end_all":
        assert sessions.end_all("alice") == 1
    elif how == "step_up":
        session.step_up(3)
        sessions.commit(session)
    elif how == "role":
        sessions.rotate(session)
    elif how == "moved":
        session.sign_in("bob")
        sessions.commit(session)
    else:
        clock.move(minutes=30)
        claims = Verifier(ISSUER, audience=AUDIENCE, keys=KEYS, clock=lambda: NOW).verify(issued)
        with pytest.raises(InvalidToken, match="its session is over"):
            sessions.require_live(claims)
        return
    assert not stands(sessions, verifier, issued)


@pytest.mark.parametrize(
    "other",
    [{"session": None}, {"session": "../x"}, {"subject": "bob"}, {"lineage": None}],
    ids=repr,
)
def test_a_session_stands_for_its_own_tokens_only(
    sessions: BlockingSessions,
    issuer: Issuer,
    verifier: Verifier,
    session: Session,
    other: dict[str, Any],
) -> None:
    """Fails when any session, or one of another user under that id, will do."""
    claims = verifier.verify(issuer.issue(session).reveal())
    sessions.require_live(claims)
    with pytest.raises(InvalidToken, match="its session is over"):
        sessions.require_live(replace(claims, **other))


def test_another_session_of_the_same_user_does_not_stand_for_it(
    sessions: BlockingSessions, issuer: Issuer, verifier: Verifier, session: Session
) -> None:
    claims = verifier.verify(issuer.issue(session).reveal())
    other = sessions.open(None)
    other.sign_in("alice", assurance=2)
    sessions.commit(other)
    with pytest.raises(InvalidToken, match="its session is over"):
        sessions.require_live(replace(claims, session=other.id))


def test_who_impersonates_does_so_no_longer_than_they_may(
    sessions: BlockingSessions,
    issuer: Issuer,
    verifier: Verifier,
    session: Session,
    clock: Clock,
) -> None:
    """R-109. Fails when the end of the actor's own sessions leaves the token good."""
    session.impersonate("bob")
    acting = sessions.open(sessions.commit(session).token)
    clock.move(seconds=10)
    issued = issuer.issue(acting).reveal()
    assert stands(sessions, verifier, issued)
    clock.move(seconds=10)
    sessions.end_all("alice")
    assert not stands(sessions, verifier, issued)


def test_what_a_token_says_of_the_session_is_not_what_the_store_holds(
    issuer: Issuer, session: Session
) -> None:
    base = session.state.base
    assert base is not None
    lineage = decode(said_by(issuer.issue(session).reveal())["lineage"])
    assert lineage not in base.lineage_digest
    assert lineage[:8] not in base.lineage_digest


def test_a_session_that_is_about_to_be_over_gets_no_token(
    sessions: BlockingSessions, issuer: Issuer, token: Token, clock: Clock
) -> None:
    """Fails when one is issued that lives for no second, and for the leeway."""
    late = sessions.open(token)
    clock.move(minutes=29, seconds=59.5)
    with pytest.raises(Unauthenticated, match="about to be over"):
        issuer.issue(late)


def test_a_renewal_ends_no_token(
    sessions: BlockingSessions, issuer: Issuer, verifier: Verifier, token: Token, clock: Clock
) -> None:
    """It changes the secret, not the privileges."""
    clock.move(minutes=14)
    session = sessions.open(token)
    issued = issuer.issue(session).reveal()
    sessions.commit(session)
    clock.move(minutes=2)
    renewed = sessions.commit(sessions.open(token)).token
    assert renewed is not None
    sessions.commit(sessions.open(renewed))
    assert stands(sessions, verifier, issued)


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"url": "http://shop.example"}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"audience": []}, "audience"),
        ({"audience": ["orders", ""]}, "audience"),
        ({"lifetime": timedelta(0)}, "lifetime"),
        ({"lifetime": timedelta(hours=25)}, "lifetime"),
        ({"claims": "roles"}, "claims"),
        ({"lifetime": 300}, "lifetime"),
        ({"keys": None}, "keys"),
    ],
    ids=repr,
)
def test_wrong_settings_stop_the_start(options: dict[str, Any], setting: str) -> None:
    url = options.pop("url", ISSUER)
    arguments: dict[str, Any] = {"audience": AUDIENCE, "keys": KEYS, **options}
    with pytest.raises(ConfigurationError) as caught:
        Issuer(url, **arguments)
    assert caught.value.setting == setting
