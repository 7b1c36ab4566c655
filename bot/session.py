"""Aiogram's HTTP session, with a shorter way for the calls that carry no file: nearly all."""

from typing import Any, cast

import orjson
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiohttp import ClientError, ClientTimeout

JSON = {"Content-Type": "application/json"}


class Session(AiohttpSession):
    """Says and reads JSON where aiogram builds a form and reads text; files go aiogram's way.

    Aiogram also has pydantic make the type of each answer anew for every call, for pydantic keeps
    such types only as long as somebody holds them; here they are held.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(json_loads=orjson.loads, json_dumps=_dumps, **options)
        self._answers: dict[type[TelegramMethod[Any]], type[Response[Any]]] = {}

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        """Makes the call; raises what aiogram's own session raises."""
        files: dict[str, Any] = {}
        fields = {
            name: prepared
            for name, value in method.model_dump(warnings=False, exclude_none=True).items()
            if (prepared := self.prepare_value(value, bot, files, _dumps_json=False)) is not None
        }
        if files:
            return await super().make_request(bot, method, timeout)
        session = await self.create_session()
        url = self.api.api_url(token=bot.token, method=method.__api_method__)
        limit = ClientTimeout(total=self.timeout if timeout is None else timeout)
        try:
            async with session.post(
                url, data=orjson.dumps(fields), headers=JSON, timeout=limit
            ) as answer:
                content = await answer.read()
        except TimeoutError as error:
            raise TelegramNetworkError(method, "Request timeout error") from error
        except ClientError as error:
            raise TelegramNetworkError(method, f"{type(error).__name__}: {error}") from error
        response = self.check_response(bot, method, answer.status, content.decode(errors="replace"))
        return cast("TelegramType", response.result)

    def check_response(
        self, bot: Bot, method: TelegramMethod[TelegramType], status_code: int, content: str
    ) -> Response[TelegramType]:
        kind = type(method)
        if kind not in self._answers:
            self._answers[kind] = Response[method.__returning__]  # type: ignore[name-defined]
        return super().check_response(bot, method, status_code, content)


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()
