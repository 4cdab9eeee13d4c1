"""The shop's page in a real browser: what a person sees while three servers keep one session."""

import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
from playwright.sync_api import expect

from examples.shop.browser import SIGNED_IN
from examples.shop.clock import ShopClock
from examples.shop.fleet import Fleet
from tests.browser.conftest import Welcome
from tests.browser.visit import PHONE, Album

EXPIRED = "session expired, please log in again"
FULL_TIME = re.compile(r"^(30:00|29:\d\d)$")


def test_a_visitor_gets_a_cookie_with_the_first_thing_in_the_cart_and_not_before(
    welcome: Welcome, album: Album
) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    expect(tab.page.get_by_role("heading", name="Just looking")).to_be_visible()
    tab.reload()
    assert visitor.cookies == {}
    tab.put_in("Felt hat")
    assert visitor.cookies.keys() == {"anon"}
    album.keep(tab, "visitor")
    assert tab.refusals == []


def test_no_script_can_read_a_cookie(welcome: Welcome) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    tab.put_in("Felt hat")
    tab.log_in()
    assert SIGNED_IN in visitor.cookies
    assert tab.page.evaluate("document.cookie") == ""
    for cookie in visitor.cookies.values():
        assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Strict")


def test_a_wrong_password_changes_nothing_and_a_login_takes_the_cart_along(
    welcome: Welcome,
) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    tab.put_in("Felt hat")
    tab.click("Log in")
    tab.fill_in("guess")
    expect(tab.reason).to_have_text("wrong user name or password")
    assert SIGNED_IN not in visitor.cookies
    expect(tab.count).to_have_text("1")
    tab.log_in()
    assert SIGNED_IN in visitor.cookies
    expect(tab.page.locator("#cart-lines")).to_contain_text("Felt hat")
    expect(tab.count).to_have_text("1")
    assert tab.refused("POST /login"), tab.answers


def test_three_servers_fill_one_cart_and_a_reload_finds_all_of_it(
    welcome: Welcome, fleet: Fleet
) -> None:
    tab = welcome().open_tab()
    tab.log_in()
    handle = tab.page.locator("#handle").inner_text()
    servers: set[str] = set()
    products = ("Enamel mug", "Lambswool scarf", "Storm lantern")
    for product in (*products, *products):  # what the page asks for by itself takes turns as well
        servers.add(tab.put_in(product).server)
        httpx2.get(fleet.url + "/health")  # others use the shop too
    assert servers == fleet.servers.keys()
    tab.reload()
    expect(tab.who).to_have_text("Hello, alice")
    expect(tab.page.locator("#cart-lines > li")).to_contain_text(
        ["Enamel mug", "Lambswool scarf", "Storm lantern"]
    )
    expect(tab.page.locator("#handle")).to_have_text(handle)
    expect(tab.devices).to_have_count(1)
    assert tab.refusals == []


def test_activity_starts_the_countdown_anew_and_31_idle_minutes_end_in_the_login_form(
    welcome: Welcome, album: Album
) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    tab.log_in()
    tab.put_in("Felt hat")
    for _ in range(2):
        tab.let_pass(29)
        expect(tab.timer).to_have_text(FULL_TIME)
        expect(tab.who).to_have_text("Hello, alice")
        expect(tab.count).to_have_text("1")
    assert tab.refusals == []
    tab.let_pass(31)
    expect(tab.reason).to_have_text(EXPIRED)
    expect(tab.who).to_be_hidden()
    assert visitor.cookies == {}
    album.keep(tab, "expired")
    tab.log_in()
    expect(tab.timer).to_have_text(FULL_TIME)
    assert tab.refused("GET /me"), tab.answers


def test_a_click_after_too_long_fills_no_visitors_cart_unnoticed(
    welcome: Welcome, shop_clock: ShopClock
) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    tab.log_in()
    shop_clock.advance(timedelta(minutes=31))
    tab.click("Add Felt hat to the cart")
    expect(tab.reason).to_have_text(EXPIRED)
    assert visitor.cookies == {}
    assert tab.refused("POST /cart/items"), tab.answers


def test_a_reload_after_too_long_says_so_once(welcome: Welcome, shop_clock: ShopClock) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    tab.log_in()
    shop_clock.advance(timedelta(minutes=31))
    tab.reload()
    expect(tab.reason).to_have_text(EXPIRED)
    assert visitor.cookies == {}
    tab.reload()
    expect(tab.page.get_by_role("heading", name="Just looking")).to_be_visible()
    expect(tab.form).to_be_hidden()


def test_the_page_notices_by_itself_that_the_time_is_up(
    welcome: Welcome, shop_clock: ShopClock
) -> None:
    visitor = welcome()
    visitor.context.clock.install()
    tab = visitor.open_tab()
    tab.log_in()
    shop_clock.advance(timedelta(minutes=31))
    visitor.context.clock.fast_forward("31:00")
    expect(tab.reason).to_have_text(EXPIRED)
    assert visitor.cookies == {}


def test_a_phone_and_a_laptop_see_each_other_and_one_ends_the_other(
    welcome: Welcome, album: Album
) -> None:
    laptop, phone = welcome().open_tab(), welcome(PHONE).open_tab()
    phone.log_in()
    laptop.put_in("Felt hat")
    laptop.put_in("Lambswool scarf")
    laptop.log_in()
    laptop.let_pass(10)
    expect(laptop.devices).to_contain_text(["This device", "Safari on iPhone"])
    expect(laptop.devices.last).to_contain_text("seen 10 min ago")
    phone.reload()
    expect(phone.devices).to_contain_text(["This device", "Chrome on Linux"])
    album.keep(laptop, "shop")
    album.keep(phone, "phone")
    laptop.click("End all others")
    expect(laptop.devices).to_contain_text(["This device"])
    expect(phone.form).to_be_hidden()
    phone.click("Add Felt hat to the cart")
    expect(phone.reason).to_have_text(EXPIRED)
    expect(laptop.who).to_have_text("Hello, alice")
    phone.log_in()
    assert phone.refused("POST /cart/items"), phone.answers
    assert laptop.refusals == []


