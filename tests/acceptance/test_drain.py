"""An operator drains a node from the page: its process gives all away and ends in good order."""

from pathlib import Path

import aiohttp
import anyio
import pytest
from sqlalchemy import text

from lab.processes import BotProcess, free_port
from lab.telegram.scene import demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.world import World
from storage.postgres import PostgresOptions, create_engine
from tests.acceptance.desk import TOKEN

pytestmark = [pytest.mark.anyio, pytest.mark.processes, pytest.mark.timeout(240)]

STATUS_TOKEN = "a-token-of-the-test-0123"
WAIT_S = 60.0
"""It takes two seconds until the node sees the wish, and less to end."""

AUDIT = text("SELECT by, action, payload ->> 'owner' FROM audit")


async def test_a_node_that_an_operator_drains_ends_in_good_order_and_serves_when_started_again(
    postgres_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    world = World(seed=7)
    scene = demo_scene(world, TOKEN)
    async with LocalTelegram.serve(world=world) as telegram:
        settings = scene.settings(telegram.url) | {
            "POSTGRES_DSN": postgres_dsn,
            "REDIS_URL": redis_url,
            "HTTP_BIND": f"127.0.0.1:{free_port()}",
            "NODE_NAME": "desk-1",
            "STATUS_TOKEN": STATUS_TOKEN,
        }
        headers = {"Authorization": f"Bearer {STATUS_TOKEN}"}
        async with (
            BotProcess(settings, log_file=tmp_path / "node.log") as node,
            aiohttp.ClientSession(headers=headers) as http,
        ):
            async with http.post(f"{node.url}/api/nodes/desk-1/drain") as response:
                assert response.status == 200, await response.text()
            with anyio.fail_after(WAIT_S):
                assert await node.wait() == 0
            engine = create_engine(PostgresOptions(dsn=postgres_dsn, pool_size=1))
            async with engine.connect() as connection:
                [[by, action, owner]] = await connection.execute(AUDIT)
                [[status]] = await connection.execute(text("SELECT status FROM nodes"))
            await engine.dispose()
            assert (by, action, status) == ("operator", "operator_drained", "dead")
            assert owner.startswith("desk-1/")
            await node.start()
            async with http.get(f"{node.url}/api/nodes") as response:
                [seen] = (await response.json())["nodes"]
            assert (seen["state"], seen["run"] != owner) == ("serving", True)
