"""Traffic: customers who know what was acknowledged."""

import asyncio
from collections.abc import Callable

from tests.chaos.shop import Answer, Shop


def is_unavailable(answer: Answer) -> bool:
    return answer.status == 503 and "retry-after" in answer.headers and not answer.cookies


class Customer:
    """Signs in, and then changes its session again and again until told to stop."""

    def __init__(self, shop: Shop, name: str) -> None:
        self._shop, self.name = shop, name
        self.cookie = ""
        self.answers: list[Answer] = []
        self.acknowledged = 0
        self.unsure = 0

    async def sign_in(self) -> None:
        self.cookie = (await self._shop.send(f"/login/{self.name}")).cookie

    async def shop_until(self, over: asyncio.Event) -> None:
        while not over.is_set():
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

    async def check(self, shop: Shop | None = None) -> None:
        """Nothing acknowledged is missing; what was not acknowledged may be there.

        Args:
            shop: another one with the same store, to look from there.
        """
        answer = await (shop or self._shop).send("/read", self.cookie)
        assert answer.body["subject"] == self.name
        count = answer.body["data"].get("count", 0)
        assert self.acknowledged <= count <= self.acknowledged + self.unsure


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what other tasks do."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody but the answers tells
            await asyncio.sleep(0.005)
