"""What the page needs to draw itself, for anyone: goods, demo accounts, and who is asking."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel

from examples.shop.cart import Cart, show
from examples.shop.catalogue import CATALOGUE
from examples.shop.context import CurrentSession, LoginIsOver
from examples.shop.users import DEMO_PASSWORDS

router = APIRouter()


class Goods(BaseModel):
    """A product as the page shows it; `price` in euro cents."""

    id: int
    name: str
    note: str
    price: int
    icon: str


class Display(BaseModel):
    """The shop as it is for everybody."""

    products: list[Goods]
    accounts: dict[str, str]
    time_moves: bool


class Visit(BaseModel):
    """The caller's part of it; for a mere visitor nothing is stored.

    `login_is_over` tells a caller whose login expired or was ended from one who never had any.
    """

    cart: Cart
    login_is_over: bool


@router.get("/goods")
async def goods(request: Request) -> Display:
    """Describe the shop. It looks at no session, so it is there while the session store is not."""
    return display(time_moves=request.app.state.time_moves)


def display(*, time_moves: bool) -> Display:
    """Return what everybody may see."""
    return Display(
        products=[Goods(**asdict(product)) for product in CATALOGUE.values()],
        accounts=DEMO_PASSWORDS,
        time_moves=time_moves,
    )


@router.get("/storefront")
async def storefront(session: CurrentSession, login_is_over: LoginIsOver) -> Visit:
    """Describe who is asking."""
    return Visit(cart=show(session), login_is_over=login_is_over)
