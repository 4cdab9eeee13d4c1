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


class Storefront(BaseModel):
    """The shop as the caller finds it; for a mere visitor nothing is stored.

    `login_is_over` tells a caller whose login expired or was ended from one who never had any.
    """

    products: list[Goods]
    accounts: dict[str, str]
    cart: Cart
    login_is_over: bool
    time_moves: bool


@router.get("/storefront")
async def storefront(
    request: Request, session: CurrentSession, login_is_over: LoginIsOver
) -> Storefront:
    """Describe the shop."""
    return Storefront(
        products=[Goods(**asdict(product)) for product in CATALOGUE.values()],
        accounts=DEMO_PASSWORDS,
        cart=show(session),
        login_is_over=login_is_over,
        time_moves=request.app.state.time_moves,
    )
