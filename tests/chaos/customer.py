"""Traffic: customers who know what was acknowledged."""

import asyncio
import itertools
from collections.abc import Callable

from tests.chaos.shop import Answer, Shop


def is_unavailable(answer: Answer) -> bool:
    return answer.status == 503 and "retry-after" in answer.headers and not answer.cookies


class Customer:
    """Signs in, and then changes its session again and again until told to stop.

    Beside it, in another browser, it signs in and out now and then.

    Args:
        now_and_then: after how many turns.

    Attributes:
        answers: to what it did in its session.
        left: cookies of sessions whose end was acknowledged.
        unsure: how many changes were not acknowledged, and may have been made.
        stuck: how many sessions there may be beside its own, as their end was not acknowledged.
    """

    def __init__(self, shop: Shop, name: str, now_and_then: int = 8) -> None:
        self._shop, self.name, self._now_and_then = shop, name, now_and_then
        self.cookie = ""
        self.answers: list[Answer] = []
        self.left: list[str] = []
        self.acknowledged = self.unsure = self.stuck = 0

    async def sign_in(self) -> None:
        self.cookie = (await self._shop.send(f"/login/{self.name}")).cookie

    async def shop_until(self, over: asyncio.Event) -> None:
        for turn in itertools.count():
            if over.is_set():
                return
            if turn % self._now_and_then == 0:
                await self._come_and_go()
            for path in ("/count", "/read", "/ping"):
                answer = await self._shop.send(path, self.cookie)
                self.answers.append(answer)
                if path == "/ping":
                    assert answer.status == 200
                elif path == "/count":
                    self.acknowledged += answer.status == 200
                    self.unsure += answer.status != 200
                elif answer.status == 200:
                    assert answer.body["subject"] == self.name

    async def _come_and_go(self) -> None:
        self.stuck += 1
        login = await self._shop.send(f"/login/{self.name}-elsewhere")
        if login.status != 200:
            assert is_unavailable(login)
            return
        logout = await self._shop.send("/logout", login.cookie)
        if logout.status != 200:
            assert is_unavailable(logout)
            return
        self.left.append(login.cookie)
        self.stuck -= 1

    async def check(self, shop: Shop | None = None) -> None:
        """Nothing acknowledged is missing, and nobody who left is back.

        What was not acknowledged may be there.

        Args:
            shop: another one with the same store, to look from there.
        """
        shop = shop or self._shop
        answer = await shop.send("/read", self.cookie)
        assert answer.body["subject"] == self.name
        count = answer.body["data"].get("count", 0)
        assert self.acknowledged <= count <= self.acknowledged + self.unsure
        for cookie in self.left[-50:]:
            assert (await shop.send("/read", cookie)).body["subject"] is None


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other tasks do."""
    async with asyncio.timeout(90):
        while not condition():  # noqa: ASYNC110 - nobody but the answers tells
            await asyncio.sleep(0.005)
