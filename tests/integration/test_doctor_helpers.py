"""The doctor looks at helper bots, too; what is wrong with one is a note: nothing fails by it."""

from collections.abc import AsyncIterator

import pytest

from bootstrap.doctor_telegram import telegram
from bootstrap.findings import Finding, Verdict
from bootstrap.settings import load_settings
from lab.telegram.scene import Scene, demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.world import World

pytestmark = pytest.mark.anyio

TOKENS = ("43:hush-hush-one", "44:hush-hush-two")


@pytest.fixture
async def lab() -> AsyncIterator[tuple[LocalTelegram, Scene]]:
    world = World()
    scene = demo_scene(world, "42:demo", TOKENS)
    async with LocalTelegram.serve(world=world) as telegram:
        yield telegram, scene


async def examined(lab: tuple[LocalTelegram, Scene], **more: str) -> dict[str, Finding]:
    telegram_server, scene = lab
    found: list[Finding] = []
    settings = load_settings({**scene.settings(telegram_server.url), **more}, None)
    await telegram(settings, found.append)
    assert "hush" not in "\n".join(map(str, found))
    return {finding.name: finding for finding in found}


async def test_helpers_that_may_write_everywhere_are_fine(
    lab: tuple[LocalTelegram, Scene],
) -> None:
    found = await examined(lab)
    for number in (1, 2):
        assert found[f"helper {number}"].verdict is Verdict.OK
        assert f"@topicdesk_helper_{number}_bot" in found[f"helper {number}"].detail
    assert list(found)[-3:] == ["helper 1", "helper 2", "webhook"]


async def test_a_helper_that_is_no_member_is_to_be_added(lab: tuple[LocalTelegram, Scene]) -> None:
    server, scene = lab
    world = server.world
    world.set_member(world.groups[scene.alice_group_id], world.user(43), "left")
    world.set_member(world.groups[scene.main_group_id], world.user(43), "kicked")
    finding = (await examined(lab))["helper 1"]
    assert finding.verdict is Verdict.NOTE
    assert "is not in: main group, group alice: add it there" in str(finding)


async def test_a_token_that_telegram_does_not_know_is_to_be_copied_anew(
    lab: tuple[LocalTelegram, Scene],
) -> None:
    found = await examined(lab, HELPER_BOT_TOKENS="43:hush-hush-one,45:hush-hush-three")
    assert found["helper 1"].verdict is Verdict.OK
    assert found["helper 2"].verdict is Verdict.NOTE
    assert "does not know the token of bot 45" in found["helper 2"].detail
    assert "HELPER_BOT_TOKENS" in found["helper 2"].advice


async def test_without_helpers_nothing_is_said_of_them(lab: tuple[LocalTelegram, Scene]) -> None:
    found = await examined(lab, HELPER_BOT_TOKENS="")
    assert not [name for name in found if name.startswith("helper")]
