"""Several main groups share the tickets; one that fails is left out, and nothing is lost."""

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest

from lab.telegram.client import Object
from lab.telegram.model import ADMIN_RIGHTS
from storage.main_groups import FRESH_S
from tests.acceptance.desk import DEADLINE_S, Case, Helpdesk, number_of
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

FIRST, SECOND = -1001000000001, -1001000000099
EACH = pytest.mark.parametrize("group", [FIRST, SECOND], ids=["first", "second"])


@pytest.fixture
async def desk(mode: str, postgres_dsn: str, redis_url: str) -> AsyncIterator[Helpdesk]:
    """A desk with two main groups; Мария is an administrator of both."""
    groups = f"[{FIRST}, {SECOND}]"
    async with Helpdesk.open(mode, postgres_dsn, redis_url, MAIN_GROUP_ID=groups) as opened:
        await opened.lab.add_group(
            "Поддержка 2",
            id=SECOND,
            role="main",
            admins=[opened.maria, opened.scene.bot_id],
        )
        await opened.lab.send(opened.maria, opened.maria, "/start")
        await opened.settles()
        await both_seen(opened)
        yield opened


async def both_seen(desk: Helpdesk) -> None:
    """The bot has looked at both groups, as it does when it is added to one."""
    calls = desk.telegram.bot_api.calls.by_method
    with anyio.fail_after(DEADLINE_S):
        while calls["getChatMember"] < 2:  # noqa: ASYNC110 — nobody tells
            await anyio.sleep(0.01)


async def topics(desk: Helpdesk) -> set[tuple[int, int]]:
    """All topics of the main groups: group and thread."""
    return {(group, t["thread_id"]) for group in (FIRST, SECOND) for t in await desk.topics(group)}


async def opens(desk: Helpdesk, client: int, words: str = "Не печатает принтер") -> tuple[int, int]:
    """A client writes; group and thread of the ticket that this opens."""
    before = await topics(desk)
    await desk.client_writes(client, words)
    await desk.settles()
    [(group, thread)] = await topics(desk) - before
    assert words in await desk.texts(group, thread)
    return group, thread


async def case_in(desk: Helpdesk, group: int) -> Case:
    """A ticket of Иван's in that group."""
    if group == SECOND:
        await opens(desk, desk.emma)
    found, thread = await opens(desk, desk.ivan)
    assert found == group
    title = (await desk.topic(group, thread))["name"]
    card = next(m for m in await desk.shown(group, thread) if m["buttons"])
    return Case(number=number_of(title), client=desk.ivan, topic=thread, card=card["message_id"])


async def says(desk: Helpdesk, group: int, case: Case, words: str, **more: object) -> Object:
    """Мария writes in the ticket's main topic."""
    message = await desk.lab.send(desk.maria, group, words, thread=case.topic, **more)
    await desk.settles()
    return message


@POLLING_TOO
async def test_new_tickets_are_spread_over_the_groups(desk: Helpdesk) -> None:
    clients = [7100 + number for number in range(6)]
    for client in clients:
        await desk.lab.add_user(f"Клиент {client}", id=client, is_client=True)
    found = [(await opens(desk, client))[0] for client in clients]
    assert found.count(FIRST) == found.count(SECOND) == 3
    stored = await desk.rows("SELECT main_chat_id FROM tickets ORDER BY id")
    assert [row.main_chat_id for row in stored] == found


@EACH
async def test_a_ticket_lives_in_its_group_with_all_that_people_do(
    desk: Helpdesk, group: int
) -> None:
    case = await case_in(desk, group)
    told = await desk.presses(desk.maria, group, case.card, "alice")
    assert told["text"] == "Назначено: alice"
    await desk.settles()
    _, hers = desk.technician("alice")
    [mirror] = await desk.topics(hers)
    answer = await says(desk, group, case, "Смотрим")
    assert (await desk.texts(desk.ivan))[-1] == "Смотрим"
    assert (await desk.texts(hers, mirror["thread_id"]))[-1] == "🛟 Мария:\nСмотрим"
    await desk.lab.edit(desk.maria, group, answer["message_id"], "Уже смотрим")
    await desk.settles()
    assert (await desk.texts(desk.ivan))[-1] == "Уже смотрим"
    await desk.lab.send(desk.maria, group, "/ticket " + str(case.number))
    await desk.sees(group, f"№{case.number}")
    await says(desk, group, case, "/ban")
    await desk.sees(desk.ivan, "больше не принимаем")
    await says(desk, group, case, "/unban")
    await desk.lab.topic(desk.maria, group, "close", thread=case.topic)
    await desk.settles()
    assert (await desk.topic(group, case.topic))["name"].startswith("🟣")
    await desk.sees(desk.ivan, "1/3")
    await desk.lab.topic(desk.maria, group, "reopen", thread=case.topic)
    await desk.settles()
    assert (await desk.topic(group, case.topic))["name"].startswith("🟡")
    await desk.lab.topic(desk.maria, group, "delete", thread=case.topic)
    await desk.client_writes(desk.ivan, "Вы где?")
    await desk.settles()
    [again] = [t for t in await desk.topics(group) if not t.get("deleted")]
    assert "Вы где?" in await desk.texts(group, again["thread_id"])


