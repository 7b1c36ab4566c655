"""What cannot be delivered is shown in the ticket's topic, and can be tried again, once."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

NO = "Bad Request: SOMETHING_NEW_IN_TELEGRAM"


async def refuses(desk: Helpdesk, chat: int, method: str = "copyMessage", words: str = NO) -> None:
    """Telegram refuses such calls to the chat from now on."""
    await desk.lab.add_fault("error", method=method, chat_id=chat, code=400, description=words)


async def mended(desk: Helpdesk) -> None:
    await desk.lab.clear_faults()


def labels(message: Object) -> list[str]:
    return [button["text"] for row in message["buttons"] or [] for button in row]


async def retries(talk: Talk, card: Object) -> str:
    """Мария presses the card's button; returns what she is told."""
    desk = talk.desk
    told = await desk.presses(desk.maria, desk.main, card["message_id"], "Повторить")
    await desk.settles()
    return str(told["text"])


def data_of(card: Object) -> str:
    return str(card["buttons"][0][0]["data"])


@pytest.mark.parametrize(
    ("author", "reader", "whom"),
    [
        ("main", "client", "клиенту"),
        ("client", "main", "в эту тему"),
        ("client", "alice", "в группу техника"),
        ("alice", "client", "клиенту"),
    ],
)
async def test_a_card_says_what_to_whom_and_why_and_its_button_sends_it(
    desk: Helpdesk, author: str, reader: str, whom: str
) -> None:
    talk = await Talk.begins(desk)
    before = len(await talk.all(reader))
    await refuses(desk, talk.places[reader][1])
    await talk.writes(author, "Приедем завтра в десять")
    card = await talk.last("main")
    assert card["text"] == (
        f"⚠️ Не доставлено {whom}: сообщение «Приедем завтра в десять».\n"
        f"Причина: Telegram не принял его ({NO})."
    )
    assert labels(card) == ["🔁 Повторить"]
    await mended(desk)
    assert await retries(talk, card) == "Отправляем ещё раз."
    assert (await talk.now(card))["buttons"] is None
    arrived = [m for m in await talk.all(reader) if m["text"] == "Приедем завтра в десять"]
    assert len(arrived) == 1
    assert len(await talk.all(reader)) >= before + 1


