"""Sessions for Python web applications: fast, shared, never losing an update, over when ended."""

from coatcheck.blocking import BlockingSessions
from coatcheck.config import store_from_url
from coatcheck.core.events import Event, Happened
from coatcheck.core.info import SessionInfo
from coatcheck.core.merge import Merge
from coatcheck.core.outcome import Done, Holder, Outcome
from coatcheck.core.own import Pending
from coatcheck.core.policy import Policy
from coatcheck.core.record import Client
from coatcheck.core.session import Session
from coatcheck.core.standing import Standing
from coatcheck.core.token import Token
from coatcheck.data import SessionData, default
from coatcheck.sessions import Sessions
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocol import Store
from coatcheck.stores.sqlite import SQLiteStore

__all__ = [
    "BlockingSessions",
    "Client",
    "Done",
    "Event",
    "Happened",
    "Holder",
    "MemoryStore",
    "Merge",
    "Outcome",
    "Pending",
    "Policy",
    "SQLiteStore",
    "Session",
    "SessionData",
    "SessionInfo",
    "Sessions",
    "Standing",
    "Store",
    "Token",
    "default",
    "store_from_url",
]
