"""The program: in which order its parts start and stop."""

from bot import deferred  # before aiogram, which is quick then

# isort: split
import gc
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import anyio
import structlog
from aiogram import Bot
from anyio.abc import TaskGroup
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.nodes import Role
from bootstrap import parts
from bootstrap.build import Parts, build
from bootstrap.edges import accepting
from bootstrap.outside import helper_bots, reach_servers, reach_telegram
from bootstrap.roles import while_holding
from bootstrap.settings import Settings
from bootstrap.status import LiveStatus
from bootstrap.watchdog import Watchdog, end_within
from bot.delivery import Delivery
from bot.helpers import HelperWatch
from bot.watch import GroupWatch
from bot.webhook_setup import remove_webhook, set_webhook
from supervisor.node import Node
from supervisor.runtime import Runtime
from web.access import Role as PageRole
from web.access import User
from web.app import WebOptions, create_app
from web.metrics import add_metrics
from web.server import serve
from web.webhook import App, Webhook, WebhookOptions, WebhookRoute
from web.webhook_server import serve_webhook

log = structlog.get_logger(__name__)

STOP_S = 14.0
"""Service managers wait 10 to 30 seconds before they kill; in good order it takes a tenth."""

WEB_GRACE_S = 2.0
"""How long updates are still taken after readiness went off: balancers look once a second."""

STOP_WEB_S = 3.0
"""Requests under way are a few milliseconds long; streams are told to end."""

GC_THRESHOLDS = (20_000, 20, 20)
"""Ten times Python's: what is under way for a message is many objects, none of them garbage yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """The running program, for whoever wants to look: tests, the demo, benchmarks."""

    url: str
    """Where its web server listens, such as ``http://127.0.0.1:8080``."""
    engine: AsyncEngine
    node: Node
    runtime: Runtime
    delivery: Delivery
    status: LiveStatus
    watch: GroupWatch
    helpers: HelperWatch | None
    drain_asked: anyio.Event
    """Set when an operator asks this node to give all away and to end."""


