"""A group that shuts the desk out: the administrators hear it, and nothing is lost meanwhile."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from lab.telegram.model import ADMIN_RIGHTS
from tests.acceptance.desk import DEADLINE_S, Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

type Act = Callable[[Helpdesk], Awaitable[None]]


async def kicked(desk: Helpdesk) -> None:
    await desk.lab.kick(desk.main, desk.scene.bot_id)


async def back(desk: Helpdesk) -> None:
    await desk.lab.promote(desk.main, desk.scene.bot_id)


async def without_rights(desk: Helpdesk) -> None:
    rights = [right for right in ADMIN_RIGHTS if right != "can_manage_topics"]
    await desk.lab.promote(desk.main, desk.scene.bot_id, rights)


async def topics_off(desk: Helpdesk) -> None:
    desk.telegram.world.chat(desk.main).is_forum = False
    desk.app.watch.look()


async def topics_on(desk: Helpdesk) -> None:
    desk.telegram.world.chat(desk.main).is_forum = True
    desk.app.watch.look()


@pytest.mark.parametrize(
    ("breaks", "mends", "words"),
    [
        (kicked, back, "Добавьте бота в группу"),
        (without_rights, back, "«Управление темами»"),
        (topics_off, topics_on, "выключены темы"),
    ],
    ids=["kicked", "without rights", "topics off"],
)
async def test_the_administrators_hear_what_is_wrong_and_when_it_is_mended(
    desk: Helpdesk, breaks: Act, mends: Act, words: str
) -> None:
    await desk.lab.send(desk.maria, desk.maria, "/start")
    await desk.settles()
    await breaks(desk)
    told = await desk.sees(desk.maria, words)
    assert "MAIN_GROUP_ID" in told["text"]
    await desk.client_writes(desk.ivan, "Не печатает принтер")
    await desk.sees(desk.ivan, "Приняли вашу заявку")
    assert await desk.topics(desk.main) == []
    await mends(desk)
    await desk.sees(desk.maria, "снова всё в порядке")
    topic = await desk.lab.wait_topic(desk.main, "#1", timeout=DEADLINE_S)
    await desk.sees(desk.main, "Не печатает принтер", topic["thread_id"])
    await desk.settles()
    texts = await desk.texts(desk.main, topic["thread_id"])
    assert texts.count("Не печатает принтер") == 1
    assert len([text for text in await desk.texts(desk.maria) if words in text]) == 1


@POLLING_TOO
async def test_a_group_that_moved_is_followed(desk: Helpdesk) -> None:
    await desk.lab.send(desk.maria, desk.maria, "/start")
    case = await desk.opens(desk.ivan)
    moved = (await desk.lab.migrate(desk.main))["id"]
    desk.app.watch.look()
    told = await desk.sees(desk.maria, "теперь другой номер")
    assert str(moved) in told["text"]
    await desk.client_writes(desk.ivan, "Ещё вопрос")
    with anyio.fail_after(DEADLINE_S):
        await desk.sees(moved, "Ещё вопрос", case.topic)
    await desk.lab.send(desk.maria, moved, "Смотрим", thread=case.topic)
    await desk.sees(desk.ivan, "Смотрим")
