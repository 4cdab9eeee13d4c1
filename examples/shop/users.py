"""Who may sign in, and how a password is checked: Argon2, off the event loop, for any name."""

import asyncio
import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# A real shop shows no passwords. This one does, so that whoever opens the page can sign in.
DEMO_PASSWORDS: Final = {"alice": "walnut-hanger", "bob": "brass-hook"}

_HASHES: Final = {
    "alice": "$argon2id$v=19$m=65536,t=3,p=4$JnQN8dHFR09TfVx1bJ4ZaA"
    "$ZdY1+c5X0RQsZ1mJW+cbFebS5M8+DOLO4oiy25iDcjI",
    "bob": "$argon2id$v=19$m=65536,t=3,p=4$e+XJ8+1LZNvCNm9f0bRGGg"
    "$LYvCGww41+TPRCTXdEYZ8mOmDsu1qB++K5iCASCJDwc",
}
# The hash of a password nobody has: an unknown name costs the same time as a wrong password.
_NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$/stXdC/G6peHGPxgvaIQGg"
    "$U43BCWCGH4CqVXKj3/lmC80ce8p09W8OcsBIqpXVx04"
)
_AT_ONCE: Final = 4

_hasher = PasswordHasher()
_turnstile = threading.Semaphore(_AT_ONCE)


async def password_matches(username: str, password: str) -> bool:
    """Say whether `password` is the one of `username`, without holding the event loop up."""
    return await asyncio.to_thread(check_password, username, password)


def check_password(username: str, password: str) -> bool:
    """Say whether `password` is the one of `username`; about 50 ms, whatever the answer.

    Each check fills 64 MiB on purpose, so only a few run at once: a burst of logins queues up
    instead of taking the machine's memory.
    """
    stored = _HASHES.get(username, _NOBODY)
    with _turnstile:
        matches = _verify(stored, password)
    return matches and username in _HASHES


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except VerifyMismatchError:
        return False
