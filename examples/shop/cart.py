"""The cart: product numbers and quantities in the session, names and prices from the catalogue."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from coatcheck.errors import Unauthenticated
from examples.shop.catalogue import CATALOGUE
from examples.shop.context import CurrentSession, Everyone, not_over

MOST: Final = 99  # of one product

router = APIRouter(prefix="/cart", dependencies=[Depends(not_over)])

Quantity = Annotated[int, Field(ge=1, le=MOST)]


class Addition(BaseModel):
    """So many more of a product."""

    product_id: int
    quantity: Quantity = 1


class Amount(BaseModel):
    """So many of a product, whatever was there before."""

    quantity: Quantity


class Line(BaseModel):
    """One product in the cart; money in euro cents."""

    product_id: int
    name: str
    quantity: int
    price: int
    total: int


class Cart(BaseModel):
    """The whole cart, and whose it is: None for a visitor."""

    subject: str | None
    items: list[Line]
    total: int


@router.get("")
async def view(session: CurrentSession) -> Cart:
    """Show the cart of who is signed in, or of a visitor who has put something in; else 401."""
    if session.subject is None and "cart" not in session:
        raise Unauthenticated
    return show(session)


@router.post("/items")
async def add(addition: Addition, session: CurrentSession, everyone: Everyone) -> Cart:
    """Put things in. Two clicks at once add up: `edit` runs again on what the other has saved."""
    must_sell(addition.product_id)
    session.edit(adding(str(addition.product_id), addition.quantity))
    # The middleware would save it just the same. Saved here, the answer shows what others, such as
    # a second tab, have put in meanwhile.
    await everyone.commit(session)
    return show(session)


@router.put("/items/{product_id}")
async def change(product_id: int, amount: Amount, session: CurrentSession) -> Cart:
    """Set how many; the later of two changes to one product wins, so plain assignment is right."""
    must_sell(product_id)
    session.setdefault("cart", {})[str(product_id)] = amount.quantity
    return show(session)


@router.delete("/items/{product_id}")
async def remove(product_id: int, session: CurrentSession) -> Cart:
    """Take a product out; what is not in the cart is gone already."""
    session.get("cart", {}).pop(str(product_id), None)
    return show(session)


def show(session: CurrentSession) -> Cart:
    """Return the cart as it stands in `session`, priced."""
    lines = [_line(int(key), quantity) for key, quantity in session.get("cart", {}).items()]
    return Cart(subject=session.subject, items=lines, total=sum(line.total for line in lines))


def _line(product_id: int, quantity: int) -> Line:
    product = CATALOGUE[product_id]
    return Line(
        product_id=product_id,
        name=product.name,
        quantity=quantity,
        price=product.price,
        total=quantity * product.price,
    )


def adding(key: str, quantity: int) -> Callable[[dict[str, Any]], None]:
    """Return the edit that puts so many more of a product in."""

    def put_in(data: dict[str, Any]) -> None:
        cart = data.setdefault("cart", {})
        cart[key] = min(MOST, cart.get(key, 0) + quantity)

    return put_in


def must_sell(product_id: int) -> None:
    """Refuse what the shop does not have."""
    if product_id not in CATALOGUE:
        raise HTTPException(404, "the shop has no such product")
