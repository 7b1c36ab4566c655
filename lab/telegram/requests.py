"""Parameters of a Bot API request: query, JSON, form, multipart, all as one mapping."""

from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from lab.telegram.errors import ApiError, bad_request
from lab.telegram.schema import Upload

REQUEST_BYTES_MAX = 50 * 1024 * 1024
"""What the Bot API takes in one upload."""


async def read_parameters(request: web.Request) -> dict[str, object]:
    """Values stay as they came: typed from JSON, text from forms, :class:`Upload` for files.

    Raises:
        ApiError: 400 for a body that does not parse, 413 for one that is too large.
    """
    given: dict[str, object] = dict(request.query) if request.query_string else {}
    if not request.body_exists:
        return given
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            given.update(await _multipart(request))
            return given
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "Request Entity Too Large") from None
    except ValueError:
        raise bad_request("can't parse multipart form data") from None
    if not body:
        return given
    if kind == "application/json":
        given.update(_json(body))
    elif kind == "application/x-www-form-urlencoded":
        given.update(_form(body))
    else:
        raise bad_request("unsupported content type")
    return given


def _json(body: bytes) -> dict[str, object]:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("can't parse JSON object") from None
    if not isinstance(decoded, dict):
        raise bad_request("object expected as request body")
    return decoded


def _form(body: bytes) -> dict[str, str]:
    try:
        text = body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except ValueError:
        raise bad_request("strings must be encoded in UTF-8") from None


async def _multipart(request: web.Request) -> dict[str, object]:
    given: dict[str, object] = {}
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            with value.file as opened:
                given[name] = Upload(value.filename, value.content_type, opened.read())
        elif isinstance(value, str):
            given[name] = value
        else:
            given[name] = bytes(value).decode()
    return given
