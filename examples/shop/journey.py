"""What the walk-through does, chapter by chapter, and what must come back each time."""

from datetime import timedelta
from typing import Final

from examples.shop.browser import SAFARI, Answer, Browser
from examples.shop.clock import ShopClock
from examples.shop.fleet import Fleet
from examples.shop.report import Report
from examples.shop.users import DEMO_PASSWORDS

EXPIRED: Final = "session expired, please log in again"
CHALLENGE: Final = (
    'Cookie error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
)
NOT_ACCEPTED: Final = "the access token is not accepted, please get another one"
REFUSED: Final = {"error": NOT_ACCEPTED}
NEW_ADDRESS: Final = {"email": "alice@home.example"}
MUG: Final = 456
SCARF: Final = 452
AT_ONCE: Final = 8


class Journey:
    """One walk through the shop on `fleet`; each chapter goes on where the one before ended."""

    def __init__(self, fleet: Fleet, clock: ShopClock, report: Report) -> None:
        self._fleet = fleet
        self._clock = clock
        self._report = report
        self._laptop = Browser(fleet.url)
        self._phone = Browser(fleet.url, SAFARI)

    def walk(self) -> None:
        """Walk every chapter."""
        with self._laptop, self._phone:
            self._log_in()
            self._idle()
            self._add_at_once()
            self._use_two_devices()
            self._ask_elsewhere()
            self._confirm()
            self._log_out()

    def _log_in(self) -> None:
        """A visitor costs nothing; a login on one server is known to all."""
        self._report.chapter("Log in on one server, shop on the others")
        health = self._laptop.ask("GET", "/health")
        self._expect(health, 200, {"no cookie is set": not health.set_cookies})
        wrong = self._laptop.ask("POST", "/login", {"username": "alice", "password": "guess"})
        self._expect(wrong, 401, {"no cookie is set": not wrong.set_cookies})
        login = self._sign_in(self._laptop)
        added = self._laptop.ask("POST", "/cart/items", {"product_id": MUG, "quantity": 2})
        self._expect(added, 200, {"the cart holds two mugs": quantities(added) == {MUG: 2}})
        viewed = self._laptop.ask("GET", "/cart")
        servers = {login.server, added.server, viewed.server}
        facts = {
            "the cart holds two mugs": quantities(viewed) == {MUG: 2},
            "three different servers answered": len(servers) == len(self._fleet.servers),
        }
        self._expect(viewed, 200, facts)

    def _idle(self) -> None:
        """Activity restarts the idle time; without any, the session is over and says so."""
        self._report.chapter("Stay for a while, then stay away for too long")
        for _ in range(2):
            self._let_pass(29)
            viewed = self._laptop.ask("GET", "/cart")
            self._expect(viewed, 200, {"the cart is still there": quantities(viewed) == {MUG: 2}})
        self._let_pass(31)
        expired = self._laptop.ask("GET", "/cart")
        facts = {
            f"the answer is: {EXPIRED}": expired.fields == {"error": EXPIRED},
            "the cookie is deleted": expired.deletes_cookie,
            "the browser has no cookie left": self._laptop.cookie is None,
        }
        self._expect(expired, 401, facts)

    def _add_at_once(self) -> None:
        """Requests of one session at the same time, on all servers: none is lost."""
        self._report.chapter(f"Log in again; {AT_ONCE} requests at once add one mug each")
        self._sign_in(self._laptop)
        body = {"product_id": MUG, "quantity": 1}
        answers = self._laptop.ask_at_once(AT_ONCE, "POST", "/cart/items", body)
        for number, answer in enumerate(sorted(answers, key=mugs), 1):
            self._expect(answer, 200, {f"the cart holds {number} so far": mugs(answer) == number})
        viewed = self._laptop.ask("GET", "/cart")
        facts = {f"the cart holds {AT_ONCE} mugs": quantities(viewed) == {MUG: AT_ONCE}}
        self._expect(viewed, 200, facts)

    def _use_two_devices(self) -> None:
        """A visitor's cart moves into the login; one device ends the other."""
        self._report.chapter("A phone fills a cart and logs in; the laptop ends it")
        added = self._phone.ask("POST", "/cart/items", {"product_id": SCARF, "quantity": 1})
        self._expect(added, 200, {"a visitor has a cart": quantities(added) == {SCARF: 1}})
        self._sign_in(self._phone)
        moved = self._phone.ask("GET", "/cart")
        self._expect(moved, 200, {"the scarf moved along": quantities(moved) == {SCARF: 1}})
        devices = self._laptop.ask("GET", "/devices")
        self._expect(devices, 200, {"there are two devices": len(devices.items) == 2})
        ended = self._laptop.ask("POST", "/devices/end-others")
        self._expect(ended, 200, {"one was ended": ended.fields == {"ended": 1}})
        dead = self._phone.ask("GET", "/cart")
        self._expect(dead, 401, {f"the answer is: {EXPIRED}": dead.fields == {"error": EXPIRED}})

    def _ask_elsewhere(self) -> None:
        """A service that has no store knows who it is by a token, for five minutes."""
        self._report.chapter("A service without the store takes a token that the shop issues")
        with Browser(self._fleet.parcels) as app:
            refused = app.ask("GET", "/parcels")
            self._expect(refused, 401, {"a token is asked for": refused.challenge == "Bearer"})
            issued = self._laptop.ask("POST", "/token")
            self._expect(issued, 200, {"for five minutes": issued.fields["expires_in"] == 300})
            token = issued.fields["access_token"]
            shown = app.ask("GET", "/parcels", bearer=token)
            self._expect(shown, 200, {"it is alice's": "alice" in shown.fields["message"]})
            self._let_pass(6)
            late = app.ask("GET", "/parcels", bearer=token)
            self._expect(late, 401, {f"the answer is: {NOT_ACCEPTED}": late.fields == REFUSED})
        viewed = self._laptop.ask("GET", "/cart")
        self._expect(viewed, 200, {"the session goes on": quantities(viewed) == {MUG: AT_ONCE}})

    def _confirm(self) -> None:
        """What is sensitive asks for a second factor, once in a while and on each device."""
        self._report.chapter("A large order and a new address ask for a code of the app")
        refused = self._laptop.ask("POST", "/orders")
        self._expect(
            refused, 401, {f"the challenge is: {CHALLENGE}": refused.challenge == CHALLENGE}
        )
        viewed = self._laptop.ask("GET", "/cart")
        self._expect(viewed, 200, {"nobody was logged out": quantities(viewed) == {MUG: AT_ONCE}})
        old = self._laptop.cookie
        code = self._laptop.ask("GET", "/demo/code").fields["code"]
        confirmed = self._laptop.ask("POST", "/step-up", {"code": code})
        facts = {
            "the cookie is another": self._laptop.cookie not in (None, old),
            "one session cookie is set": len(confirmed.session_cookies) == 1,
        }
        self._expect(confirmed, 200, facts)
        replayed = self._laptop.ask("POST", "/step-up", {"code": code})
        self._expect(replayed, 403, {"a code counts once": not replayed.set_cookies})
        ordered = self._laptop.ask("POST", "/orders")
        self._expect(ordered, 200, {"there is a message": "message" in ordered.fields})
        changed = self._laptop.ask("PUT", "/email", {"email": "alice@home.example"})
        self._expect(changed, 200, {"the address is new": changed.fields == NEW_ADDRESS})
        self._let_pass(6)
        late = self._laptop.ask("PUT", "/email", {"email": "mallory@evil.example"})
        self._expect(late, 401, {f"the challenge is: {CHALLENGE}": late.challenge == CHALLENGE})
        kept = self._laptop.ask("GET", "/email")
        self._expect(kept, 200, {"the address is as it was": kept.fields == NEW_ADDRESS})

    def _log_out(self) -> None:
        """Logging out ends the session on the server: a copied cookie is dead everywhere."""
        self._report.chapter("Copy the cookie, log out, try the copy straight at each server")
        copied = self._laptop.cookie
        logout = self._laptop.ask("POST", "/logout")
        self._expect(logout, 200, {"the cookie is deleted": logout.deletes_cookie})
        for name, url in self._fleet.servers.items():
            with Browser(url) as thief:
                thief.steal(copied)
                refused = thief.ask("GET", "/cart")
                self._expect(refused, 401, {f"server {name} answered": refused.server == name})
        again = self._laptop.ask("POST", "/logout")
        self._expect(again, 200, {"no cookie is set": not again.set_cookies})

    def _sign_in(self, browser: Browser) -> Answer:
        credentials = {"username": "alice", "password": DEMO_PASSWORDS["alice"]}
        login = browser.ask("POST", "/login", credentials)
        facts = {
            "one session cookie is set": len(login.session_cookies) == 1,
            "there is a message": "message" in login.fields,
        }
        self._expect(login, 200, facts)
        return login

    def _let_pass(self, minutes: int) -> None:
        time = timedelta(minutes=minutes)
        self._clock.advance(time)
        self._report.passed(time)

    def _expect(self, answer: Answer, status: int, facts: dict[str, bool]) -> None:
        self._report.step(answer, {f"status {status}": answer.status == status} | facts)


def mugs(answer: Answer) -> int:
    """Return how many mugs an answered cart holds."""
    return quantities(answer).get(MUG, 0)


def quantities(answer: Answer) -> dict[int, int]:
    """Return product number -> quantity of an answered cart; empty if there is none."""
    return {line["product_id"]: line["quantity"] for line in answer.fields.get("items", [])}
