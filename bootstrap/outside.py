"""What the program depends on, reached or started: Postgres, Redis, Telegram."""

from contextlib import AsyncExitStack

import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramUnauthorizedError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import TopicdeskError
from bootstrap.settings import Settings
from bot.api import ApiOptions, create_bot
from storage import migrate
from storage.embedded import embedded_postgres, embedded_valkey
from storage.postgres import PostgresOptions, create_engine
from storage.redis import AnyRedis, RedisOptions, create_redis
from storage.tolerant import AWAY

log = structlog.get_logger(__name__)


class WrongBot(TopicdeskError):
    """Telegram does not know the bot."""


async def reach_servers(settings: Settings, stack: AsyncExitStack) -> tuple[AsyncEngine, AnyRedis]:
    """Postgres at head and Redis, embedded where no others are named."""
    if settings.database is not None:
        dsn = settings.database.get_secret_value()
    else:
        dsn = await stack.enter_async_context(embedded_postgres(settings.data_dir))
    if settings.redis is not None:
        url = settings.redis.get_secret_value()
    else:
        url = await stack.enter_async_context(embedded_valkey(settings.data_dir))
    engine = create_engine(
        PostgresOptions(
            dsn=dsn,
            pool_size=settings.postgres_pool_size,
            max_overflow=settings.postgres_pool_overflow,
        )
    )
    stack.push_async_callback(engine.dispose)
    redis = create_redis(RedisOptions(url=url))
    stack.push_async_callback(redis.aclose)
    await migrate.upgrade(engine)
    await _warm(redis)
    return engine, redis


async def _warm(redis: AnyRedis) -> None:
    """Connects before anybody needs an answer quickly: the first one is the slowest."""
    try:
        await redis.ping()
    except AWAY as error:
        log.warning("redis_away", error=type(error).__name__)


async def reach_telegram(settings: Settings, stack: AsyncExitStack) -> Bot:
    """The bot, known to Telegram.

    Raises:
        WrongBot: The token is wrong, or Telegram cannot be reached.
    """
    options = ApiOptions(url=settings.telegram_api_url)
    bot = create_bot(settings.bot_token.get_secret_value(), options)
    stack.push_async_callback(bot.session.close)
    try:
        await bot.me()
    except TelegramUnauthorizedError as error:
        raise WrongBot("Telegram does not know this BOT_TOKEN; ask @BotFather for it") from error
    except TelegramAPIError as error:
        raise WrongBot(f"Telegram cannot be reached: {error.message}") from error
    return bot
