"""What we use of Pyramid, which has no types of its own."""

from typing import Any

class Request:
    environ: dict[str, Any]
    path: str
    query_string: str
    session: Any
