"""The least that a relay can be: one handler, one call, nothing stored.

It is a process of its own, as the bot is: ``python -m lab.bare_relay`` with ``TELEGRAM_API_URL``,
``BOT_TOKEN``, ``MAIN_GROUP_ID``, ``HTTP_BIND`` and ``WEBHOOK_SECRET`` in its environment.
"""

import os
import sys
from typing import Any

import aiohttp
import anyio
import orjson
import uvloop
from aiohttp import web

CONNECTIONS = 100
"""As many as the bot may open."""


class BareRelay:
    """Copies every private message into the main group, and answers when that is done."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._api = f"{environment['TELEGRAM_API_URL']}/bot{environment['BOT_TOKEN']}"
        self._group = int(environment["MAIN_GROUP_ID"])
        self._bind = environment["HTTP_BIND"]
        self._secret = environment["WEBHOOK_SECRET"]
        self._session: aiohttp.ClientSession | None = None

    async def run(self) -> None:
        """Serves until standard input ends, as it does with the process that started it."""
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector, json_serialize=_dumps) as session:
            self._session = session
            app = web.Application()
            app.router.add_get("/readyz", self._ready)
            app.router.add_post("/webhook", self._update)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            host, _, port = self._bind.rpartition(":")
            await web.TCPSite(runner, host, int(port)).start()
            webhook = {
                "url": f"http://{self._bind}/webhook",
                "secret_token": self._secret,
                "allowed_updates": ["message"],
                "max_connections": 100,
            }
            await self._call("setWebhook", webhook)
            await anyio.wait_readable(sys.stdin)

    async def _ready(self, request: web.Request) -> web.Response:
        del request
        return web.Response()

    async def _update(self, request: web.Request) -> web.Response:
        message = orjson.loads(await request.read()).get("message")
        if message is not None and message["chat"]["type"] == "private":
            chat_id = message["chat"]["id"]
            copy = {
                "chat_id": self._group,
                "from_chat_id": chat_id,
                "message_id": message["message_id"],
            }
            await self._call("copyMessage", copy)
        return web.Response()

    async def _call(self, method: str, given: dict[str, Any]) -> None:
        assert self._session is not None
        async with self._session.post(f"{self._api}/{method}", json=given) as response:
            await response.read()


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


if __name__ == "__main__":
    anyio.run(
        BareRelay(dict(os.environ)).run, backend_options={"loop_factory": uvloop.new_event_loop}
    )
