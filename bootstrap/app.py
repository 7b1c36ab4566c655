"""The wiring: the only place that knows every part, and the order in which they start and stop."""

import gc
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import SystemRandom
from typing import cast

import anyio
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramUnauthorizedError
from aiogram.fsm.storage.base import DefaultKeyBuilder
from aiogram.fsm.storage.redis import RedisStorage
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import TopicdeskError
from actors.ids import ChatId, UserId
from actors.nodes import NodeIdentity
from actors.workflows import decide
from actors.workflows.support import give_up
from bootstrap import parts
from bootstrap.edges import (
    Forward,
    PressAnswerer,
    accepting,
    delivery_options,
    follow_group,
    watched_groups,
)
from bootstrap.settings import Settings
from bootstrap.status import LiveStatus
from bot.api import Api, ApiOptions, create_bot
from bot.calls import Calls
from bot.delivery import Delivery, DeliveryOptions, PaceOptions
from bot.delivery.pace import Pace
from bot.delivery.shared import SharedPace
from bot.desk import create_dispatcher
from bot.desk.worker import DeskWorker
from bot.forms import BestForm
from bot.intake import Intake
from bot.meaning import Desk
from bot.polling import Poller
from bot.texts import Texts
from bot.watch import GroupWatch
from bot.webhook_setup import remove_webhook, set_webhook
from storage import migrate
from storage.cache import CachedDirectory, CachedRoster
from storage.desk import DeskMail
from storage.embedded import embedded_postgres, embedded_valkey
from storage.inbox import PostgresInbox
from storage.links import PostgresLinks
from storage.locks import RedisPressLocks
from storage.marks import RedisMarks
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.pacing import Lesson, RedisBuckets
from storage.postgres import PostgresOptions, create_engine
from storage.queries import TicketQueries
from storage.redis import RedisOptions, create_redis
from storage.sheets import SheetsDirectory, SheetsOptions, TelegramDirectory
from storage.technicians import TechnicianSpec, TechnicianTable
from storage.tickets import PostgresTicketStore
from storage.tolerant import Tolerant
from storage.topic_book import PostgresTopicBook
from supervisor.options import RuntimeOptions
from supervisor.runtime import Runtime
from web.app import WebOptions, create_app
from web.server import serve
from web.webhook import App, Webhook, WebhookOptions

log = structlog.get_logger(__name__)

STOP_WEB_S = 3.0
"""Requests under way are a few milliseconds long; streams are told to end."""

FSM_TTL_S = 600
"""A question of the desk that nobody answers is forgotten."""


class WrongBot(TopicdeskError):
    """Telegram does not know the bot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The running program, for whoever wants to look: tests, the demo, benchmarks."""

    url: str
    """Where its web server listens, such as ``http://127.0.0.1:8080``."""
    engine: AsyncEngine
    runtime: Runtime
    delivery: Delivery
    status: LiveStatus
    watch: GroupWatch


