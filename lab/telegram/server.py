"""The local Telegram as a whole: one port, one world, everything stopped together.

``LocalTelegram.serve()`` runs it inside a test or program, ``python -m lab.telegram`` alone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Self

import anyio
from aiohttp import web

from lab.telegram.bot_api import BotApi
from lab.telegram.control import ControlApi
from lab.telegram.errors import not_found
from lab.telegram.hub import WebhookHub, open_session
from lab.telegram.limits import LimitRules, Limits
from lab.telegram.page_api import PageApi
from lab.telegram.requests import REQUEST_BYTES_MAX
from lab.telegram.routes import check_site, json_answer
from lab.telegram.webhook import WebhookRules
from lab.telegram.world import World

SHUTDOWN_TIMEOUT_S = 1.0
"""Streams end by themselves; whoever still holds a connection after this is cut."""

_API_PATHS = ("/bot", "/file/")

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LocalTelegram:
    """A running server. ``world`` may be used directly by code on the same loop."""

    def __init__(
        self, *, url: str, world: World, bot_api: BotApi, webhooks: WebhookHub, control: ControlApi
    ) -> None:
        self.url = url
        self.world = world
        self.bot_api = bot_api
        self.webhooks = webhooks
        self.control = control

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        world: World | None = None,
        strict: bool = True,
        limits: LimitRules | None = None,
        webhook_rules: WebhookRules | None = None,
    ) -> AsyncIterator[Self]:
        """Listens until the block ends; ``port=0`` takes a free one.

        Leaving the block, or cancelling it, ends streams, long polls and webhook pushes at once.

        Raises:
            OSError: The address is taken.
        """
        chosen = world or World()
        rules = webhook_rules or WebhookRules()
        closing = anyio.Event()
        async with open_session(rules) as session, anyio.create_task_group() as tasks:
            hub = WebhookHub(rules=rules, tasks=tasks, session=session)
            api = BotApi(
                world=chosen, webhooks=hub, limits=Limits(limits), strict=strict, closing=closing
            )
            control = ControlApi(world=chosen, bot_api=api, webhooks=hub)
            app = _application(host, api, control, PageApi(world=chosen, closing=closing))
            runner = web.AppRunner(
                app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_TIMEOUT_S
            )
            await runner.setup()
            try:
                site = web.TCPSite(runner, host, port)
                await site.start()
                url = f"http://{_bracketed(host)}:{runner.addresses[0][1]}"
                yield cls(url=url, world=chosen, bot_api=api, webhooks=hub, control=control)
            finally:
                closing.set()
                chosen.events.close()
                for bot in chosen.bots.values():
                    bot.feed.close()
                hub.close()
                with anyio.move_on_after(SHUTDOWN_TIMEOUT_S * 3, shield=True):
                    await runner.cleanup()
                tasks.cancel_scope.cancel()


def _application(host: str, api: BotApi, control: ControlApi, page: PageApi) -> web.Application:
    loopback = _is_loopback(host)

    @web.middleware
    async def same_site(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(_API_PATHS):
            return await handler(request)
        refused = check_site(request, bound_to_loopback=loopback)
        return refused if refused is not None else await handler(request)

    app = web.Application(middlewares=[same_site], client_max_size=REQUEST_BYTES_MAX)
    app.router.add_route("*", "/bot{token}/{method}", api.handle)
    app.router.add_get("/file/bot{token}/{path:.+}", api.download)
    app.router.add_routes(control.routes())
    app.router.add_routes(page.routes())
    app.router.add_route("*", "/bot{rest:.*}", _no_such_method)
    return app


async def _no_such_method(_: web.Request) -> web.StreamResponse:
    return json_answer(not_found().as_json(), 404)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
