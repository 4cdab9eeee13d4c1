"""coatcheck with all defences on: profile `bank`, strict CSRF, encrypted records, an audit file."""

import tempfile
from pathlib import Path

from bench.apps.starlette.coatcheck import served
from bench.apps.store import STORE
from coatcheck import Keyring, Sealed, Sessions, profile, store_from_url
from coatcheck.observe import Audit, JSONFile
from coatcheck.web import CSRF

audit = Audit(JSONFile(Path(tempfile.mkdtemp(), "audit.jsonl")))
sessions = Sessions(
    store_from_url(STORE),
    policy=profile("bank", max_sessions=10_000),
    on_event=audit,
    envelope=Sealed(Keyring(Keyring.new_key())),
)
app = served(sessions, csrf=CSRF(strict=True))
