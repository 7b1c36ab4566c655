"""``/delete`` takes back what was sent; ``/edit`` tells that nobody needs it."""

import pytest

from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

GONE = "🗑 У клиента этого сообщения больше нет. Удалил(а) {}."


@pytest.mark.parametrize("kind", ["text", "photo", "sticker"])
async def test_what_the_staff_wrote_leaves_the_clients_chat_and_is_marked(
    desk: Helpdesk, kind: str
) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("main", "" if kind == "sticker" else "Пароль 12345", kind=kind)
    sent, copied = await talk.last("client"), await talk.last("alice")
    await talk.writes("main", "/delete", reply_to=written["message_id"])
    assert (await talk.now(sent))["deleted"]
    for place, about in (("main", written), ("alice", copied)):
        mark = await talk.last(place)
        assert (mark["text"], mark["reply_to"]) == (GONE.format("Мария"), about["message_id"])
    assert (await desk.events(talk.case))[-1] == ("SYSTEM", "deleted")


@pytest.mark.parametrize("place", ["alice", "main"])
async def test_what_the_technician_wrote_is_deleted_by_either(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("alice", "Пароль 12345")
    sent, copied = await talk.last("client"), await talk.last("main")
    target = {"alice": written, "main": copied}[place]
    await talk.writes(place, "/delete@topicdesk_demo_bot", reply_to=target["message_id"])
    assert (await talk.now(sent))["deleted"]
    who = {"alice": "Alice", "main": "Мария"}[place]
    assert (await talk.last("main"))["text"] == GONE.format(who)
    assert (await talk.last("alice"))["text"] == GONE.format(who)


@POLLING_TOO
async def test_who_joins_later_does_not_read_what_was_deleted(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    written = await desk.staff_writes(case, "Пароль 12345")
    await desk.settles()
    await desk.staff_writes(case, "/delete", reply_to=written["message_id"])
    await desk.settles()
    await desk.assigns(case, "alice")
    _, group = desk.technician("alice")
    texts = await desk.texts(group, case.mirrors["alice"])
    assert [text for text in texts if "Пароль" in text] == []
    assert "Не печатает принтер" in texts


async def test_a_clients_message_stays(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("client", "Это важно")
    shown = await talk.last("main")
    await talk.writes("main", "/delete", reply_to=shown["message_id"])
    assert not (await talk.now(written))["deleted"]
    assert (await talk.last("main"))["text"].startswith("Это написал клиент")


async def test_a_technician_deletes_nothing_of_the_staff(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await talk.writes("main", "Будем завтра")
    sent, copied = await talk.last("client"), await talk.last("alice")
    await talk.writes("alice", "/delete", reply_to=copied["message_id"])
    assert not (await talk.now(sent))["deleted"]
    assert (await talk.last("alice"))["text"].startswith("Это написали не вы")


async def test_a_deletion_that_telegram_refuses_is_said(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("main", "Будем завтра")
    sent = await talk.last("client")
    refusal = "Bad Request: message can't be deleted for everyone"
    await desk.lab.add_fault(
        "error", method="deleteMessage", times_left=1, code=400, description=refusal
    )
    await talk.writes("main", "/delete", reply_to=written["message_id"])
    assert not (await talk.now(sent))["deleted"]
    said = (await talk.last("main"))["text"]
    assert said.startswith("⚠️ Удалить сообщение у клиента не удалось")


@pytest.mark.parametrize(("words", "hint"), [("/delete", "/delete"), ("/edit", "исправьте")])
async def test_a_command_without_a_message_is_answered_with_a_hint(
    desk: Helpdesk, words: str, hint: str
) -> None:
    talk = await Talk.begins(desk)
    for place in ("main", "alice"):
        written = await talk.writes(place, words)
        shown = await talk.last(place)
        assert hint in shown["text"]
        assert shown["reply_to"] == written["message_id"]
    assert hint not in (await talk.last("client"))["text"]
