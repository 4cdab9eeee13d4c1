"""The shop's routes once more, for frameworks that block: Flask and Django lead requests here.

A route is a function of the call; what it returns becomes JSON. What belongs to no framework, such
as pricing a cart, is that of the FastAPI shop's own files.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from coatcheck import BlockingSessions, Session
from coatcheck.errors import Unauthenticated
from coatcheck.tokens import Issuer
from examples.shop import access, account, answers, cart, devices, profiles, step_up, storefront
from examples.shop.clock import ShopClock
from examples.shop.time_machine import Move
from examples.shop.users import check_password


class Call(NamedTuple):
    """A request to a route.

    Attributes:
        get: returns the session; whoever does not ask needs no store.
        everyone: all sessions.
        name: of this server.
        clock: moves the shop's time, where that is possible.
        issuer: of access tokens.
    """

    get: Callable[[], Session]
    body: bytes
    everyone: BlockingSessions
    name: str
    clock: ShopClock | None
    issuer: Issuer


class Reply(NamedTuple):
    """A status, and JSON."""

    status: int
    json: bytes


_Route = Callable[[Call, str], object]


def answer(method: str, path: str, call: Call) -> Reply:
    """Answer a request.

    Raises:
        CoatcheckError: an error of the session, which the adapter answers.
    """
    for wanted, pattern, route in _ROUTES:
        if method == wanted and (found := re.fullmatch(pattern, path)):
            try:
                return Reply(200, _ANYTHING.dump_json(route(call, found.group(1))))
            except HTTPException as error:
                return Reply(error.status_code, _error(error.detail))
            except ValidationError as error:
                wrong = {".".join(map(str, each["loc"])) or "body" for each in error.errors()}
                return Reply(422, _error(answers.please_check(sorted(wrong))))
    return Reply(404, _error("Not Found"))


def _error(sentence: str) -> bytes:
    return _ANYTHING.dump_json({"error": sentence})


_ANYTHING: TypeAdapter[object] = TypeAdapter(object)


def _health(_: Call, __: str) -> object:
    return {"status": "ok"}


def _login(call: Call, _: str) -> object:
    wanted = account.Credentials.model_validate_json(call.body)
    if not check_password(wanted.username, wanted.password):
        raise HTTPException(401, "wrong user name or password")
    call.get().sign_in(wanted.username)
    return account.Greeting(message=f"welcome, {wanted.username}")


def _me(call: Call, _: str) -> object:
    return account.describe(call.get(), call.name, _now(call))


def _now(call: Call) -> datetime:
    if call.clock is None:
        return datetime.now(UTC)
    return datetime.fromtimestamp(call.clock() / 1000, UTC)


def _logout(call: Call, _: str) -> object:
    call.get().end()
    return account.Greeting(message="you are logged out")


def _cart(call: Call, _: str) -> object:
    session = _not_over(call)
    if session.subject is None and "cart" not in session:
        raise Unauthenticated
    return cart.show(session)


def _add(call: Call, _: str) -> object:
    session, addition = _not_over(call), cart.Addition.model_validate_json(call.body)
    cart.must_sell(addition.product_id)
    session.edit(cart.adding(str(addition.product_id), addition.quantity))
    call.everyone.commit(session)  # so that the answer shows what others have put in meanwhile
    return cart.show(session)


def _change(call: Call, product: str) -> object:
    session, amount = _not_over(call), cart.Amount.model_validate_json(call.body)
    cart.must_sell(int(product))
    session.setdefault("cart", {})[product] = amount.quantity
    return cart.show(session)


def _remove(call: Call, product: str) -> object:
    session = _not_over(call)
    session.get("cart", {}).pop(product, None)
    return cart.show(session)


def _devices(call: Call, _: str) -> object:
    session = call.get()
    return devices.show(call.everyone.list(session.require_subject()), session.id)


def _end(call: Call, id: str) -> object:
    session = call.get()
    subject = session.require_subject()
    if id == session.id:
        session.end()
        return devices.Ended(ended=1)
    session.require(max_age=devices.RECENTLY)
    if not call.everyone.end(id, subject=subject):
        raise HTTPException(404, "no such device")
    return devices.Ended(ended=1)


def _end_others(call: Call, _: str) -> object:
    session = call.get()
    subject = session.require(max_age=devices.RECENTLY)
    return devices.Ended(ended=call.everyone.end_all(subject, keep=session))


def _confirm(call: Call, _: str) -> object:
    confirmation = step_up.Confirmation.model_validate_json(call.body)
    return step_up.confirmed(call.get(), confirmation.code, _now(call).timestamp())


def _change_email(call: Call, _: str) -> object:
    subject = call.get().require(level=2, max_age="5m")
    email = step_up.Email.model_validate_json(call.body)
    profiles.change_email(subject, email.email)
    return email


def _show_email(call: Call, _: str) -> object:
    return step_up.Email(email=profiles.email(call.get().require_subject()))


def _order(call: Call, _: str) -> object:
    return step_up.ordered(_not_over(call))


def _code(call: Call, _: str) -> object:
    subject = call.get().require_subject()
    return step_up.Code(code=profiles.shown(subject, _now(call).timestamp()))


def _token(call: Call, _: str) -> object:
    return access.issued(call.issuer, call.get())


def _jwks(call: Call, _: str) -> object:
    return call.issuer.keys.jwks()


def _goods(call: Call, _: str) -> object:
    return storefront.display(time_moves=call.clock is not None)


def _storefront(call: Call, _: str) -> object:
    session = call.get()
    return storefront.Visit(cart=cart.show(session), login_is_over=session.is_over)


def _move(call: Call, _: str) -> object:
    if call.clock is None:
        raise HTTPException(404, "Not Found")
    move = Move.model_validate_json(call.body)
    call.clock.advance(timedelta(minutes=move.minutes))
    return {"message": f"{move.minutes} minutes have passed"}


def _not_over(call: Call) -> Session:
    session = call.get()
    if session.is_over:
        raise Unauthenticated("the login that this request came with is over")
    return session


_ROUTES: Final[tuple[tuple[str, str, _Route], ...]] = (
    ("GET", "/health()", _health),
    ("POST", "/login()", _login),
    ("GET", "/me()", _me),
    ("POST", "/logout()", _logout),
    ("GET", "/cart()", _cart),
    ("POST", "/cart/items()", _add),
    ("PUT", "/cart/items/([0-9]+)", _change),
    ("DELETE", "/cart/items/([0-9]+)", _remove),
    ("GET", "/devices()", _devices),
    ("POST", "/devices/end-others()", _end_others),
    ("DELETE", "/devices/([^/]+)", _end),
    ("POST", "/step-up()", _confirm),
    ("GET", "/email()", _show_email),
    ("PUT", "/email()", _change_email),
    ("POST", "/orders()", _order),
    ("POST", "/token()", _token),
    ("GET", r"/\.well-known/jwks\.json()", _jwks),
    ("GET", "/demo/code()", _code),
    ("GET", "/goods()", _goods),
    ("GET", "/storefront()", _storefront),
    ("POST", "/demo/clock()", _move),
)
