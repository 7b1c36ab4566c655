"""A local Telegram with the demo scene and one started client, spoken to over plain HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from lab.telegram import people
from lab.telegram.scene import Scene, demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.webhook import WebhookRules
from lab.telegram.world import World

TOKEN = "42:demo"


@dataclass
class Lab:
    telegram: LocalTelegram
    scene: Scene
    http: aiohttp.ClientSession

    @property
    def world(self) -> World:
        return self.telegram.world

    def address(self, method: str, token: str = TOKEN) -> str:
        return f"{self.telegram.url}/bot{token}/{method}"

    async def raw(self, method: str, token: str = TOKEN, **given: Any) -> dict[str, Any]:
        async with self.http.post(self.address(method, token), json=given) as response:
            answer: dict[str, Any] = orjson.loads(await response.read())
            assert response.status == (200 if answer["ok"] else answer["error_code"])
            return answer

    async def ok(self, method: str, token: str = TOKEN, **given: Any) -> Any:
        answer = await self.raw(method, token, **given)
        assert answer["ok"], answer
        return answer["result"]

    async def refusal(self, method: str, token: str = TOKEN, **given: Any) -> str:
        answer = await self.raw(method, token, **given)
        assert not answer["ok"], answer
        return str(answer["description"])

    async def updates(self, token: str = TOKEN, **given: Any) -> list[dict[str, Any]]:
        """All that waits, confirmed at once."""
        found: list[dict[str, Any]] = await self.ok("getUpdates", token, **given)
        if found:
            await self.ok("getUpdates", token, offset=found[-1]["update_id"] + 1)
        return found

    async def topic(self, name: str = "one") -> int:
        chat_id = self.scene.main_group_id
        made = await self.ok("createForumTopic", chat_id=chat_id, name=name)
        thread_id: int = made["message_thread_id"]
        return thread_id


@asynccontextmanager
async def open_lab(rules: WebhookRules | None = None) -> AsyncIterator[Lab]:
    """Иван has written "/start" as message 1; no update waits."""
    async with (
        LocalTelegram.serve(webhook_rules=rules) as telegram,
        aiohttp.ClientSession() as http,
    ):
        scene = demo_scene(telegram.world, TOKEN)
        people.send(telegram.world, scene.ivan_id, scene.ivan_id, text="/start")
        made = Lab(telegram, scene, http)
        await made.updates()
        yield made
