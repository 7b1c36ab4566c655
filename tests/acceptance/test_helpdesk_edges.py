"""What must change nothing, what must be told, and what Telegram may do to us meanwhile."""

import pytest

from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

NOT_HERE = "Эта кнопка здесь не действует."
STALE = "Эта кнопка устарела."


async def counts(desk: Helpdesk) -> tuple[int, int, int]:
    """Tickets, events and effects so far."""
    [row] = await desk.rows(
        "SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM events), "
        "(SELECT count(*) FROM outbox)"
    )
    tickets, events, effects = row
    return tickets, events, effects


async def data_of(desk: Helpdesk, case: Case, label: str) -> str:
    buttons = await desk.buttons(desk.main, case.card)
    return next(str(button["data"]) for button in buttons if label in button["text"])


# --- ignored --------------------------------------------------------------------------------


async def test_service_messages_pins_and_strangers_commands_are_no_mail(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    before = await counts(desk)
    await desk.lab.add_user("Новенький", id=6001, is_client=False)
    await desk.lab.join(desk.main, 6001)
    await desk.lab.send(desk.maria, desk.main, kind="service", thread=case.topic)
    await desk.lab.kick(desk.main, 6001)
    await desk.staff_writes(case, "/unknown_command")
    await desk.settles()
    assert await counts(desk) == before


async def test_the_general_topic_of_the_main_group_is_no_ticket(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    before = await counts(desk)
    shown = await desk.texts(desk.ivan)
    await desk.lab.send(desk.maria, desk.main, "кто сегодня дежурит?")
    await desk.settles()
    assert await counts(desk) == before
    assert await desk.texts(desk.ivan) == shown
    assert "кто сегодня дежурит?" not in await desk.texts(desk.main, case.topic)


async def test_a_topic_of_the_staffs_own_and_a_strange_group_are_no_tickets(desk: Helpdesk) -> None:
    before = await counts(desk)
    own = await desk.lab.topic(desk.maria, desk.main, "create", name="Курилка")
    thread = own.get("thread_id") or own.get("message_thread_id")
    await desk.lab.send(desk.maria, desk.main, "перерыв?", thread=thread)
    await desk.lab.add_group("Чужая", id=-100777, members=[desk.maria, desk.scene.bot_id])
    await desk.lab.send(desk.maria, -100777, "есть тут кто?")
    await desk.settles()
    assert await counts(desk) == before


# --- buttons that must not act --------------------------------------------------------------


@pytest.mark.parametrize("data", ["", "x", "as:1", "as:0:0:0", "as:-1:1:0", "cl:abc", "🙈" * 16])
async def test_garbage_in_a_button_is_answered_and_changes_nothing(
    desk: Helpdesk, data: str
) -> None:
    case = await desk.opens(desk.ivan)
    before = await counts(desk)
    told = await desk.presses_data(desk.maria, desk.main, case.card, data)
    assert told["text"]
    await desk.settles()
    assert await counts(desk) == before


async def test_a_button_of_another_ticket_is_refused_and_logged(desk: Helpdesk) -> None:
    mine, other = await desk.opens(desk.ivan), await desk.opens(desk.emma, "Help")
    before = await counts(desk)
    for label in ("alice", "Закрыть"):
        data = await data_of(desk, other, label)
        told = await desk.presses_data(desk.maria, desk.main, mine.card, data)
        assert told["text"] == NOT_HERE
    await desk.settles()
    assert await counts(desk) == before
    assert len(desk.logged("press_refused")) == 2


async def test_a_client_cannot_press_the_staffs_buttons_nor_answer_for_another(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan)
    receipt = (await desk.shown(desk.ivan))[0]["message_id"]
    close = await data_of(desk, case, "Закрыть")
    told = await desk.presses_data(desk.ivan, desk.ivan, receipt, close)
    assert told["text"] == NOT_HERE
    survey = await desk.closes(case)
    score = str((await desk.buttons(desk.ivan, survey["message_id"]))[0]["data"])
    await desk.opens(desk.emma, "Help")
    letter = (await desk.shown(desk.emma))[0]["message_id"]
    told = await desk.presses_data(desk.emma, desk.emma, letter, score)
    assert told["text"] == "This button does not work here."
    await desk.settles()
    assert await desk.value("SELECT count(*) FROM feedback") == 0
    assert await desk.value("SELECT count(*) FROM events WHERE action = 'scored'") == 0


async def test_a_technician_who_left_cannot_be_given_a_ticket(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    data = await data_of(desk, case, "alice")
    parts = data.split(":")
    parts[2] = "999"
    told = await desk.presses_data(desk.maria, desk.main, case.card, ":".join(parts))
    assert told["text"] == STALE
    assert await desk.value("SELECT status FROM tickets") == "NEW"


# --- what people do to each other and to topics ---------------------------------------------


async def test_the_staff_learn_of_a_client_who_blocked_the_bot_and_of_each_message_not_delivered(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan)
    await desk.lab.block(desk.ivan)
    await desk.settles()
    await desk.staff_writes(case, "Вы здесь?")
    await desk.staff_writes(case, "Ау")
    await desk.settles()
    gone, *failed = [t for t in await desk.texts(desk.main, case.topic) if t.startswith("⚠️")]
    assert gone.startswith("⚠️ Клиент заблокировал бота или удалил аккаунт: сообщения до него не")
    for told in failed:
        assert told.startswith("⚠️ Сообщение не доставлено клиенту: клиент заблокировал бота")
    assert len(failed) == 2
    await desk.lab.unblock(desk.ivan)
    await desk.client_writes(desk.ivan, "вернулся")
    await desk.staff_writes(case, "С возвращением")
    await desk.settles()
    assert "вернулся" in await desk.texts(desk.main, case.topic)
    assert "С возвращением" in await desk.texts(desk.ivan)


async def test_a_topic_deleted_by_hand_is_made_again_and_nothing_is_lost(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.lab.topic(desk.maria, desk.main, "delete", thread=case.topic)
    words = ["раз", "два", "три"]
    for word in words:
        await desk.client_writes(desk.ivan, word)
    await desk.settles()
    [topic] = [t for t in await desk.topics(desk.main) if not t.get("deleted")]
    assert topic["thread_id"] != case.topic
    assert f"#{case.number}" in topic["name"]
    texts = await desk.texts(desk.main, topic["thread_id"])
    assert [text for text in texts if text in words] == words
    await desk.lab.send(desk.maria, desk.main, "вижу вас", thread=topic["thread_id"])
    await desk.settles()
    assert "вижу вас" in await desk.texts(desk.ivan)


# --- Telegram's moods -----------------------------------------------------------------------


async def test_an_update_that_comes_twice_or_late_counts_once(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.lab.add_fault("duplicate", times=2)
    words = [f"слово {n}" for n in range(5)]
    for word in words:
        await desk.client_writes(desk.ivan, word)
    await desk.staff_writes(case, "ответ")
    await desk.settles()
    texts = await desk.texts(desk.main, case.topic)
    assert [text for text in texts if text in words] == words
    assert (await desk.texts(desk.ivan)).count("ответ") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "too_many_requests", "retry_after": 1, "times_left": 2},
        {"kind": "server_error", "times_left": 3},
        {"kind": "bad_gateway", "times_left": 2},
        {"kind": "drop_before", "times_left": 2},
        {"kind": "slow", "seconds": 0.2, "times_left": 4},
    ],
    ids=lambda fault: str(fault["kind"]),
)
async def test_a_case_survives_what_telegram_does_to_its_calls(
    desk: Helpdesk, fault: dict[str, object]
) -> None:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    _, group = desk.technician("alice")
    shown = len(await desk.texts(desk.ivan))
    for method in ("copyMessage", "sendMessage"):
        await desk.lab.add_fault(**fault, method=method)  # type: ignore[arg-type]
    asked, answered = [f"вопрос {n}" for n in range(4)], [f"ответ {n}" for n in range(4)]
    for question, answer in zip(asked, answered, strict=True):
        await desk.client_writes(desk.ivan, question)
        await desk.technician_writes(case, "alice", answer)
    await desk.settles()
    assert (await desk.texts(desk.ivan))[shown:] == answered
    for chat, thread in ((desk.main, case.topic), (group, case.mirrors["alice"])):
        texts = await desk.texts(chat, thread)
        assert [text for text in texts if text in asked] == asked
