"""A process of its own that changes sessions again and again, ten requests at a time.

Reads the store's URL, in which form it works, the tokens, its own name and how many times from its
input, says `ready` when it is connected, and starts with the next line. It says how many changes
were acknowledged, and what went wrong.
"""

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from coatcheck import BlockingSessions, Session, Sessions, Token, store_from_url
from coatcheck.errors import CoatcheckError
from coatcheck.waiting import Kind, finish
from tests.chaos.actions import increment

AT_ONCE = 10


@dataclass
class Worker:
    sessions: Sessions
    tokens: list[Token]
    name: str
    acknowledged: list[int] = field(default_factory=list[int])
    problems: list[str] = field(default_factory=list[str])

    async def look(self, number: int) -> Session:
        return await self.sessions.open(self.tokens[number % len(self.tokens)])

    async def change(self, number: int) -> None:
        session = await self.look(number)
        if session.subject is None:
            return
        key = f"{self.name}-{number}"
        session.edit(increment)
        session[key] = number
        session.setdefault("cart", {})[key] = number
        try:
            await self.sessions.commit(session)
        except CoatcheckError as error:
            self.problems.append(repr(error))
        else:
            if not session.state.is_gone:
                self.acknowledged.append(number)

    async def in_tasks(self, times: int) -> None:
        await asyncio.gather(*map(self.look, range(AT_ONCE)))
        wait_to_go()
        for start in range(0, times, AT_ONCE):
            await asyncio.gather(*map(self.change, range(start, start + AT_ONCE)))
        await self.sessions.close()

    def in_threads(self, times: int) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(finish, map(self.look, range(AT_ONCE))))
            wait_to_go()
            list(pool.map(finish, map(self.change, range(times))))
        finish(self.sessions.close())


def wait_to_go() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def work(url: str, form: str, tokens: list[Token], name: str, times: int) -> Worker:
    store = store_from_url(url, blocking=form == Kind.BLOCKING)
    if form == Kind.BLOCKING:
        worker = Worker(BlockingSessions(store).inner, tokens, name)
        worker.in_threads(times)
    else:
        worker = Worker(Sessions(store), tokens, name)
        asyncio.run(worker.in_tasks(times))
    return worker


if __name__ == "__main__":
    url, form, texts, name, times = json.loads(sys.stdin.readline())
    tokens = [token for text in texts if (token := Token.parse(text))]
    worker = work(url, form, tokens, name, times)
    print(json.dumps([len(worker.acknowledged), worker.problems]))
