"""What the program depends on, reached or started: Postgres, Redis, Telegram."""

from bot import deferred  # noqa: F401 - before aiogram, which is quick then

# isort: split
from contextlib import AsyncExitStack

import anyio
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramUnauthorizedError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import TopicdeskError
from bootstrap.settings import Settings
from bot.api import ApiOptions, create_bot
from storage import migrate
from storage.embedded import embedded_postgres, embedded_valkey
from storage.postgres import PostgresOptions, create_engine, is_transient
from storage.redis import AnyRedis, RedisOptions, create_redis
from storage.tolerant import AWAY

log = structlog.get_logger(__name__)


POSTGRES_WAIT_S = 60.0
"""A failover or a restart is over by then; longer than that, somebody must look."""

POSTGRES_LOOK_S = 1.0

ANSWER_S = 10.0
"""For one small question, a connection included; a link that swallows all must not hold a start."""


class PostgresAway(TopicdeskError):
    """Postgres did not come back while a start waited for it."""


class WrongBot(TopicdeskError):
    """Telegram does not know the bot."""


async def reach_servers(settings: Settings, stack: AsyncExitStack) -> tuple[AsyncEngine, AnyRedis]:
    """Postgres at head and Redis, embedded where no others are named.

    Raises:
        PostgresAway: Postgres stayed away.
    """
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
    await _at_head(engine)
    await _warm(redis)
    return engine, redis


async def _at_head(engine: AsyncEngine) -> None:
    """Brings the schema to head; waits for a Postgres that is away, as a running node would.

    A schema that is there already is left without waiting for those who migrate.

    Raises:
        PostgresAway: It stayed away.
    """
    deadline = anyio.current_time() + POSTGRES_WAIT_S
    while True:
        try:
            with anyio.fail_after(ANSWER_S):
                is_there = await migrate.current(engine) == migrate.head()
            if not is_there:
                await migrate.upgrade(engine)
        except Exception as error:
            if not is_transient(error):
                raise
            if anyio.current_time() > deadline:
                raise PostgresAway("Postgres cannot be reached; see `topicdesk doctor`") from error
            log.warning("postgres_away", error=type(error).__name__)
            await anyio.sleep(POSTGRES_LOOK_S)
        else:
            return


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


def helper_bots(settings: Settings, stack: AsyncExitStack) -> list[Bot]:
    """The helpers; whether Telegram knows them is seen later: a bad one holds up no start."""
    bots = []
    for token in settings.helper_tokens:
        options = ApiOptions(url=settings.telegram_api_url)
        bots.append(create_bot(token.get_secret_value(), options))
        stack.push_async_callback(bots[-1].session.close)
    return bots
