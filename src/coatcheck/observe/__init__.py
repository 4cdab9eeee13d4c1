"""Watch sessions: an audit trail of what happens to them."""

from coatcheck.observe.audit import Audit
from coatcheck.observe.sinks import JSONFile, JSONLog, as_json

__all__ = ["Audit", "JSONFile", "JSONLog", "as_json"]
