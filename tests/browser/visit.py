"""A person in front of the shop's page: what they can do there, and what is noted meanwhile."""

import re
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Cookie,
    Error,
    Locator,
    Response,
    expect,
)

from examples.shop.browser import SAFARI
from examples.shop.served_by import HEADER
from examples.shop.users import DEMO_PASSWORDS

DESK: dict[str, Any] = {"viewport": {"width": 1360, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "user_agent": SAFARI,
    "is_mobile": True,
    "has_touch": True,
}
# What Chromium itself reports of answers that the page expects and deals with.
EXPECTED = re.compile(r"the server responded with a status of 40[13]")


PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


class Answer(NamedTuple):
    """What came back for one request of the page; `server` is "-" where none says its name."""

    request: str
    status: int
    server: str


class Tab:
    """One page of the shop. Its methods return when the page has shown what came of them."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.answers: list[Answer] = []
        self.problems: list[str] = []
        self.page = context.new_page()
        self.page.on("response", self._note)
        self.page.on("console", self._hear)
        self.page.on("pageerror", self._fail)
        self.page.goto(url)
        expect(self.goods).to_have_count(8)

    @property
    def goods(self) -> Locator:
        return self.page.locator("#goods > li")

    @property
    def count(self) -> Locator:
        """The number of things in the cart."""
        return self.page.locator("#count")

    @property
    def who(self) -> Locator:
        return self.page.locator("#who")

    @property
    def timer(self) -> Locator:
        return self.page.get_by_role("timer")

    @property
    def form(self) -> Locator:
        """The login form."""
        return self.page.get_by_role("dialog", name="Log in")

    @property
    def reason(self) -> Locator:
        """Why the login form is there, or what was wrong with what it sent."""
        return self.form.get_by_role("alert")

    @property
    def confirmation(self) -> Locator:
        """The form that asks for a code."""
        return self.page.get_by_role("dialog", name="Is it you?")

    def confirm(self) -> None:
        """Give a code of the authenticator app to the form that asks for one."""
        expect(self.confirmation).to_be_visible()
        with self.page.expect_response("**/demo/code") as given:
            self.click("Fill in a code", within=self.confirmation)
        code = given.value.json()["code"]
        expect(self.confirmation.get_by_label("Code")).to_have_value(code)
        self.click("Confirm", within=self.confirmation)
        expect(self.confirmation).to_be_hidden()

    @property
    def devices(self) -> Locator:
        return self.page.locator("#device-list > li")

    @property
    def refusals(self) -> list[str]:
        """The requests that were refused, as far as that was noted."""
        return [answer.request for answer in self.answers if answer.status >= 400]

    def refused(self, *requests: str) -> bool:
        """Tell whether just these were; the page may be done before the last one is noted."""
        deadline = time.monotonic() + PATIENCE / 1_000
        while len(self.refusals) < len(requests) and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        return self.refusals == list(requests)

    def click(self, name: str, *, within: Locator | None = None) -> None:
        (within or self.page).get_by_role("button", name=name, exact=True).click()

    def put_in(self, product: str) -> Answer:
        """Put one of `product` into the cart; return the answer to that."""
        before = int(self.count.inner_text())
        last = "/devices" if self.who.is_visible() else "/cart/items"
        with self.page.expect_response(f"**{last}"):
            self.click(f"Add {product} to the cart")
        expect(self.count).to_have_text(str(before + 1))
        return next(a for a in reversed(self.answers) if a.request == "POST /cart/items")

    def fill_in(self, password: str, user: str = "alice") -> None:
        """Fill the login form in, and send it."""
        self.form.get_by_label("User name").fill(user)
        self.form.get_by_label("Password", exact=True).fill(password)
        self.click("Log in", within=self.form)

    def log_in(self, user: str = "alice") -> None:
        """Log in, through the form that is there or is then opened."""
        if not self.form.is_visible():
            self.click("Log in")
        self.fill_in(DEMO_PASSWORDS[user], user)
        expect(self.form).to_be_hidden()
        expect(self.who).to_have_text(f"Hello, {user}")
        expect(self.devices).not_to_have_count(0)

    def let_pass(self, minutes: int) -> None:
        """Move the shop's time on by the page's own button: 10, 29 or 31 minutes."""
        with self.page.expect_response(_is_last_of_refresh):
            self.click(f"{minutes} min")

    def reload(self) -> None:
        self.page.reload()
        expect(self.goods).to_have_count(8)

    def _note(self, response: Response) -> None:
        self.answers.append(_answer(response))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not EXPECTED.search(message.text):
            self.problems.append(message.text)

    def _fail(self, error: Error) -> None:
        self.problems.append(str(error))


class Visitor:
    """One person's browser, with a cookie jar of its own; at first with one tab."""

    def __init__(self, chromium: Browser, url: str, options: dict[str, Any]) -> None:
        self.context = chromium.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self._url = url
        self.tabs: list[Tab] = []

    def open_tab(self) -> Tab:
        tab = Tab(self.context, self._url)
        self.tabs.append(tab)
        return tab

    @property
    def cookies(self) -> dict[str, Cookie]:
        """What lies in the jar, by name."""
        return {cookie.get("name", ""): cookie for cookie in self.context.cookies()}


class Album:
    """Screenshots of the page's main states."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, tab: Tab, name: str) -> None:
        """Write `<name>.png`: what the window shows, with animations at their end."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tab.page.screenshot(path=self._folder / f"{name}.png", animations="disabled")


def _is_last_of_refresh(response: Response) -> bool:
    """Say whether the page, which asks for itself and then for its devices, is done with that."""
    path = urlsplit(response.url).path
    return path == "/devices" or (path == "/me" and not response.ok)


def _answer(response: Response) -> Answer:
    path = urlsplit(response.url).path
    server = response.headers.get(HEADER.lower(), "-")
    return Answer(f"{response.request.method} {path}", response.status, server)