async def run(settings: Settings, *, end_with_parent: bool = False) -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way.

    With ``end_with_parent`` also until standard input ends, as it does with the process that
    holds its other side.
    """
    async with started(settings, stop_within_s=STOP_S) as application:
        mode = application.status.mode
        log.info("ready", url=application.url, mode=mode, pid=os.getpid())
        async with anyio.create_task_group() as group:
            await group.start(Watchdog().run)
            group.start_soon(_until_drained, application.drain_asked, group.cancel_scope)
            if end_with_parent:
                group.start_soon(_until_parent_ends, group.cancel_scope)
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for received in signals:
                    log.info("stopping", signal=received.name)
                    group.cancel_scope.cancel()
                    break


async def _until_drained(asked: anyio.Event, serving: anyio.CancelScope) -> None:
    await asked.wait()
    log.warning("stopping", reason="an operator asked for it")
    serving.cancel()


async def _until_parent_ends(serving: anyio.CancelScope) -> None:
    await anyio.wait_readable(sys.stdin)  # nobody writes there: it is the end
    log.error("stopping", reason="the parent process ended")
    serving.cancel()


@asynccontextmanager
async def started(
    settings: Settings, *, stop_within_s: float | None = None
) -> AsyncIterator[Application]:
    """One node, running; leaving the block drains and stops it.

    Start: servers, schema, bot; the node registers; then what works on tickets, then the ways in.
    Stop: no further updates are asked for, the node finishes what is under way and gives its
    tickets to others, the web server closes last. What is stored and not done waits in Postgres.
    The process ends when that takes longer than ``stop_within_s``; embedded servers come after it.
    """
    async with AsyncExitStack() as stack:
        engine, redis = await reach_servers(settings, stack)
        bot = await reach_telegram(settings, stack)
        async with anyio.create_task_group() as group:
            built = await build(settings, engine, redis, bot, helper_bots(settings, stack))
            stack.callback(built.metrics.close)
            if built.close_traces is not None:
                stack.push_async_callback(built.close_traces)
            deferred.build_used()
            running = await _start(settings, built, bot, group)
            gc.collect()
            gc.freeze()  # what lives as long as the program need not be looked at again
            gc.set_threshold(*GC_THRESHOLDS)
            yield Application(
                url=running.url,
                engine=engine,
                node=built.node,
                runtime=built.runtime,
                delivery=built.delivery,
                status=built.status,
                watch=built.watch,
                helpers=built.helpers,
                drain_asked=built.drain_asked,
            )
            if stop_within_s is not None:
                stack.callback(end_within(stop_within_s))
            await running.stop()
            group.cancel_scope.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """What is stopped in an order of its own; the rest is cancelled after it."""

    built: Parts
    url: str
    ways_in: tuple[parts.Part, ...]
    webs: tuple[parts.Part, ...]
    web_closing: anyio.Event

    async def stop(self) -> None:
        self.built.status.stopping()
        open_until = anyio.current_time() + (WEB_GRACE_S if self.built.poller is None else 0)
        for part in self.ways_in:
            await part.cancel()
        await self.built.node.drain()
        await anyio.sleep_until(open_until)
        self.web_closing.set()
        end_by = anyio.current_time() + STOP_WEB_S
        for web in self.webs:
            await web.join(max(0.0, end_by - anyio.current_time()))


async def _start(settings: Settings, built: Parts, bot: Bot, group: TaskGroup) -> _Running:
    node, hints = built.node, built.hints
    await parts.start(group, "node", node.run)
    await parts.start(group, "pulse", built.pulse.run)
    await parts.start(group, "runtime", built.runtime.run)
    if built.helpers is not None:
        await parts.start(group, "helpers", built.helpers.run)
    await parts.start(group, "delivery", built.delivery.run)
    await parts.start(group, "hints out", hints.send)
    listen = partial(hints.listen, lambda: node.identity.owner, node.told)
    await parts.start(group, "hints in", listen)
    await parts.start(group, "intake", built.intake.run)
    desk = partial(while_holding, node, Role.DESK, built.desk.run)
    ways_in = [await parts.start(group, "desk", desk)]
    watch = partial(while_holding, node, Role.DESK, built.watch.run)
    ways_in.append(await parts.start(group, "watch", watch))
    if built.helpers is not None:
        tell = partial(while_holding, node, Role.DESK, built.helpers.tell)
        ways_in.append(await parts.start(group, "notices of helpers", tell))
    if built.sheet is not None:
        await parts.start(group, "sheet", built.sheet.run)
    await parts.start(group, "historian", built.historian.run)
    web_closing = anyio.Event()
    options = _web_options(settings)
    app = create_app(built.status, built.hands, options)
    add_metrics(app, built.exposition)
    webhook = Webhook(accepting(built.intake), _webhook_options(settings))
    served = cast("App", app)
    webs = []
    if settings.webhook_bind is None:
        served = WebhookRoute(webhook, served)
    elif settings.webhook_url is not None:
        updates = partial(serve_webhook, webhook, settings.webhook_bind, web_closing)
        webs.append(await parts.start(group, "webhook", updates))
    web, url = await parts.start_with_value(
        group, "web", partial(serve, served, settings.http_bind, web_closing)
    )
    webs.append(web)
    if built.poller is not None:
        poll = partial(_poll, bot, built.poller.run)
        polling = partial(while_holding, node, Role.POLLING, poll)
        ways_in.append(await parts.start(group, "polling", polling))
    elif settings.webhook_url is not None and settings.webhook_secret is not None:
        await set_webhook(bot, settings.webhook_url, settings.webhook_secret.get_secret_value())
    return _Running(
        built=built, url=url, ways_in=tuple(ways_in), webs=tuple(webs), web_closing=web_closing
    )


async def _poll(bot: Bot, poll: parts.Run) -> None:
    await remove_webhook(bot)
    await poll()


def _web_options(settings: Settings) -> WebOptions:
    token = settings.status_token
    return WebOptions(
        status_token=None if token is None else token.get_secret_value(),
        users=_users(settings),
        secret=settings.bot_token.get_secret_value(),
        language=settings.language,
    )


def _users(settings: Settings) -> tuple[User, ...]:
    """Those of ``STATUS_USERS``, which was checked when it was read."""
    if settings.status_users is None:
        return ()
    users = json.loads(settings.status_users.get_secret_value())
    return tuple(
        User(name=name, role=PageRole(about["role"]), password=about["password"])
        for name, about in users.items()
    )


def _webhook_options(settings: Settings) -> WebhookOptions:
    """Without a webhook nobody knows the secret, so nobody passes."""
    secret = settings.webhook_secret
    return WebhookOptions(
        secret=secrets.token_urlsafe() if secret is None else secret.get_secret_value()
    )
