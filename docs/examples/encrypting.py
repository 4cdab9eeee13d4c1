"""Encryption turned on while sessions are under way: nobody is signed out."""

from datetime import UTC, datetime

from coatcheck import Keyring, Sealed, Sessions, store_from_url

# part: sealed
sealed = Sealed(
    Keyring.from_env("COATCHECK_KEYS"),
    accept_plain_until=datetime(2026, 12, 1, 18, 0, tzinfo=UTC),
)
# end part
sessions = Sessions(store_from_url("sqlite:///sessions.db"), envelope=sealed)