async def test_buttons_of_one_groups_ticket_act_in_its_topic_only(desk: Helpdesk) -> None:
    first, other = await opens(desk, desk.emma), await opens(desk, desk.ivan)
    assert (first[0], other[0]) == (FIRST, SECOND)
    cards = {g: next(m for m in await desk.shown(g, t) if m["buttons"]) for g, t in (first, other)}
    data = cards[FIRST]["buttons"][0][0]["data"]
    told = await desk.presses_data(desk.maria, SECOND, cards[SECOND]["message_id"], data)
    assert told["text"] == "Эта кнопка здесь не действует."


async def away(desk: Helpdesk) -> None:
    await desk.lab.kick(FIRST, desk.scene.bot_id)


async def back(desk: Helpdesk) -> None:
    await desk.lab.promote(FIRST, desk.scene.bot_id)


async def without_rights(desk: Helpdesk) -> None:
    rights = [right for right in ADMIN_RIGHTS if right != "can_manage_topics"]
    await desk.lab.promote(FIRST, desk.scene.bot_id, rights)


async def topics_off(desk: Helpdesk) -> None:
    desk.telegram.world.chat(FIRST).is_forum = False
    desk.app.watch.look()


async def topics_on(desk: Helpdesk) -> None:
    desk.telegram.world.chat(FIRST).is_forum = True
    desk.app.watch.look()


type Act = Callable[[Helpdesk], Awaitable[None]]


@pytest.mark.parametrize(
    ("breaks", "mends", "words"),
    [
        (away, back, "Добавьте бота в группу"),
        (without_rights, back, "«Управление темами»"),
        (topics_off, topics_on, "выключены темы"),
    ],
    ids=["kicked", "without rights", "topics off"],
)
async def test_a_lost_group_is_left_out_until_it_is_mended(
    desk: Helpdesk, breaks: Act, mends: Act, words: str
) -> None:
    await breaks(desk)
    told = await desk.sees(desk.maria, words)
    assert str(FIRST) in told["text"]
    assert "Новые заявки пока открываются в других группах" in told["text"]
    assert (await opens(desk, desk.ivan))[0] == SECOND
    assert (await opens(desk, desk.emma))[0] == SECOND
    await mends(desk)
    await desk.sees(desk.maria, "снова всё в порядке")
    await desk.lab.add_user("Новый", id=7200, is_client=True)
    assert (await opens(desk, 7200))[0] == FIRST


async def test_a_group_that_was_lost_unseen_passes_the_ticket_on(desk: Helpdesk) -> None:
    desk.telegram.world.chat(FIRST).is_forum = False  # no update tells of it
    assert (await opens(desk, desk.ivan))[0] == SECOND
    assert desk.logged("chat_closed_to_bot")


async def test_a_full_group_is_left_out_until_it_has_room_again(desk: Helpdesk) -> None:
    fault = await desk.lab.add_fault(
        "error",
        method="createForumTopic",
        chat_id=FIRST,
        code=400,
        description="Bad Request: TOPICS_TOO_MUCH",
    )
    assert (await opens(desk, desk.ivan))[0] == SECOND
    desk.app.watch.look()
    told = await desk.sees(desk.maria, "больше нельзя создавать темы")
    assert "Новые заявки пока открываются в других группах" in told["text"]
    assert (await opens(desk, desk.emma))[0] == SECOND
    await desk.lab.clear_faults(fault["id"])
    await desk.execute("UPDATE main_groups SET again_at = now()")
    await anyio.sleep(FRESH_S)  # nobody tells that the time has come
    await desk.lab.add_user("Новый", id=7200, is_client=True)
    assert (await opens(desk, 7200))[0] == FIRST
    desk.app.watch.look()
    await desk.sees(desk.maria, "снова всё в порядке")


async def test_tickets_of_a_lost_group_wait_for_it(desk: Helpdesk) -> None:
    case = await case_in(desk, FIRST)
    await away(desk)
    await desk.sees(desk.maria, "Добавьте бота в группу")
    await desk.client_writes(desk.ivan, "Вы ещё там?")
    await desk.client_writes(desk.emma, "Hello")
    await desk.sees(SECOND, "Hello")
    await back(desk)
    await desk.sees(FIRST, "Вы ещё там?", case.topic)


async def test_a_group_that_moved_keeps_its_tickets_and_gets_new_ones(desk: Helpdesk) -> None:
    case = await case_in(desk, FIRST)
    moved = (await desk.lab.migrate(FIRST))["id"]
    desk.app.watch.look()
    await desk.sees(desk.maria, "теперь другой номер")
    await desk.client_writes(desk.ivan, "Ещё вопрос")
    await desk.sees(moved, "Ещё вопрос", case.topic)
    await desk.lab.send(desk.maria, moved, "/ticket " + str(case.number))
    await desk.sees(moved, f"№{case.number}")
    await opens(desk, desk.emma)
    await desk.lab.add_user("Новый", id=7200, is_client=True)
    await desk.client_writes(7200, "Здравствуйте")
    await desk.lab.wait_topic(moved, "| Новый", timeout=DEADLINE_S)
