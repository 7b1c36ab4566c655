"""Common to the control API and the page API: bodies, answers, the same-site rule."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from lab.telegram.errors import ApiError, WorldError

BODY_BYTES_MAX = 21 * 1024 * 1024
"""The page's largest upload (20 MB) and its form around it."""

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def json_answer(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(value),
        status=status,
        content_type="application/json",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"},
    )


def refusal(text: str, status: int = 400) -> web.Response:
    return json_answer({"error": text}, status)


async def read_body[B: BaseModel](request: web.Request, model: type[B]) -> B:
    """The JSON body as ``model``; an empty body is an empty object."""
    body = await request.read()
    return model.model_validate_json(body or b"{}")


def answered[B: BaseModel](model: type[B], act: Callable[[B], object]) -> Handler:
    """A handler that reads a body, acts, and answers with JSON or ``400 {"error": …}``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await guarded(lambda: _run(request, model, act))

    return handle


async def _run[B: BaseModel](
    request: web.Request, model: type[B], act: Callable[[B], object]
) -> web.Response:
    return json_answer(act(await read_body(request, model)))


async def guarded(run: Callable[[], Awaitable[web.Response]]) -> web.Response:
    """Turns what people may not do, and what does not parse, into 400s."""
    try:
        return await run()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        return refusal(f"{where}: {first['msg']}")
    except (WorldError, ValueError) as error:
        return refusal(str(error))
    except ApiError as error:
        return refusal(error.description)


def check_site(request: web.Request, *, bound_to_loopback: bool) -> web.Response | None:
    """Refuses other sites' requests: a foreign ``Origin``, or a name that was bent to this host."""
    host = urlsplit(f"//{request.host}").hostname or ""
    if bound_to_loopback and host not in _LOOPBACK:
        return refusal("this address is not served here", 403)
    if request.method in {"GET", "HEAD"}:
        return None
    origin = request.headers.get("Origin")
    same_site = request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}
    if not same_site or (origin is not None and urlsplit(origin).netloc != request.host):
        return refusal("requests from other sites are refused", 403)
    return None
