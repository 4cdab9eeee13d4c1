"""A button for demonstrations: lets anyone move the shop's time, where SHOP_CLOCK is set."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from examples.shop.clock import ShopClock


class Move(BaseModel):
    """How far time goes on; it never goes back."""

    minutes: Annotated[int, Field(ge=1, le=24 * 60)]


def time_machine(clock: ShopClock) -> APIRouter:
    """Return the routes that move `clock`."""
    router = APIRouter()

    @router.post("/demo/clock")
    async def move(move: Move) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        """Let `minutes` pass at once, on every server."""
        clock.advance(timedelta(minutes=move.minutes))
        return {"message": f"{move.minutes} minutes have passed"}

    return router
