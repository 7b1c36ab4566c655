"""Telling Telegram how updates should come: by webhook, or not."""

from collections.abc import Awaitable, Callable

import anyio
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramServerError

from bot.polling import ALLOWED_UPDATES

log = structlog.get_logger(__name__)

CONNECTIONS_MAX = 100
"""Chats whose updates may come at once; each chat waits for our answer before its next."""

TRIES_MAX = 5
"""Nodes that start together ask twice within a second, which Telegram answers with 429."""

AWAY_FIRST_S = 0.5
AWAY_MAX_S = 15.0
"""Waits while Telegram is away, doubling."""


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

    async def call() -> None:
        info = await bot.get_webhook_info()
        if info.url:
            await bot.delete_webhook(drop_pending_updates=False)
            log.warning("webhook_removed", pending=info.pending_update_count)

    await _patiently(call)


async def _patiently(call: Callable[[], Awaitable[None]]) -> None:
    """Waits for a Telegram that is away, for as long as that takes; 429 is obeyed some times."""
    limited, wait_s = 0, AWAY_FIRST_S
    while True:
        try:
            return await call()
        except TelegramRetryAfter as error:
            limited += 1
            if limited >= TRIES_MAX:
                raise
            await anyio.sleep(error.retry_after)
        except (TelegramNetworkError, TelegramServerError) as error:
            log.warning("webhook_waits", error=type(error).__name__, wait_s=wait_s)
            await anyio.sleep(wait_s)
            wait_s = min(AWAY_MAX_S, 2 * wait_s)
