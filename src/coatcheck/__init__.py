"""Sessions for Python web applications: fast, shared, never losing an update, over when ended."""

from coatcheck.blocking import BlockingSessions
from coatcheck.config import store_from_url
from coatcheck.core.binding import Action, Binding, Drift
from coatcheck.core.compressed import Compressed
from coatcheck.core.events import Event, Happened
from coatcheck.core.info import SessionInfo
from coatcheck.core.merge import Merge
from coatcheck.core.outcome import Done, Holder, Outcome
from coatcheck.core.own import Pending
from coatcheck.core.policy import AtLimit, Policy
from coatcheck.core.profiles import describe_policy, profile
from coatcheck.core.rates import Rate
from coatcheck.core.record import Client
from coatcheck.core.secrets import Secrets
from coatcheck.core.session import Session
from coatcheck.core.standing import Standing
from coatcheck.core.token import Token
from coatcheck.data import SessionData, default
from coatcheck.keyed import KeyedTokens
from coatcheck.keyring import Keyring
from coatcheck.sealed import Sealed
from coatcheck.sessions import Sessions
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocol import Store
from coatcheck.stores.sqlite import SQLiteStore

__all__ = [
    "Action",
    "AtLimit",
    "Binding",
    "BlockingSessions",
    "Client",
    "Compressed",
    "Done",
    "Drift",
    "Event",
    "Happened",
    "Holder",
    "KeyedTokens",
    "Keyring",
    "MemoryStore",
    "Merge",
    "Outcome",
    "Pending",
    "Policy",
    "Rate",
    "SQLiteStore",
    "Sealed",
    "Secrets",
    "Session",
    "SessionData",
    "SessionInfo",
    "Sessions",
    "Standing",
    "Store",
    "Token",
    "default",
    "describe_policy",
    "profile",
    "store_from_url",
]
