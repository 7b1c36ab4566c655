"""Telling Telegram how updates should come: by webhook, or not."""

from collections.abc import Awaitable, Callable

import anyio
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramRetryAfter

from bot.polling import ALLOWED_UPDATES

log = structlog.get_logger(__name__)

CONNECTIONS_MAX = 100
"""Chats whose updates may come at once; each chat waits for our answer before its next."""

TRIES_MAX = 5
"""Nodes that start together ask twice within a second, which Telegram answers with 429."""


async def set_webhook(bot: Bot, url: str, secret: str) -> None:
    """Registers ``{url}/webhook/{secret}``, the secret also for the header."""
    address = f"{url.rstrip('/')}/webhook/{secret}"

    async def call() -> None:
        await bot.set_webhook(
            address,
            secret_token=secret,
            max_connections=CONNECTIONS_MAX,
            allowed_updates=list(ALLOWED_UPDATES),
        )

    await _patiently(call)
    log.info("webhook_set", url=url)


async def remove_webhook(bot: Bot) -> None:
    """Polling works only without a webhook; updates that wait are kept."""
    info = await bot.get_webhook_info()
    if info.url:
        log.warning("webhook_removed", pending=info.pending_update_count)

        async def call() -> None:
            await bot.delete_webhook(drop_pending_updates=False)

        await _patiently(call)


async def _patiently(call: Callable[[], Awaitable[None]]) -> None:
    for attempt in range(TRIES_MAX):
        try:
            await call()
        except TelegramRetryAfter as error:
            if attempt == TRIES_MAX - 1:
                raise
            await anyio.sleep(error.retry_after)
        else:
            return