async def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way."""
    async with started(settings) as application:
        log.info("ready", url=application.url, mode=application.status.mode)
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for received in signals:
                log.info("stopping", signal=received.name)
                break


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Application]:
    """The whole program, running; leaving the block drains and stops it.

    Start: servers, schema, bot, runtime, delivery, desk, web, updates. Stop in reverse, so that
    whatever has been stored is decided and sent as far as time allows; the rest waits in Postgres.
    """
    async with AsyncExitStack() as stack:
        engine, redis = await _servers(settings, stack)
        bot = await _bot(settings, stack)
        async with anyio.create_task_group() as group:
            built = await _build(settings, engine, redis, bot)
            runtime = await parts.start(group, "runtime", built.runtime.run)
            delivery = await parts.start(group, "delivery", built.delivery.run)
            intake = await parts.start(group, "intake", built.intake.run)
            desk = await parts.start(group, "desk", built.desk.run)
            watch = await parts.start(group, "watch", built.watch.run)
            if built.sheet is not None:
                await parts.start(group, "sheet", built.sheet.run)
            closing = anyio.Event()
            app = create_app(built.status, _web_options(settings))
            endpoint = Webhook(
                accepting(built.intake), cast("App", app), _webhook_options(settings)
            )
            web, url = await parts.start_with_value(
                group, "web", partial(serve, endpoint, settings.http_bind, closing)
            )
            updates = await _updates(settings, bot, built, group)
            gc.collect()
            gc.freeze()  # what lives as long as the program need not be looked at again
            yield Application(
                url=url,
                engine=engine,
                runtime=built.runtime,
                delivery=built.delivery,
                status=built.status,
                watch=built.watch,
            )
            built.status.stopping()
            if updates is not None:
                await updates.cancel()
            closing.set()
            await web.join(STOP_WEB_S)
            await intake.cancel()
            await desk.cancel()
            await watch.cancel()
            built.runtime.drain()
            await runtime.join(RuntimeOptions().drain_timeout_s)
            built.delivery.drain()
            await delivery.join(DeliveryOptions().drain_timeout_s)
            group.cancel_scope.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    runtime: Runtime
    delivery: Delivery
    intake: Intake
    desk: DeskWorker
    sheet: SheetsDirectory | None
    status: LiveStatus
    watch: GroupWatch


async def _servers(settings: Settings, stack: AsyncExitStack) -> tuple[AsyncEngine, Redis]:
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


async def _warm(redis: Redis) -> None:
    """Connects before anybody needs an answer quickly: the first one is the slowest."""
    try:
        await redis.ping()
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("redis_away", error=type(error).__name__)


async def _bot(settings: Settings, stack: AsyncExitStack) -> Bot:
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


async def _build(settings: Settings, engine: AsyncEngine, redis: Redis, bot: Bot) -> _Built:
    """All parts, knowing each other, none of them running."""
    me = await bot.me()
    main_chat_id = ChatId(settings.main_group_id)
    tolerant = Tolerant()
    texts = Texts(settings.language)
    technicians = TechnicianTable(engine)
    await technicians.sync(
        [
            TechnicianSpec(name=group.name, chat_id=group.chat_id, user_id=group.user_id)
            for group in settings.tech_groups_mapping
        ]
    )
    roster = CachedRoster(technicians, redis, tolerant)
    await roster.invalidate()
    node = NodeIdentity(
        name=settings.node_name, incarnation=secrets.token_hex(8), started_at=datetime.now(UTC)
    )
    store = PostgresTicketStore(engine, lambda: node, main_chat_id)
    await PostgresNodes(engine).register(node)
    outbox = PostgresOutbox(engine, lambda: node, receipts=settings.receipt_reactions == "on")
    links = PostgresLinks(engine)
    locks = RedisPressLocks(redis, tolerant)
    api = Api(bot)
    mailroom = Forward()
    sheet = _sheet(settings)
    delivery = Delivery(
        outbox=outbox,
        call=BestForm(api),
        calls=Calls(
            texts=texts,
            roster=roster,
            directory=TelegramDirectory()
            if sheet is None
            else CachedDirectory(sheet, redis, tolerant),
            tags=outbox,
            links=links,
        ),
        pace=_pace(settings, redis, tolerant, me.id),
        marks=RedisMarks(redis, tolerant),
        presses=locks,
        mailroom=mailroom,
        options=delivery_options(settings),
    )
    runtime = Runtime(
        store=store,
        hints=delivery,
        decide=decide,
        give_up=give_up,
        reporter=structlog.get_logger("supervisor"),
        jitter=SystemRandom().random,
    )
    mailroom.target = runtime
    admin_ids = frozenset(settings.admin_ids)
    watch = GroupWatch(
        call=api,
        bot_id=UserId(me.id),
        groups=watched_groups(settings),
        admin_ids=[UserId(admin) for admin in sorted(settings.admin_ids)],
        texts=texts,
        follow=partial(follow_group, engine, roster),
    )
    dispatcher = create_dispatcher(
        queries=TicketQueries(engine),
        roster=roster,
        texts=texts,
        main_chat_id=main_chat_id,
        admin_ids=admin_ids,
        storage=RedisStorage(
            redis,
            key_builder=DefaultKeyBuilder(prefix="fsm"),
            state_ttl=FSM_TTL_S,
            data_ttl=FSM_TTL_S,
        ),
        tolerant=tolerant,
        look_at_groups=watch.look,
    )
    desk = DeskWorker(DeskMail(engine), dispatcher, bot)
    intake = Intake(
        desk=Desk(
            bot_id=UserId(me.id),
            bot_username=me.username or "",
            main_chat_id=main_chat_id,
            admin_ids=admin_ids,
        ),
        inbox=PostgresInbox(engine, main_chat_id),
        topics=PostgresTopicBook(engine),
        messages=links,
        roster=roster,
        mailroom=runtime,
        presses=PressAnswerer(api),
        locks=locks,
        texts=texts,
        desk_hint=desk.hint,
    )
    status = LiveStatus(
        node=node,
        mode="webhook" if settings.webhook_url else "polling",
        runtime=runtime,
        delivery=delivery,
        intake=intake,
        api=api,
        engine=engine,
        outbox=outbox,
        queries=TicketQueries(engine),
        redis=redis,
    )
    return _Built(
        runtime=runtime,
        delivery=delivery,
        intake=intake,
        desk=desk,
        sheet=sheet,
        status=status,
        watch=watch,
    )


async def _updates(
    settings: Settings, bot: Bot, built: _Built, group: anyio.abc.TaskGroup
) -> parts.Part | None:
    """Opens the way for updates: tells Telegram the webhook, or starts to poll."""
    if settings.webhook_url is not None and settings.webhook_secret is not None:
        await set_webhook(bot, settings.webhook_url, settings.webhook_secret.get_secret_value())
        return None
    await remove_webhook(bot)
    poller = Poller(
        url=settings.telegram_api_url,
        token=settings.bot_token.get_secret_value(),
        accept_many=built.intake.accept_many,
    )
    built.status.poller = poller
    return await parts.start(group, "polling", poller.run)


def _sheet(settings: Settings) -> SheetsDirectory | None:
    if settings.sheets_creds is None or settings.sheets_id is None:
        return None
    creds = settings.sheets_creds.get_secret_value()
    return SheetsDirectory(SheetsOptions(creds=creds, sheet_id=settings.sheets_id))


def _pace(settings: Settings, redis: Redis, tolerant: Tolerant, bot_id: int) -> SharedPace:
    options = _pace_options(settings)
    learning = options.learning
    lesson = Lesson(cut=learning.cut, least=learning.least, recovery_s=learning.recovery_s)
    buckets = RedisBuckets(redis, tolerant, bot_id=bot_id, lesson=lesson)
    return SharedPace(Pace(options, anyio.current_time), buckets)


def _pace_options(settings: Settings) -> PaceOptions:
    return PaceOptions(
        bot_per_s=settings.pace_bot_per_s,
        private_per_s=settings.pace_private_per_s,
        private_burst=settings.pace_private_burst,
        group_per_min=settings.pace_group_per_min,
    )


def _web_options(settings: Settings) -> WebOptions:
    token = settings.status_token
    return WebOptions(
        status_token=None if token is None else token.get_secret_value(),
        language=settings.language,
    )


def _webhook_options(settings: Settings) -> WebhookOptions:
    """Without a webhook nobody knows the secret, so nobody passes."""
    secret = settings.webhook_secret
    return WebhookOptions(
        secret=secrets.token_urlsafe() if secret is None else secret.get_secret_value()
    )