async def test_the_author_in_the_technicians_group_hears_it_too(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    await talk.writes("alice", "Приедем завтра")
    told = await talk.last("alice")
    assert told["text"].startswith("⚠️ Сообщение не доставлено клиенту")
    assert told["buttons"] is None


@POLLING_TOO
async def test_a_button_acts_once_however_often_it_is_pressed(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    await talk.writes("main", "Приедем завтра")
    card = await talk.last("main")
    await mended(desk)
    await retries(talk, card)
    again = await desk.presses_data(desk.maria, desk.main, card["message_id"], data_of(card))
    assert again["text"] == "Уже отправлено ещё раз."
    await desk.settles()
    assert (await desk.texts(desk.ivan)).count("Приедем завтра") == 1


async def test_what_fails_again_gets_a_card_again(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    await talk.writes("main", "Приедем завтра")
    first = await talk.last("main")
    await retries(talk, first)
    second = await talk.last("main")
    assert second["message_id"] > first["message_id"]
    assert (second["text"], labels(second)) == (first["text"], ["🔁 Повторить"])
    await mended(desk)
    await retries(talk, second)
    assert (await desk.texts(desk.ivan)).count("Приедем завтра") == 1
    later = await talk.writes("client", "Хорошо")
    assert later["text"] == "Хорошо"
    assert (await talk.last("main"))["text"] == "Хорошо"


async def test_a_retried_message_is_linked_and_can_be_edited(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    message = await talk.writes("main", "Приедем завтра")
    card = await talk.last("main")
    await mended(desk)
    await retries(talk, card)
    await talk.edits("main", message, "Приедем послезавтра")
    assert (await talk.last("client"))["text"] == "Приедем послезавтра"


async def test_media_are_named_by_their_kind_and_long_words_are_cut(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    await talk.writes("main", "Схема", kind="photo")
    assert "клиенту: фото «Схема»." in (await talk.last("main"))["text"]
    await talk.writes("main", kind="sticker")
    assert "клиенту: стикер." in (await talk.last("main"))["text"]
    await talk.writes("main", "слово " * 50)
    assert "сообщение «слово слово" in (await talk.last("main"))["text"]
    assert "слово…»." in (await talk.last("main"))["text"]


async def test_a_message_deleted_before_it_could_be_copied_is_said_so(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan, words="Bad Request: message to copy not found")
    await talk.writes("main", "Приедем завтра")
    assert "Причина: исходное сообщение удалено" in (await talk.last("main"))["text"]


async def test_what_the_bot_says_itself_is_reported_once_and_the_newest_is_sent(
    desk: Helpdesk,
) -> None:
    talk = await Talk.begins(desk)
    _, group, _ = talk.places["alice"]
    await refuses(desk, group, "editForumTopic")
    names = ["Срочно", "Очень срочно"]
    cards = []
    for name in names:
        await desk.lab.topic(desk.maria, desk.main, "rename", thread=talk.case.topic, name=name)
        await desk.settles()
        cards.append(await talk.last("main"))
    assert cards[0]["text"].startswith("⚠️ Не доставлено в группу техника: новое название темы.")
    assert cards[1]["message_id"] == cards[0]["message_id"], "one card for both"
    await mended(desk)
    assert await retries(talk, cards[0]) == "Отправляем ещё раз."
    assert (await desk.topic(group, talk.case.mirrors["alice"]))["name"].endswith("Очень срочно")


async def test_what_no_retry_can_help_has_no_button(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan, words="Bad Request: the message can't be copied")
    await talk.writes("main", "Приедем завтра")
    told = await talk.last("main")
    assert told["text"].startswith("Такое сообщение переслать не получается")
    assert told["buttons"] is None


async def test_presses_from_elsewhere_and_made_up_ones_do_nothing(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    await talk.writes("main", "Приедем завтра")
    card = await talk.last("main")
    await mended(desk)
    other = await desk.opens(desk.emma, "Hello")
    data = data_of(card)
    assert data.startswith(f"rt:{talk.case.number}:")
    user, group, _ = talk.places["alice"]
    hello = next(m for m in await talk.all("alice") if m["buttons"])
    shown = len(await desk.texts(desk.ivan))
    forged = [
        (desk.maria, desk.main, other.card, data, "Эта кнопка здесь не действует."),
        (user, group, hello["message_id"], data, "This button does not work here."),
        (desk.maria, desk.main, card["message_id"], data + "1", "Уже отправлено ещё раз."),
        (desk.maria, desk.main, other.card, f"rt:{other.number}:1", "Уже отправлено ещё раз."),
    ]
    for who, chat, message, pressed, words in forged:
        told = await desk.presses_data(who, chat, message, pressed)
        assert told["text"] == words
    private = (await desk.shown(desk.ivan))[-1]["message_id"]
    told = await desk.presses_data(desk.ivan, desk.ivan, private, data)
    assert told["text"] == "Эта кнопка здесь не действует."
    await desk.settles()
    assert len(await desk.texts(desk.ivan)) == shown
    assert await retries(talk, card) == "Отправляем ещё раз.", "and the true one still acts"


async def test_a_restart_keeps_the_button(desk: Helpdesk) -> None:
    """The card is part of the ticket's snapshot, not of the program's memory."""
    talk = await Talk.begins(desk)
    await refuses(desk, desk.ivan)
    await talk.writes("main", "Приедем завтра")
    [row] = await desk.rows("SELECT snapshot -> 'failed' AS failed FROM tickets")
    [failed] = row.failed
    stored = await desk.value("SELECT state FROM outbox WHERE id = :id", id=failed["row"])
    assert stored == "undeliverable"
    await mended(desk)
    await retries(talk, await talk.last("main"))
    after = await desk.value("SELECT state FROM outbox WHERE id = :id", id=failed["row"])
    assert after == "superseded"
