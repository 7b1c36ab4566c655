"""Answers of the API as bytes, and what Werkzeug's and quart-schema's errors become."""

from typing import Any, Final

import orjson
from pydantic import ValidationError
from quart import Response
from werkzeug.exceptions import HTTPException

from web.shapes import Problem

CODES: Final = {400: "bad_request", 401: "login", 403: "viewer", 404: "not_found", 429: "too_many"}


def answer(shape: Any, status: int = 200) -> Response:
    """A shape as JSON."""
    return written(orjson.dumps(shape, option=orjson.OPT_PASSTHROUGH_SUBCLASS), status)


def written(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type="application/json")


def problem(status: int, code: str, error: str) -> Response:
    return answer(Problem(error=error, code=code), status)


def of_http_error(error: HTTPException) -> Response:
    """An error of the framework, with what was wrong about a query or a body."""
    status = error.code or 500
    response = problem(status, CODES.get(status, "bad_request"), _about(error))
    for name, value in error.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            response.headers[name] = value
    return response


def _about(error: HTTPException) -> str:
    cause = getattr(error, "validation_error", None)
    if not isinstance(cause, ValidationError):
        return error.name.lower()
    found = [
        f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in cause.errors()
    ]
    return "; ".join(found[:5]) or error.name.lower()
