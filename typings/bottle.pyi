"""What we use of Bottle, which has no types of its own."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

class Bottle:
    catchall: bool
    def get(self, path: str) -> Callable[[F], F]: ...
    def route(
        self, path: str, *, method: list[str] = ..., callback: Callable[..., Any]
    ) -> object: ...
    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]: ...

class HTTPResponse:
    def __init__(self, body: str, status: int) -> None: ...

class _Request:
    environ: dict[str, Any]

request: _Request
