"""The client goes away and comes back; a banned one hears it once."""

import pytest

from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

GONE = "⚠️ Клиент заблокировал бота"


async def goes(talk: Talk) -> None:
    await talk.desk.lab.block(talk.desk.ivan)
    await talk.desk.settles()


async def returns(talk: Talk) -> None:
    await talk.desk.lab.unblock(talk.desk.ivan)
    await talk.desk.settles()


async def test_the_staff_see_at_once_that_the_client_left_and_that_the_client_is_back(
    desk: Helpdesk,
) -> None:
    talk = await Talk.begins(desk)
    await goes(talk)
    assert (await talk.last("main"))["text"].startswith(GONE)
    await returns(talk)
    back = await talk.last("main")
    assert (back["text"], back["buttons"]) == ("Клиент снова на связи.", None)
    assert await desk.value("SELECT blocked FROM users WHERE tg_id = :id", id=desk.ivan) is False


@POLLING_TOO
async def test_what_waited_is_sent_in_order_when_the_staff_ask_for_it(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await goes(talk)
    shown = len(await talk.all("client"))
    await talk.writes("main", "Будем завтра")
    await talk.writes("alice", "Схема", kind="photo")
    assert len(await talk.all("client")) == shown
    await returns(talk)
    back = await talk.last("main")
    assert back["text"] == "Клиент снова на связи. Ждёт отправки сообщений: 2."
    told = await desk.presses(desk.maria, desk.main, back["message_id"], "Отправить")
    assert told["text"] == "Отправляем: 2"
    await desk.settles()
    sent = (await talk.all("client"))[shown:]
    assert [(m["kind"], m["text"]) for m in sent] == [("text", "Будем завтра"), ("photo", "Схема")]
    assert (await talk.now(back))["buttons"] is None
    again = await desk.presses_data(desk.maria, desk.main, back["message_id"], "re:1")
    assert again["text"] == "Отправлять нечего."
    assert len(await talk.all("client")) == shown + 2


async def test_a_client_who_writes_is_back(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await goes(talk)
    await talk.writes("main", "Будем завтра")
    await returns(talk)
    await goes(talk)
    await returns(talk)
    await talk.writes("client", "Я тут")
    assert (await talk.last("main"))["text"] == "Я тут"


async def test_a_deleted_account_is_said_when_something_cannot_arrive(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    desk.telegram.world.user(desk.ivan).deactivated = True
    await talk.writes("main", "Будем завтра")
    assert (await talk.last("main"))["text"].startswith(GONE)


async def test_who_never_wrote_is_nobodys_client(desk: Helpdesk) -> None:
    await desk.lab.block(desk.emma)
    await desk.lab.unblock(desk.emma)
    await desk.settles()
    assert await desk.value("SELECT count(*) FROM tickets") == 0


async def test_a_banned_client_hears_it_once_and_reaches_nobody(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await talk.writes("main", "/ban")
    heard = (await talk.all("client"))[-1]
    assert heard["text"] == "Мы больше не принимаем от вас сообщений."
    before = [len(await talk.all(place)) for place in ("client", "main", "alice")]
    for words in ("Эй", "Почему?"):
        await talk.writes("client", words)
    assert [len(await talk.all(place)) for place in ("client", "main", "alice")] == before
    await desk.closes(talk.case)
    await talk.writes("client", "Новая заявка?")
    assert await desk.value("SELECT count(*) FROM tickets") == 1
    await talk.writes("main", "/unban")
    case = await desk.opens(desk.ivan, "Спасибо")
    assert case.number != talk.case.number
