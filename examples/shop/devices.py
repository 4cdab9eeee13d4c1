"""My devices: every session of mine, wherever it is, and the means to end it."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from coatcheck import SessionInfo
from coatcheck.web.fastapi import requires
from examples.shop.context import CurrentSession, Everyone, Subject

RECENTLY: Final = "15m"  # who ends a device logged in or gave a code so lately (ASVS V7.5.2)

router = APIRouter(prefix="/devices")


class Device(BaseModel):
    """One session of the caller; `id` names it and opens nothing."""

    id: str
    current: bool
    agent: str | None
    address: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class Ended(BaseModel):
    """How many sessions were ended."""

    ended: int


@router.get("")
async def devices(session: CurrentSession, subject: Subject, everyone: Everyone) -> list[Device]:
    """List the caller's sessions, this one first, then the latest seen."""
    return show(await everyone.list(subject), session.id)


def show(infos: list[SessionInfo], current: str | None) -> list[Device]:
    """Return sessions as a person knows them, the current one first."""
    found = [_device(info, current) for info in infos]
    return sorted(found, key=lambda device: (not device.current, -device.seen_at.timestamp()))


@router.delete("/{device_id}")
async def end(
    device_id: str, session: CurrentSession, subject: Subject, everyone: Everyone
) -> Ended:
    """End one of the caller's sessions; another's is as unknown as one that never was."""
    if device_id == session.id:
        session.end()
        return Ended(ended=1)
    session.require(max_age=RECENTLY)
    if not await everyone.end(device_id, subject=subject):
        raise HTTPException(404, "no such device")
    return Ended(ended=1)


@router.post("/end-others", dependencies=[requires(max_age=RECENTLY)])
async def end_others(session: CurrentSession, subject: Subject, everyone: Everyone) -> Ended:
    """End all of the caller's sessions but this one."""
    return Ended(ended=await everyone.end_all(subject, keep=session))


def _device(info: SessionInfo, current: str | None) -> Device:
    return Device(
        id=info.id,
        current=info.id == current,
        agent=info.client.agent,
        address=info.client.address,
        created_at=info.created_at,
        seen_at=info.seen_at,
        expires_at=info.expires_at,
    )
