"""A process of its own that changes one session again and again.

Reads the store's URL, the token, its own name and how many times from its input, says `ready`,
and starts with the next line. It says how many changes were acknowledged, and what went wrong.
"""

import asyncio
import json
import sys

from coatcheck import Sessions, Token, store_from_url
from coatcheck.errors import CoatcheckError
from tests.chaos.shop import increment

AT_ONCE = 10


async def work(url: str, token: Token, name: str, times: int) -> tuple[int, list[str]]:
    sessions = Sessions(store_from_url(url))
    problems: list[str] = []
    acknowledged = 0

    async def change(number: int) -> None:
        nonlocal acknowledged
        session = await sessions.open(token)
        if session.subject is None:
            return
        session.edit(increment)
        session[f"{name}-{number}"] = number
        session.setdefault("cart", {})[f"{name}-{number}"] = number
        try:
            await sessions.commit(session)
        except CoatcheckError as error:
            problems.append(repr(error))
        else:
            acknowledged += not session.intents.is_gone

    for start in range(0, times, AT_ONCE):
        await asyncio.gather(*map(change, range(start, start + AT_ONCE)))
    await sessions.close()
    return acknowledged, problems


if __name__ == "__main__":
    url, text, name, times = json.loads(sys.stdin.readline())
    token = Token.parse(text)
    assert token is not None
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(work(url, token, name, times))))
