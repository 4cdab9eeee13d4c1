"""The test kit: a clock, clients that are logged in, what stores and adapters have to fulfil."""

from coatcheck.testing.browsers import BrowserContract
from coatcheck.testing.clients import log_in, log_in_async
from coatcheck.testing.clock import Clock
from coatcheck.testing.drivers import AsgiDriver, Driver, HttpDriver, Reply, WsgiDriver
from coatcheck.testing.pages import Page, Pages
from coatcheck.testing.stores import HOUR, StoreContract, make_record, make_tombstone, next_version

__all__ = [
    "HOUR",
    "AsgiDriver",
    "BrowserContract",
    "Clock",
    "Driver",
    "HttpDriver",
    "Page",
    "Pages",
    "Reply",
    "StoreContract",
    "WsgiDriver",
    "log_in",
    "log_in_async",
    "make_record",
    "make_tombstone",
    "next_version",
]
