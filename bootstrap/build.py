"""All parts of a node, made known to each other; none of them runs yet."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, cast

import anyio
import structlog
from aiogram import Bot
from aiogram.fsm.storage.base import DefaultKeyBuilder
from aiogram.fsm.storage.redis import RedisStorage
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import UserId
from actors.nodes import NodeIdentity, Role
from actors.workflows import decide
from actors.workflows.support import give_up
from bootstrap.edges import (
    Deferred,
    PressAnswerer,
    delivery_options,
    follow_group,
    group_names,
    watched_groups,
)
from bootstrap.hands import HandsParts, LiveHands
from bootstrap.historian import CrashReporter, Historian
from bootstrap.measures import Measures, Observers
from bootstrap.metrics import Metrics
from bootstrap.metrics_read import Exposition, Sources
from bootstrap.observed import ObservedInbox, ObservedOutbox, WorkObserver, observed_call
from bootstrap.portrait import Portrait, Sitters
from bootstrap.pulse import Pulse
from bootstrap.settings import Settings
from bootstrap.status import LiveStatus, program_version
from bootstrap.status import Sources as StatusSources
from bootstrap.telemetry import wanted_traces
from bot.api import Api
from bot.calls import Calls
from bot.delivery import Delivery, PaceOptions
from bot.delivery.crew import Sender
from bot.delivery.pace import Pace
from bot.delivery.shared import SharedPace
from bot.desk import create_dispatcher
from bot.desk.worker import DeskWorker
from bot.forms import BestForm
from bot.helpers import HelperWatch
from bot.intake import Intake, untraced
from bot.meaning import Desk
from bot.polling import Poller
from bot.texts import Texts
from bot.watch import GroupWatch
from storage.cache import CachedDirectory, CachedRoster
from storage.desk import DeskMail
from storage.hints import RedisHints
from storage.inbox import PostgresInbox
from storage.leases import RedisLeases
from storage.links import PostgresLinks
from storage.locks import RedisPressLocks
from storage.main_groups import MainGroups
from storage.marks import RedisMarks
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.pacing import Lesson, RedisBuckets
from storage.queries import TicketQueries
from storage.redis import AnyRedis
from storage.sheets import SheetsDirectory, SheetsOptions, TelegramDirectory
from storage.stats_shared import SharedStats
from storage.technicians import TechnicianSpec, TechnicianTable
from storage.tickets import PostgresTicketStore
from storage.tolerant import Tolerant
from storage.topic_book import PostgresTopicBook
from supervisor.node import Node
from supervisor.router import Router
from supervisor.runtime import Runtime

if TYPE_CHECKING:
    from redis.asyncio import Redis

FSM_TTL_S = 600
"""A question of the desk that nobody answers is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What :mod:`bootstrap.app` starts and stops.

    ``poller`` is ``None`` in webhook mode, ``helpers`` where no other bots help.
    """

    node: Node
    hints: RedisHints
    runtime: Runtime
    delivery: Delivery
    intake: Intake
    desk: DeskWorker
    watch: GroupWatch
    helpers: HelperWatch | None
    poller: Poller | None
    sheet: SheetsDirectory | None
    status: LiveStatus
    hands: LiveHands
    pulse: Pulse
    historian: Historian
    drain_asked: anyio.Event
    """Set when an operator asks this node to give all away and to end."""
    metrics: Metrics
    exposition: Exposition
    close_traces: Callable[[], Awaitable[None]] | None


class PresentRun:
    """Which run of the node this is; the node begins a new one, the stores ask for the present."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._identity = self.begin()

    def begin(self) -> NodeIdentity:
        self._identity = NodeIdentity(
            name=self._name, incarnation=secrets.token_hex(8), started_at=datetime.now(UTC)
        )
        return self._identity

    def __call__(self) -> NodeIdentity:
        return self._identity


