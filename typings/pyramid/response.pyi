"""What we use of Pyramid, which has no types of its own."""

from collections.abc import Iterable

class Response:
    def __init__(
        self, body: str = ..., status: int = ..., *, app_iter: Iterable[bytes] = ...
    ) -> None: ...
