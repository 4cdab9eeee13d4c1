"""How the shop says no: always `{"error": "a sentence"}`, and never with what was sent in it."""

from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


def install(app: FastAPI) -> None:
    """Give `app` the shop's way of saying no."""
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_misshapen)


async def _refused(_: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _misshapen(_: Request, error: RequestValidationError) -> JSONResponse:
    """Name the fields that are wrong; FastAPI's own answer would echo a password typed there."""
    wrong = sorted({".".join(str(part) for part in e["loc"][1:]) or "body" for e in error.errors()})
    return JSONResponse({"error": please_check(wrong)}, 422)


def please_check(fields: Iterable[str]) -> str:
    """Return the sentence about fields that are wrong."""
    return f"please check: {', '.join(fields)}"