def test_a_large_order_asks_for_a_code_and_then_goes_through(
    welcome: Welcome, album: Album
) -> None:
    visitor = welcome()
    tab = visitor.open_tab()
    tab.log_in()
    tab.put_in("Enamel mug")
    tab.click("Order")
    expect(tab.page.get_by_role("alert")).to_contain_text("ordered for 16.00 euros")
    expect(tab.count).to_have_text("0")
    tab.put_in("Waxed rain coat")
    before = visitor.cookies[SIGNED_IN].get("value")
    tab.click("Order")
    expect(tab.confirmation).to_be_visible()
    tab.confirmation.get_by_label("Code").fill("000000")
    tab.click("Confirm", within=tab.confirmation)
    expect(tab.confirmation.get_by_role("alert")).to_contain_text("this code is wrong")
    album.keep(tab, "confirm")
    expect(tab.count).to_have_text("1")
    tab.confirm()
    expect(tab.page.get_by_role("alert")).to_contain_text("ordered for 149.00 euros")
    expect(tab.count).to_have_text("0")
    expect(tab.who).to_have_text("Hello, alice")
    assert visitor.cookies[SIGNED_IN].get("value") != before
    assert tab.refused("POST /orders", "POST /step-up"), tab.answers


def test_a_new_address_asks_for_a_code_once_in_five_minutes(welcome: Welcome) -> None:
    tab = welcome().open_tab()
    tab.log_in("bob")
    address = tab.page.get_by_label("E-mail address")
    expect(address).to_have_value(re.compile("^bob"))
    for number in (1, 2):
        address.fill(f"bob{number}@home.example")
        tab.click("Change")
        if number == 1:
            tab.confirm()
        expect(tab.page.get_by_role("alert")).to_contain_text(f"bob{number}@home.example")
    tab.let_pass(10)
    address.fill("mallory@evil.example")
    tab.click("Change")
    expect(tab.confirmation).to_be_visible()
    tab.click("Close", within=tab.confirmation)
    tab.reload()
    expect(address).to_have_value("bob2@home.example")
    assert tab.refused("PUT /email", "PUT /email"), tab.answers


def test_ending_other_devices_asks_for_a_code_when_the_login_is_old(welcome: Welcome) -> None:
    laptop, phone = welcome().open_tab(), welcome(PHONE).open_tab()
    laptop.log_in()
    laptop.let_pass(29)
    phone.log_in()
    laptop.reload()
    expect(laptop.devices).to_have_count(2)
    laptop.click("End all others")
    expect(laptop.confirmation).to_be_visible()
    phone.reload()
    expect(phone.who).to_have_text("Hello, alice")
    laptop.confirm()
    expect(laptop.devices).to_have_count(1)
    phone.reload()
    expect(phone.reason).to_have_text(EXPIRED)
    assert laptop.refused("POST /devices/end-others"), laptop.answers


def test_a_copy_of_the_cookie_is_dead_after_the_logout(welcome: Welcome, fleet: Fleet) -> None:
    visitor, thief = welcome(), welcome()
    tab = visitor.open_tab()
    tab.log_in()
    copied = visitor.cookies[SIGNED_IN].get("value", "")
    tab.click("Log out")
    expect(tab.page.get_by_role("alert")).to_contain_text("no copy of your cookie works any more")
    assert SIGNED_IN not in visitor.cookies
    thief.context.add_cookies([{"name": SIGNED_IN, "value": copied, "url": fleet.url}])
    expect(thief.open_tab().reason).to_have_text(EXPIRED)
    for _ in fleet.servers:
        assert thief.context.request.get(fleet.url + "/me").status == 401


def test_a_logout_in_one_tab_sends_the_other_to_the_login_form_and_a_login_takes_both_in(
    welcome: Welcome,
) -> None:
    visitor = welcome()
    one = visitor.open_tab()
    one.log_in()
    other = visitor.open_tab()
    expect(other.devices).to_have_count(1)  # for which it asks last
    expect(other.who).to_have_text("Hello, alice")
    one.click("Log out")
    expect(other.reason).to_have_text("you were logged out in another tab")
    expect(other.who).to_be_hidden()
    one.log_in("bob")
    expect(other.form).to_be_hidden()
    expect(other.who).to_have_text("Hello, bob")
    assert one.refusals + other.refusals == []


@contextmanager
def another_site(page: str) -> Generator[str]:
    """Serve a page on a free port of this machine, from a thread; give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/free-hats"
        server.shutdown()
        thread.join()


def test_a_page_of_another_origin_logs_nobody_out(welcome: Welcome, fleet: Fleet) -> None:
    """R-037, on the servers of three frameworks. Its port is another, so our cookies go along."""
    visitor = welcome()
    tab = visitor.open_tab()
    tab.log_in()
    form = f'<form method="post" action="{fleet.url}/logout"><button>Free hats</button></form>'
    with another_site(form) as evil:
        for _ in fleet.servers:
            trap = visitor.context.new_page()
            trap.goto(evil)
            with trap.expect_response("**/logout") as sent:
                trap.get_by_role("button").click()
            assert sent.value.status == 403
            trap.close()
    tab.reload()
    expect(tab.who).to_have_text("Hello, alice")
