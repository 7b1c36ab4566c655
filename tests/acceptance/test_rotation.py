"""The bot's token is revoked and replaced: nothing is lost, nothing twice, nothing out of order."""

import anyio
import pytest

from bootstrap.app import started
from bootstrap.settings import load_settings
from lab.processes import free_port
from lab.telegram.client import LabClient
from lab.telegram.scene import demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.webhook import WebhookRules
from lab.telegram.world import World
from tests.acceptance.desk import DEADLINE_S, SECRET, Case, Helpdesk

pytestmark = pytest.mark.anyio

FORMER, NEW = "42:former", "42:new"


def revoke(world: World) -> None:
    """What @BotFather does: the bot stays, its former token is unknown from now on."""
    bot = world.bots_by_token.pop(FORMER)
    bot.token = NEW
    world.bots_by_token[NEW] = bot


async def says(desk: Helpdesk, case: Case, *words: str) -> None:
    for each in words:
        await desk.client_writes(desk.ivan, f"клиент {each}")
        await desk.staff_writes(case, f"ответ {each}")


async def arrived(desk: Helpdesk, case: Case, *words: str) -> None:
    await desk.settles()
    answers = [text for text in await desk.texts(desk.ivan) if text.startswith("ответ")]
    assert answers == [f"ответ {each}" for each in words]
    copies = [text for text in await desk.texts(desk.main, case.topic) if text.startswith("клиент")]
    assert copies == [f"клиент {each}" for each in words]


async def test_with_a_new_token_everything_goes_on_where_it_was(
    mode: str, postgres_dsn: str, redis_url: str
) -> None:
    world = World(seed=7)
    scene = demo_scene(world, FORMER)
    bind = f"127.0.0.1:{free_port()}"
    async with (
        LocalTelegram.serve(world=world, webhook_rules=WebhookRules(time_scale=0.02)) as telegram,
        LabClient(telegram.url) as lab,
    ):
        settings = {
            **scene.settings(telegram.url),
            "POSTGRES_DSN": postgres_dsn,
            "REDIS_URL": redis_url,
            "HTTP_BIND": bind,
            "RECEIPT_REACTIONS": "off",
            **dict.fromkeys(("PACE_BOT_PER_S", "PACE_PRIVATE_PER_S", "PACE_GROUP_PER_MIN"), "0"),
        }
        if mode == "webhook":
            settings |= {"WEBHOOK_URL": f"http://{bind}", "WEBHOOK_SECRET": SECRET}
        async with started(load_settings(settings, None)) as app:
            desk = Helpdesk(lab=lab, telegram=telegram, scene=scene, app=app, mode=mode)
            case = await desk.opens(desk.ivan)
            await says(desk, case, "1")
            await arrived(desk, case, "1")
            if mode == "webhook":  # updates go on coming, and nothing of ours is taken any more
                revoke(world)
                await says(desk, case, "2", "3")
                await waits_to_be_sent(desk)
        if mode == "polling":  # who asks with a revoked token is told so, and ends
            revoke(world)
            await says(desk, case, "2", "3")
        async with started(load_settings(settings | {"BOT_TOKEN": NEW}, None)) as app:
            desk.app = app
            await says(desk, case, "4")
            await arrived(desk, case, "1", "2", "3", "4")
            assert await desk.value("SELECT count(*) FROM tickets") == 1
            assert await desk.value("SELECT count(*) FROM dead_letters") == 0
            undelivered = "SELECT count(*) FROM outbox WHERE state = 'undeliverable'"
            assert await desk.value(undelivered) == 0


async def waits_to_be_sent(desk: Helpdesk) -> None:
    """All that came is handled, and the first of each chat has been tried."""
    waiting = """
        SELECT count(*), count(*) FILTER (WHERE attempts > 0) FROM outbox WHERE state = 'waiting'
    """
    with anyio.fail_after(DEADLINE_S):
        while tuple((await desk.rows(waiting))[0]) != (4, 2):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.01)