async def build(
    settings: Settings,
    engine: AsyncEngine,
    redis: AnyRedis,
    bot: Bot,
    helper_bots: Sequence[Bot] = (),
) -> Parts:
    """Makes every part. The roster in Postgres is brought in line with the settings first."""
    me = await bot.me()
    tolerant, metrics, measures = Tolerant(), Metrics(), Measures()
    traces = wanted_traces(settings)
    looking: list[WorkObserver] = [metrics, measures]
    if traces is not None:
        looking.append(traces)
    observers = Observers(looking, looking)
    pace = _pace(settings, redis, tolerant, me.id, lambda: 1 / node.peers)
    groups = MainGroups(engine, settings.main_group_id, pace.rooms)
    await groups.load()
    texts = Texts(settings.language)
    roster = await _roster(settings, engine, redis, tolerant)
    run = PresentRun(settings.node_name)
    receipts = settings.receipt_reactions == "on"
    outbox = PostgresOutbox(engine, run, receipts=receipts, groups=groups)
    links = PostgresLinks(engine)
    queries = TicketQueries(engine)
    locks = RedisPressLocks(redis, tolerant)
    hints = RedisHints(redis, tolerant)
    api = Api(bot)
    mailroom = Deferred()
    sheet = _sheet(settings)
    cards = None if sheet is None else CachedDirectory(sheet, redis, tolerant)

    def pace_of(bot_id: int) -> SharedPace:
        return _pace(settings, redis, tolerant, bot_id, lambda: 1 / node.peers)

    delivery = Delivery(
        outbox=ObservedOutbox(outbox, observers),
        call=BestForm(observed_call(api, observers)),
        calls=Calls(
            texts=texts,
            roster=roster,
            directory=cards or TelegramDirectory(),
            tags=outbox,
            links=links,
        ),
        pace=pace,
        bot_id=UserId(me.id),
        helpers=[
            Sender(
                bot_id=UserId(other.id),
                call=BestForm(observed_call(Api(other), observers)),
                pace=pace_of(other.id),
            )
            for other in helper_bots
        ],
        marks=RedisMarks(redis, tolerant),
        presses=locks,
        mailroom=mailroom,
        options=delivery_options(settings),
    )
    reporter = CrashReporter(structlog.get_logger("supervisor"))
    runtime = Runtime(
        store=PostgresTicketStore(engine, run, groups),
        hints=delivery,
        decide=decide,
        give_up=give_up,
        reporter=reporter,
        jitter=SystemRandom().random,
        mailroom=mailroom,
        observer=observers,
    )
    mailroom.target = Router(runtime, hints, lambda: run().owner)
    by_webhook = settings.webhook_url is not None
    node = Node(
        new_run=run.begin,
        store=PostgresNodes(engine),
        leases=RedisLeases(redis, tolerant),
        hints=hints,
        worker=runtime,
        sender=delivery,
        reporter=reporter,
        roles=(Role.DESK,) if by_webhook else (Role.DESK, Role.POLLING),
    )
    admin_ids = frozenset(settings.admin_ids)
    watch = GroupWatch(
        call=api,
        bot_id=UserId(me.id),
        groups=watched_groups(settings),
        admin_ids=[UserId(admin) for admin in sorted(settings.admin_ids)],
        texts=texts,
        follow=partial(follow_group, engine, roster),
        main=groups,
    )
    helpers = HelperWatch(
        crew=delivery.crew,
        groups=watched_groups(settings),
        admin_ids=[UserId(admin) for admin in sorted(settings.admin_ids)],
        texts=texts,
        tell=api,
    )
    dispatcher = create_dispatcher(
        queries=queries,
        roster=roster,
        texts=texts,
        main_chats=groups,
        admin_ids=admin_ids,
        storage=RedisStorage(
            cast("Redis", redis),  # single keys, got and set: a cluster does as well
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
            main_chats=groups,
            admin_ids=admin_ids,
        ),
        inbox=ObservedInbox(PostgresInbox(engine, groups), observers),
        topics=PostgresTopicBook(engine),
        messages=links,
        roster=roster,
        mailroom=mailroom,
        presses=PressAnswerer(api),
        locks=locks,
        texts=texts,
        desk_hint=desk.hint,
        trace=untraced if traces is None else traces.begin,
    )
    poller = None if by_webhook else _poller(settings, intake)
    pulse = Pulse(lambda: (runtime.stats().messages_handled, delivery.stats().sent))
    chats = {int(chat): name for chat, name in group_names(settings).items()}
    sitters = Sitters(
        node=node,
        runtime=runtime,
        delivery=delivery,
        intake=intake,
        poller=poller,
        api=api,
        measures=measures,
        bot_id=me.id,
        bot_username=me.username or "",
        chats=chats,
        version=program_version(),
    )
    status = LiveStatus(
        StatusSources(
            portrait=Portrait(sitters, pulse),
            engine=engine,
            shared=SharedStats(redis, tolerant),
            chats=chats,
        ),
        mode="webhook" if by_webhook else "polling",
    )
    drain_asked = anyio.Event()
    historian = Historian(
        status=status,
        node=node,
        engine=engine,
        reporter=reporter,
        drain=lambda _: drain_asked.set(),
    )
    hands = LiveHands(
        HandsParts(
            engine=engine,
            redis=redis,
            tolerant=tolerant,
            own_run=lambda: run().owner,
            look=runtime.look,
            changed=status.changed,
        )
    )
    caches = {"technicians": roster.asked} | ({} if cards is None else {"cards": cards.asked})
    sources = Sources(
        node=node,
        runtime=runtime,
        delivery=delivery,
        intake=intake,
        api=api,
        engine=engine,
        outbox=outbox,
        queries=queries,
        tolerant=tolerant,
        pulse=pulse,
        caches=caches,
        version=program_version(),
    )
    return Parts(
        node=node,
        hints=hints,
        runtime=runtime,
        delivery=delivery,
        intake=intake,
        desk=desk,
        watch=watch,
        helpers=helpers if helper_bots else None,
        poller=poller,
        sheet=sheet,
        status=status,
        hands=hands,
        pulse=pulse,
        historian=historian,
        drain_asked=drain_asked,
        metrics=metrics,
        close_traces=None if traces is None else traces.aclose,
        exposition=Exposition(metrics, sources),
    )


