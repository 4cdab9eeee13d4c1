"""What tests of asyncio frameworks work with: sessions over a store that fails on demand."""

from dataclasses import dataclass, field

from coatcheck import Event, Happened, MemoryStore, Sessions
from coatcheck.testing import Clock
from tests.web.client import App, Client
from tests.web.jar import Jar
from tests.web.spy import Spy


@dataclass
class Shop:
    clock: Clock = field(default_factory=Clock)
    events: list[Event] = field(default_factory=list[Event])
    spy: Spy = field(default_factory=lambda: Spy(MemoryStore()))
    sessions: Sessions = field(init=False)

    def __post_init__(self) -> None:
        store = self.spy.store
        self.sessions = Sessions(store, clock=self.clock, on_event=self.events.append)

    def browser(self, app: App) -> Client:
        return Client(app, jar=Jar(self.clock))

    @property
    def unsaved(self) -> int:
        return [event.kind for event in self.events].count(Happened.UNSAVED)
