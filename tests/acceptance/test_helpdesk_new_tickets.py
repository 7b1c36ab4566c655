"""A client writes: a ticket, its topic, its card; many at once; the language of the client."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk

pytestmark = pytest.mark.anyio

CLIENTS, FIRST_MESSAGES = 10, 10


def sent_by(client: int, number: int) -> dict[str, object]:
    return {"user": client, "chat": client, "text": f"{client}: {number}"}


def from_client(messages: list[Object]) -> list[str]:
    return [message["text"] for message in messages if message["copied_from"] is not None]


async def test_a_first_message_opens_a_ticket_with_topic_card_buttons_and_receipt(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan, "Не печатает принтер")
    topic = await desk.topic(desk.main, case.topic)
    assert topic["name"] == f"🟢 [Новый] #{case.number} | Иван (@ivan)"
    card, copy = await desk.shown(desk.main, case.topic)
    assert card["text"].startswith("👤 Иван\n@ivan\n")
    assert [[button["text"] for button in row] for row in card["buttons"]] == [
        ["alice", "bob"],
        ["✅ Закрыть заявку"],
    ]
    assert copy["text"] == "Не печатает принтер"
    assert await desk.texts(desk.ivan) == [
        f"Приняли вашу заявку №{case.number}. Ответим здесь же, в этом чате."
    ]
    assert await desk.value("SELECT status FROM tickets") == "NEW"


async def test_what_the_client_writes_next_goes_to_the_open_ticket(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan, "первое")
    await desk.client_writes(desk.ivan, "второе")
    await desk.client_writes(desk.ivan, "третье")
    await desk.settles()
    assert (await desk.texts(desk.main, case.topic))[1:] == ["первое", "второе", "третье"]
    assert len(await desk.topics(desk.main)) == 1
    assert len(await desk.shown(desk.ivan)) == 1


async def test_ten_first_messages_at_once_make_one_ticket_and_one_topic_in_order(
    desk: Helpdesk,
) -> None:
    await desk.lab.send_many([sent_by(desk.ivan, n) for n in range(FIRST_MESSAGES)])
    await desk.sees(desk.main, f"{desk.ivan}: {FIRST_MESSAGES - 1}")
    await desk.settles()
    [topic] = await desk.topics(desk.main)
    copies = from_client(await desk.shown(desk.main, topic["thread_id"]))
    assert copies == [f"{desk.ivan}: {n}" for n in range(FIRST_MESSAGES)]
    assert await desk.value("SELECT count(*) FROM tickets") == 1
    assert len(await desk.shown(desk.ivan)) == 1


async def test_ten_clients_with_ten_first_messages_each_make_ten_tickets_all_in_order(
    desk: Helpdesk,
) -> None:
    clients = list(range(7001, 7001 + CLIENTS))
    for client in clients:
        await desk.lab.add_user(f"Клиент {client}", id=client, is_client=True)
    burst = [sent_by(client, n) for n in range(FIRST_MESSAGES) for client in clients]
    await desk.lab.send_many(burst)
    await desk.settles()
    topics = await desk.topics(desk.main)
    assert len(topics) == CLIENTS
    assert await desk.value("SELECT count(*) FROM tickets") == CLIENTS
    found = [from_client(await desk.shown(desk.main, topic["thread_id"])) for topic in topics]
    assert sorted(found) == [[f"{c}: {n}" for n in range(FIRST_MESSAGES)] for c in clients]
    for client in clients:
        [receipt] = await desk.texts(client)
        assert receipt.startswith("Приняли вашу заявку")


async def test_an_english_client_reads_english_and_the_staff_read_the_desks_language(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.emma, "My printer does not print")
    title = (await desk.topic(desk.main, case.topic))["name"]
    assert title == f"🟢 [Новый] #{case.number} | Emma"
    assert (await desk.message(desk.main, case.card))["text"].endswith("Кто займётся?")
    await desk.closes(case)
    receipt, survey = await desk.shown(desk.emma)
    assert receipt["text"].startswith(f"We have received your request #{case.number}")
    assert survey["text"].startswith(f"Request #{case.number} is closed.")
    told = await desk.presses(desk.emma, desk.emma, survey["message_id"], "3")
    assert told["text"] == "Thank you!"
    for mark in ("4", "5"):
        await desk.settles()
        await desk.presses(desk.emma, desk.emma, survey["message_id"], mark)
    await desk.settles()
    [skip] = await desk.buttons(desk.emma, survey["message_id"])
    assert skip["text"] == "Skip"


async def test_a_client_without_a_language_reads_the_desks(desk: Helpdesk) -> None:
    await desk.lab.add_user("Nemo", id=7001, is_client=True)
    await desk.opens(7001)
    assert (await desk.texts(7001))[0].startswith("Приняли вашу заявку")


@pytest.mark.parametrize("command", ["/start", "/start from_site"])
async def test_start_greets_and_opens_no_ticket(desk: Helpdesk, command: str) -> None:
    await desk.client_writes(desk.ivan, command)
    await desk.sees(desk.ivan, "Здравствуйте!")
    await desk.settles()
    assert await desk.topics(desk.main) == []
