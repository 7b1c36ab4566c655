"""A ticket ends: by whom, what every chat shows then, and what the client's next words begin."""

import pytest

from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

CLOSE = "Закрыть"
NOT_SENT = "Не отправлено: заявка закрыта. Когда клиент напишет снова, откроется новая."


async def in_work(desk: Helpdesk) -> Case:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    return case


async def close_by(desk: Helpdesk, case: Case, how: str) -> str:
    """Closes the ticket; returns the name of whoever did it."""
    alice, group = desk.technician("alice")
    if how == "the button in the main topic":
        told = await desk.presses(desk.maria, desk.main, case.card, CLOSE)
        assert told["text"] == "Заявка закрыта."
        return "Мария"
    if how == "/close in the main topic":
        await desk.staff_writes(case, "/close")
        return "Мария"
    if how == "the button in the technician's topic":
        shown = await desk.shown(group, case.mirrors["alice"])
        [hello] = [message for message in shown if message["buttons"]]
        told = await desk.presses(alice, group, hello["message_id"], CLOSE)
        assert told["text"] == "Заявка закрыта."
    else:
        await desk.technician_writes(case, "alice", "/close")
    world = await desk.lab.world()
    return next(str(u["name"]) for u in world["users"] if u["id"] == alice)


@pytest.mark.parametrize(
    "how",
    [
        "the button in the main topic",
        "/close in the main topic",
        "the button in the technician's topic",
        "/close in the technician's topic",
    ],
)
async def test_a_ticket_is_closed_in_every_chat_and_the_client_is_asked(
    desk: Helpdesk, how: str
) -> None:
    case = await in_work(desk)
    who = await close_by(desk, case, how)
    await desk.settles()
    _, group = desk.technician("alice")
    for chat, thread in ((desk.main, case.topic), (group, case.mirrors["alice"])):
        topic = await desk.topic(chat, thread)
        assert topic["name"] == f"🟣 [Закрыт | @alice] #{case.number} | Иван"
        assert topic["closed"]
        assert f"Заявку закрыл(а) {who}." in await desk.texts(chat, thread)
        shown = await desk.shown(chat, thread)
        assert not any(message["buttons"] for message in shown), "nothing is left to press"
    survey = (await desk.shown(desk.ivan))[-1]
    assert survey["text"].startswith(f"Заявка №{case.number} закрыта.")
    assert [b["text"] for b in await desk.buttons(desk.ivan, survey["message_id"])] == list("12345")
    [row] = await desk.rows("SELECT status, closed_at IS NOT NULL AS dated FROM tickets")
    assert (row.status, row.dated) == ("CLOSED", True)
    actor = "STAFF" if "main" in how else "TECH"
    assert (actor, "closed") in await desk.events(case)


async def test_a_ticket_that_nobody_had_can_be_closed_too(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.closes(case)
    title = (await desk.topic(desk.main, case.topic))["name"]
    assert title == f"🟣 [Закрыт] #{case.number} | Иван"


async def test_closing_twice_closes_once_and_says_so(desk: Helpdesk) -> None:
    case = await in_work(desk)
    data = next(
        str(button["data"])
        for button in await desk.buttons(desk.main, case.card)
        if CLOSE in button["text"]
    )
    await desk.closes(case)
    told = await desk.presses_data(desk.maria, desk.main, case.card, data)
    assert told["text"] == "Эта заявка уже закрыта."
    await desk.settles()
    assert [action for _, action in await desk.events(case)].count("closed") == 1
    surveys = [text for text in await desk.texts(desk.ivan) if "1/3" in text]
    assert len(surveys) == 1


async def test_what_staff_and_technician_write_after_the_end_reaches_nobody_and_they_are_told(
    desk: Helpdesk,
) -> None:
    """Telegram lets administrators write in a closed topic."""
    case = await in_work(desk)
    await desk.closes(case)
    before = await desk.texts(desk.ivan)
    alice, group = desk.technician("alice")
    await desk.lab.promote(desk.main, desk.maria)
    await desk.lab.promote(group, alice)
    await desk.staff_writes(case, "ещё кое-что")
    await desk.technician_writes(case, "alice", "и от меня")
    await desk.settles()
    assert await desk.texts(desk.ivan) == before
    for chat, thread in ((desk.main, case.topic), (group, case.mirrors["alice"])):
        assert NOT_SENT in await desk.texts(chat, thread)


async def test_the_clients_next_words_open_a_ticket_that_names_the_former_one(
    desk: Helpdesk,
) -> None:
    former = await in_work(desk)
    await desk.closes(former)
    case = await desk.opens(desk.ivan, "Сломалось снова")
    assert case.number > former.number
    assert (
        f"Предыдущая заявка: №{former.number}"
        in ((await desk.message(desk.main, case.card))["text"])
    )
    receipt = f"Приняли новую заявку №{case.number} (предыдущая была №{former.number})."
    assert any(text.startswith(receipt) for text in await desk.texts(desk.ivan))
    assert "Сломалось снова" not in await desk.texts(desk.main, former.topic)
    statuses = await desk.rows("SELECT status FROM tickets ORDER BY id")
    assert [row.status for row in statuses] == ["CLOSED", "NEW"]


async def test_words_sent_while_the_ticket_is_being_closed_are_in_one_ticket_in_order(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    words = [f"вдогонку {n}" for n in range(8)]
    for number, text in enumerate(words):
        await desk.client_writes(desk.ivan, text)
        if number == len(words) // 2:
            await desk.staff_writes(case, "/close")
    await desk.settles()
    shown: list[str] = []
    for topic in sorted(await desk.topics(desk.main), key=lambda t: int(t["thread_id"])):
        shown += [t for t in await desk.texts(desk.main, topic["thread_id"]) if t in words]
    assert shown == words
