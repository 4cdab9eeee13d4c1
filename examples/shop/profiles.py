"""What the shop knows of a user beside the password: an e-mail address, and a second factor.

The second factor is a code of an authenticator app (TOTP, RFC 6238). All servers share one SQLite
file, so that a code that was used on one of them is used up on all (RFC 6238 5.2).
"""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Final

from pyotp.exceptions import OTPVerificationError
from pyotp.totp import TOTP

from examples.shop.state import profiles_file

# A real shop makes one for each user and shows it to nobody else. This one shows its codes.
_SECRETS: Final = {
    "alice": "J7UWXRKL3QZ5VHTN2OBYFD4MCEGPA6IS",
    "bob": "QYV2MZ6TCJ4XDWN5RKPA3HLGEUO7FBSI",
}
_TRIES: Final = 3  # in half a minute: who guesses on needs years

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS profiles (
    user TEXT PRIMARY KEY, email TEXT NOT NULL, used INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0
)
"""


def email(user: str) -> str:
    """Return where the shop writes to."""
    with _opened(user) as db:
        return str(db.execute("SELECT email FROM profiles WHERE user = ?", (user,)).fetchone()[0])


def change_email(user: str, address: str) -> None:
    """Write to another address from now on."""
    with _opened(user) as db:
        db.execute("UPDATE profiles SET email = ? WHERE user = ?", (address, user))


def is_right(user: str, code: str, at: float) -> bool:
    """Say whether `code` is one of `user` at a time (seconds) that was not used yet.

    A try is counted before it is checked, so that no number of requests at once has more of them.
    """
    totp = TOTP(_SECRETS[user])
    step = totp.timecode(at)
    with _opened(user) as db:
        tried = db.execute(
            "UPDATE profiles SET step = :step,"
            " tries = CASE WHEN step = :step THEN tries + 1 ELSE 1 END"
            " WHERE user = :user AND (step <> :step OR tries < :most)",
            {"step": step, "user": user, "most": _TRIES},
        )
        if tried.rowcount == 0:
            return False
    try:
        shown_at = totp.verify_and_get_timecode(code, for_time=at, valid_window=1)
    except OTPVerificationError:
        return False
    with _opened(user) as db:
        used = "UPDATE profiles SET used = ?, tries = 0 WHERE user = ? AND used < ?"
        return db.execute(used, (shown_at, user, shown_at)).rowcount == 1


def shown(user: str, at: float) -> str:
    """Return the code that the app of `user` shows; a used one gives way to the next at once."""
    totp = TOTP(_SECRETS[user])
    with _opened(user) as db:
        used = db.execute("SELECT used FROM profiles WHERE user = ?", (user,)).fetchone()[0]
    return totp.generate_otp(max(totp.timecode(at), int(used) + 1))


@contextmanager
def _opened(user: str) -> Generator[sqlite3.Connection]:
    """Open the file, with a profile of `user` in it; a transaction."""
    with closing(sqlite3.connect(profiles_file())) as db, db:
        db.execute(_SCHEMA)
        first = (user, f"{user}@shop.example")
        db.execute("INSERT OR IGNORE INTO profiles (user, email) VALUES (?, ?)", first)
        yield db
