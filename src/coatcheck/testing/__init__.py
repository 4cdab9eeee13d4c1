"""The test kit: a clock that tests move, and what every store and every adapter has to fulfil."""

from coatcheck.testing.browsers import BrowserContract
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
    "make_record",
    "make_tombstone",
    "next_version",
]
