"""``/bot<token>/<method>``: from an HTTP request to a method and back, faults included."""

import time
from collections.abc import Awaitable, Callable

import anyio
import orjson
from aiohttp import web

from lab.telegram import errors
from lab.telegram.bots import Bot
from lab.telegram.calls import CallLog
from lab.telegram.errors import ApiError
from lab.telegram.faults import FaultRule
from lab.telegram.limits import Limits
from lab.telegram.methods import ALL, Call
from lab.telegram.methods.base import Webhooks
from lab.telegram.methods.webhooks import get_updates
from lab.telegram.requests import read_parameters
from lab.telegram.schema import SCHEMAS
from lab.telegram.world import World

_JSON = "application/json"
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class BotApi:
    """The Bot API over a world. ``strict=False`` lets unknown parameters pass, as Telegram does."""

    def __init__(
        self,
        *,
        world: World,
        webhooks: Webhooks,
        limits: Limits,
        strict: bool,
        closing: anyio.Event,
    ) -> None:
        self.calls = CallLog()
        self.limits = limits
        self.strict = strict
        self._world = world
        self._webhooks = webhooks
        self._closing = closing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        started = time.perf_counter()
        bot = self._world.bots_by_token.get(request.match_info["token"])
        if bot is None:
            return _refused(errors.unauthorized())
        name = request.match_info["method"]
        method = name.lower()
        given: dict[str, object] = {}
        error: ApiError | None = None
        fault: FaultRule | None = None
        try:
            given = await read_parameters(request)
            fault = self._world.faults.for_call(method, _number(given.get("chat_id")))
            if fault is not None:
                await self._spoil_before(request, fault)
            response = web.Response(body=await self._answer(bot, method, given), content_type=_JSON)
        except ApiError as refusal:
            error = refusal
            response = _refused(refusal)
        except _SpoiledError as spoiled:
            response = spoiled.response
        if fault is not None and fault.kind in {"timeout_after", "drop_after"}:
            response = await self._cut(request, fault)
        self.calls.add(
            at=self._world.clock(),
            took_s=time.perf_counter() - started,
            bot_id=bot.id,
            method=name,
            given=given,
            code=error.code if error is not None else response.status,
            description=error.description if error is not None else None,
            fault=fault.kind if fault is not None else None,
        )
        return response

    async def _answer(self, bot: Bot, method: str, given: dict[str, object]) -> bytes:
        schema = SCHEMAS.get(method)
        if schema is None:
            raise errors.not_found()
        checked = schema.validate(given, strict=self.strict)
        call = Call(world=self._world, bot=bot, given=checked, webhooks=self._webhooks)
        if method == "getupdates":
            updates = await get_updates(call)
            return b'{"ok":true,"result":[' + b",".join(updates) + b"]}"
        several = checked.get("media") or checked.get("message_ids")
        cost = len(several) if isinstance(several, list) else 1  # an album counts by its parts
        self.limits.check(method, bot.id, checked.get("chat_id"), cost)
        return orjson.dumps({"ok": True, "result": ALL[method](call)})

    async def _spoil_before(self, request: web.Request, fault: FaultRule) -> None:
        """Does what a fault does before the effect; returns when the call is to go on."""
        match fault.kind:
            case "error":
                raise ApiError(
                    fault.code,
                    fault.description,
                    {"retry_after": fault.retry_after} if fault.code == _TOO_MANY else None,
                )
            case "too_many_requests":
                raise errors.too_many_requests(fault.retry_after)
            case "server_error":
                raise ApiError(max(fault.code, 500), fault.description)
            case "bad_gateway":
                raise _SpoiledError(
                    web.Response(status=502, text=_BAD_GATEWAY, content_type="text/html")
                )
            case "timeout_before" | "drop_before":
                raise _SpoiledError(await self._cut(request, fault))
            case "slow":
                await self._pause(fault.seconds)
            case _:
                pass  # the others strike after the effect

    async def _cut(self, request: web.Request, fault: FaultRule) -> web.Response:
        """Ends the connection without an answer, after a time-out's silence."""
        if fault.kind.startswith("timeout"):
            await self._pause(fault.seconds)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=_NO_ANSWER)

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._closing.wait()

    async def download(self, request: web.Request) -> web.StreamResponse:
        """``/file/bot<token>/<path>``."""
        if request.match_info["token"] not in self._world.bots_by_token:
            return _refused(errors.unauthorized())
        found = self._world.files.at_path(request.match_info["path"])
        if found is None:
            return _refused(errors.not_found())
        return web.Response(body=found.data, content_type="application/octet-stream")


_TOO_MANY = 429
_NO_ANSWER = 499


class _SpoiledError(Exception):
    """Carries the answer that a fault gives instead of Telegram's."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


def _number(value: object) -> int | None:
    """A chat id for matching fault rules, before any validation."""
    if isinstance(value, str):
        return int(value) if value.removeprefix("-").isdecimal() else None
    return value if isinstance(value, int) else None


def _refused(error: ApiError) -> web.Response:
    headers = {}
    if error.parameters and "retry_after" in error.parameters:
        headers["Retry-After"] = str(error.parameters["retry_after"])
    return web.Response(
        body=orjson.dumps(error.as_json()),
        status=error.code,
        content_type=_JSON,
        headers=headers,
    )
