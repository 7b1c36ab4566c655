"""``kill -9`` at any instant: nothing is lost, nothing is out of order, little is repeated."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from lab.processes import free_port
from lab.telegram.client import LabClient
from lab.telegram.scene import Scene, demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.webhook import WebhookRules
from lab.telegram.world import World
from tests.acceptance.talk import Talk, open_tickets, settled, writes
from tests.acceptance.victim import Victim

pytestmark = [pytest.mark.anyio, pytest.mark.processes, pytest.mark.timeout(400)]

TOKEN = "42:victim"
LIFE_S = (0.05, 0.8)
"""Between a start and the next kill."""


@asynccontextmanager
async def desk(
    postgres_dsn: str, valkey_url: str, folder: Path, mode: str
) -> AsyncIterator[tuple[LabClient, Scene, Victim]]:
    """A local Telegram, and a program that can be killed."""
    world = World(seed=1)
    scene = demo_scene(world, TOKEN)
    rules = WebhookRules(time_scale=0.02)
    bind = f"127.0.0.1:{free_port()}"
    async with (
        LocalTelegram.serve(world=world, webhook_rules=rules) as telegram,
        LabClient(telegram.url) as lab,
    ):
        settings = {
            **scene.settings(telegram.url),
            "POSTGRES_DSN": postgres_dsn,
            "REDIS_URL": valkey_url,
            "HTTP_BIND": bind,
            "DATA_DIR": str(folder),
            "PACE_BOT_PER_S": "0",
            "PACE_PRIVATE_PER_S": "0",
            "PACE_GROUP_PER_MIN": "0",
        }
        if mode == "webhook":
            secret = "a-secret-of-twenty-or-so"
            settings |= {"WEBHOOK_URL": f"http://{bind}", "WEBHOOK_SECRET": secret}
        victim = Victim(settings, folder / "victim.log")
        await victim.start()
        try:
            yield lab, scene, victim
        finally:
            assert victim.stop() == 0


@pytest.mark.parametrize(("mode", "kills"), [("polling", 50), ("webhook", 15)])
async def test_every_message_reaches_each_chat_once_and_in_order(
    postgres_dsn: str,
    valkey_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    kills: int,
) -> None:
    """Five clients, the staff and a technician talk while the program is killed again and again."""
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    talk = Talk()
    async with desk(postgres_dsn, valkey_url, tmp_path, mode) as (lab, scene, victim):
        clients = [scene.ivan_id, scene.emma_id, *range(7001, 7004)]
        for client in clients[2:]:
            await lab.add_user(f"Client {client}", id=client, is_client=True)
        topics = await open_tickets(lab, scene, clients)
        async with anyio.create_task_group() as people:
            for client in clients:
                people.start_soon(writes, lab, talk, rng, f"c{client}", client, client, None)
            for client in clients[:2]:
                main, mirror = topics[client]
                who = f"s{client}", scene.maria_id, scene.main_group_id, main
                people.start_soon(writes, lab, talk, rng, *who)
                who = f"t{client}", scene.alice_id, scene.alice_group_id, mirror
                people.start_soon(writes, lab, talk, rng, *who)
            for _ in range(kills):
                await anyio.sleep(rng.uniform(*LIFE_S))
                victim.kill()
                await victim.start()
            talk.over = True
        report = await settled(lab, scene, clients, topics, talk)
    with capsys.disabled():
        print(f"\n{mode}: {kills} kills (seed {seed}): {report}")
    assert report.lost == []
    assert report.out_of_order == []
    # Each call that was in flight at a kill is repeated at most once, and the program said so.
    resent = (tmp_path / "victim.log").read_text("utf-8").count('"resending_uncertain"')
    assert report.repeated <= resent
