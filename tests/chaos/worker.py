"""A process of its own that changes sessions again and again, ten requests at a time.

Reads the store's URL, the tokens, its own name and how many times from its input, says `ready`,
and starts with the next line. It says how many changes were acknowledged, and what went wrong.
"""

import asyncio
import json
import sys

from coatcheck import Sessions, Token, store_from_url
from coatcheck.errors import CoatcheckError
from tests.chaos.shop import increment

AT_ONCE = 10


async def work(url: str, tokens: list[Token], name: str, times: int) -> tuple[int, list[str]]:
    sessions = Sessions(store_from_url(url))
    problems: list[str] = []
    acknowledged = 0

    async def change(number: int) -> None:
        nonlocal acknowledged
        session = await sessions.open(tokens[number % len(tokens)])
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
            acknowledged += not session.state.is_gone

    for start in range(0, times, AT_ONCE):
        await asyncio.gather(*map(change, range(start, start + AT_ONCE)))
    await sessions.close()
    return acknowledged, problems


if __name__ == "__main__":
    url, texts, name, times = json.loads(sys.stdin.readline())
    tokens = [token for text in texts if (token := Token.parse(text))]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(work(url, tokens, name, times))))
