"""Access tokens for what belongs to the shop and has no store of sessions: see parcels.py."""

import os
import time
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from coatcheck import Session
from coatcheck.tokens import Issuer, SigningKeys
from examples.shop.context import CurrentSession

ISSUER: Final = "https://hook-and-hanger.example"
AUDIENCE: Final = "parcels"
KEYS: Final = "COATCHECK_SIGNING_KEYS"

router = APIRouter()


def make_issuer(clock: Callable[[], int] | None) -> Issuer:
    """Issue by the keys of the environment; without any, by one that this server alone knows."""
    keys = SigningKeys.from_env(KEYS) if KEYS in os.environ else SigningKeys(SigningKeys.new_key())
    return Issuer(ISSUER, keys, audience=AUDIENCE, claims=["roles"], clock=seconds(clock))


def seconds(clock: Callable[[], int] | None) -> Callable[[], float]:
    """Return the shop's time as tokens count it."""
    return time.time if clock is None else lambda: clock() / 1_000


def issued(issuer: Issuer, session: Session) -> dict[str, Any]:
    """Return a token for who is signed in, as OAuth's clients know it."""
    return issuer.issue(session, {"roles": ["customer"]}).response()


def _issuer(request: Request) -> Issuer:
    issuer: Issuer = request.app.state.issuer
    return issuer


@router.post("/token")
async def token(session: CurrentSession, issuer: Annotated[Issuer, Depends(_issuer)]) -> Any:
    """Give an access token to who is signed in."""
    return issued(issuer, session)


@router.get("/.well-known/jwks.json")
async def jwks(issuer: Annotated[Issuer, Depends(_issuer)]) -> Any:
    """Publish the keys that check them."""
    return issuer.keys.jwks()
