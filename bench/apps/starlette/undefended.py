"""coatcheck with every defence off that can be: what the others cost is seen beside it."""

from bench.apps.starlette.coatcheck import served
from bench.apps.store import STORE
from coatcheck import Action, Drift, Policy, Sessions, store_from_url
from coatcheck.core.events import Event
from coatcheck.web import CSRF


def observe(drift: Drift) -> Action:
    """Let every client be the same."""
    return Action.OBSERVE


def ignore(event: Event) -> None:
    """Let nobody know."""


policy = Policy(renew_after=None, on_replay="report", binding=observe)
sessions = Sessions(store_from_url(STORE), policy=policy, on_event=ignore)
app = served(sessions, csrf=CSRF(off="the benchmark compares it"))