async def _roster(
    settings: Settings, engine: AsyncEngine, redis: AnyRedis, tolerant: Tolerant
) -> CachedRoster:
    """The technicians: the settings say who they are, the table remembers all there ever were."""
    technicians = TechnicianTable(engine)
    await technicians.sync(
        [
            TechnicianSpec(name=group.name, chat_id=group.chat_id, user_id=group.user_id)
            for group in settings.tech_groups_mapping
        ]
    )
    roster = CachedRoster(technicians, redis, tolerant)
    await roster.invalidate()
    return roster


def _poller(settings: Settings, intake: Intake) -> Poller:
    return Poller(
        url=settings.telegram_api_url,
        token=settings.bot_token.get_secret_value(),
        accept_many=intake.accept_many,
    )


def _sheet(settings: Settings) -> SheetsDirectory | None:
    if settings.sheets_creds is None or settings.sheets_id is None:
        return None
    creds = settings.sheets_creds.get_secret_value()
    return SheetsDirectory(SheetsOptions(creds=creds, sheet_id=settings.sheets_id))


def _pace(
    settings: Settings,
    redis: AnyRedis,
    tolerant: Tolerant,
    bot_id: int,
    share: Callable[[], float],
) -> SharedPace:
    options = _pace_options(settings)
    learning = options.learning
    lesson = Lesson(cut=learning.cut, least=learning.least, recovery_s=learning.recovery_s)
    buckets = RedisBuckets(redis, tolerant, bot_id=bot_id, lesson=lesson)
    return SharedPace(Pace(options, anyio.current_time, share), buckets)


def _pace_options(settings: Settings) -> PaceOptions:
    return PaceOptions(
        bot_per_s=settings.pace_bot_per_s,
        private_per_s=settings.pace_private_per_s,
        private_burst=settings.pace_private_burst,
        group_per_min=settings.pace_group_per_min,
    )
