"""The desk's commands, from a person's message to what the chat shows, all parts real."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.desk.buttons import FoundData, ListData, Shelf
from lab.telegram import people
from lab.telegram.faults import FaultRule
from lab.telegram.model import Message
from tests.fakes.desk import scalar
from tests.fakes.desk_bench import Bench, buttons, open_bench

pytestmark = pytest.mark.anyio

FORGED = "Эта кнопка здесь не действует."
STALE = "Эта кнопка устарела."
STRANGER_COMMANDS = ("/techs", "/tickets", "/find 1", "/find", "/ticket 1", "/cancel", "/help")


@pytest.fixture
async def bench(engine: AsyncEngine, valkey_url: str) -> AsyncIterator[Bench]:
    async with open_bench(engine, valkey_url) as opened:
        yield opened


async def execute(bench: Bench, statement: str, **values: object) -> None:
    async with bench.engine.begin() as connection:
        await connection.execute(text(statement), values)


async def assign(bench: Bench, ticket_id: int, name: str = "alice") -> None:
    await execute(
        bench,
        "INSERT INTO technicians (name, group_chat_id) VALUES (:name, :chat) "
        "ON CONFLICT (name) DO NOTHING",
        name=name,
        chat=bench.lab.scene.alice_group_id if name == "alice" else bench.lab.scene.bob_group_id,
    )
    await execute(
        bench,
        "UPDATE tickets SET status = 'WORK', main_thread_id = 77, "
        "assigned_tech_id = (SELECT id FROM technicians WHERE name = :name) WHERE id = :id",
        id=ticket_id,
        name=name,
    )


async def say(bench: Bench, ticket_id: int, words: str) -> None:
    await execute(
        bench,
        "INSERT INTO events (ticket_id, seq, actor, action, payload) VALUES "
        "(:id, 1, 'CLIENT', 'said', "
        "jsonb_build_object('content', jsonb_build_object('text', CAST(:words AS text))))",
        id=ticket_id,
        words=words,
    )


async def staff(bench: Bench, words: str) -> Message:
    """Мария writes in General; the bot's one answer."""
    scene = bench.lab.scene
    [answer] = await bench.write(scene.maria_id, scene.main_group_id, words)
    return answer


def shown(bench: Bench, message: Message) -> Message:
    """The message as it is now."""
    found = bench.lab.world.chat(message.chat.id).message(message.id)
    assert found is not None
    return found


# --- who may --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", STRANGER_COMMANDS)
async def test_a_stranger_gets_nothing_for_a_command(bench: Bench, command: str) -> None:
    scene = bench.lab.scene
    assert await bench.write(scene.ivan_id, scene.ivan_id, command) == []
    assert await bench.write(scene.bob_id, scene.bob_group_id, command) == []
    assert bench.worker.stats().failed == 0


async def test_everybody_in_the_main_group_is_staff_and_so_is_its_anonymous_admin(
    bench: Bench,
) -> None:
    scene = bench.lab.scene
    bench.lab.world.set_member(
        bench.lab.world.chat(scene.main_group_id), bench.lab.world.user(scene.emma_id), "member"
    )
    assert await bench.write(scene.emma_id, scene.main_group_id, "/help")
    assert await bench.write(scene.maria_id, scene.main_group_id, "/help", anonymous=True)


async def test_an_administrator_is_served_anywhere(bench: Bench) -> None:
    scene = bench.lab.scene
    group = bench.lab.world.chat(scene.bob_group_id)
    bench.lab.world.set_member(group, bench.lab.world.user(scene.maria_id), "member")
    [in_private] = await bench.write(scene.maria_id, scene.maria_id, "/HELP")
    [in_group] = await bench.write(scene.maria_id, scene.bob_group_id, "/help@Topicdesk_demo_bot")
    assert "/tickets" in in_private.text
    assert in_group.text == in_private.text


async def test_an_answer_goes_into_the_thread_of_the_command(bench: Bench) -> None:
    scene = bench.lab.scene
    thread_id = await bench.lab.topic()
    [answer] = await bench.write(scene.maria_id, scene.main_group_id, "/help", thread_id=thread_id)
    assert answer.thread_id == thread_id


async def test_a_client_is_greeted_in_the_language_of_the_client(bench: Bench) -> None:
    scene = bench.lab.scene
    [russian] = await bench.write(scene.ivan_id, scene.ivan_id, "/start")
    [english] = await bench.write(scene.emma_id, scene.emma_id, "/start from_site")
    assert russian.text.startswith("Здравствуйте!")
    assert english.text.startswith("Hello!")
    assert await scalar(bench.engine, "SELECT count(*) FROM tickets") == 0


# --- lists ----------------------------------------------------------------------------------


async def test_techs_names_the_active_technicians_with_their_open_tickets(bench: Bench) -> None:
    first, second, third = await bench.tickets(3)
    for ticket_id in (first, third):
        await assign(bench, ticket_id)
    answer = await staff(bench, "/techs")
    assert f"alice — открыто 2: #{third}, #{first}" in answer.text
    assert "bob — свободен" in answer.text
    assert f"#{second}" not in answer.text


async def test_no_technicians_are_said_in_words(bench: Bench) -> None:
    bench.roster.technicians = ()
    assert (await staff(bench, "/techs")).text.startswith("Активных техников нет")


async def test_an_empty_list_is_said_in_words_for_each_status(bench: Bench) -> None:
    message = await staff(bench, "/tickets")
    assert message.text == "Заявок пока нет."
    for name, words in (
        ("🟢 Новые (0)", "🟢 Новых заявок нет."),
        ("🟡 В работе (0)", "🟡 Заявок в работе нет."),
        ("🟣 Закрытые (0)", "🟣 Закрытых заявок нет."),
    ):
        await bench.press(bench.lab.scene.maria_id, message, text=name)
        assert shown(bench, message).text == words


async def test_a_status_is_chosen_by_a_button_and_the_same_message_shows_it(bench: Bench) -> None:
    new, work = await bench.tickets(2)
    await assign(bench, work)
    message = await staff(bench, "/tickets")
    assert f"№{new}" in message.text
    assert buttons(message) == ["🟢 Новые (1)", "🟡 В работе (1)", "🟣 Закрытые (0)", "• Все (2)"]
    assert await bench.press(bench.lab.scene.maria_id, message, text="🟡 В работе (1)") == ""
    now = shown(bench, message)
    assert f"№{work} · Client 2 (@client2) · 👷 alice" in now.text
    assert f"№{new}" not in now.text
    assert "https://t.me/c/1000000001/77" in now.text
    assert "• 🟡 В работе (1)" in buttons(now)


async def test_the_pager_has_no_arrow_beyond_either_end(bench: Bench) -> None:
    tickets = await bench.tickets(25)
    maria = bench.lab.scene.maria_id
    message = await staff(bench, "/tickets")
    seen = []
    for row in (["1/3", "▶️"], ["◀️", "2/3", "▶️"], ["◀️", "3/3"]):
        now = shown(bench, message)
        assert buttons(now)[4:] == row
        seen += [ticket for ticket in reversed(tickets) if f"№{ticket} " in now.text]
        if "▶️" in row:
            await bench.press(maria, message, text="▶️")
    assert seen == tickets[::-1]
    await bench.press(maria, message, text="◀️")
    assert "2/3" in buttons(shown(bench, message))
    assert len(bench.said(message.chat.id)) == 1


async def test_a_page_too_far_is_the_last_and_a_page_shown_again_is_no_error(bench: Bench) -> None:
    await bench.tickets(11)
    message = await staff(bench, "/tickets")
    maria = bench.lab.scene.maria_id
    far = ListData(shelf=Shelf.ALL, page=999).pack()
    for _ in range(2):
        assert await bench.press(maria, message, data=far, forged=True) == ""
        assert buttons(shown(bench, message))[4:] == ["◀️", "2/2"]


# --- search ---------------------------------------------------------------------------------


async def test_find_takes_a_number_a_name_a_user_name_or_words_of_a_message(bench: Bench) -> None:
    tickets = await bench.tickets(3)
    await say(bench, tickets[1], "Мой принтер дымится")
    for words in (str(tickets[1]), "client 2", "@client2", "принтер дым"):
        answer = await staff(bench, f"/find {words}")
        assert f"№{tickets[1]} · Client 2" in answer.text, words
        assert f"№{tickets[2]} " not in answer.text, words


async def test_finding_nothing_is_said_in_words(bench: Bench) -> None:
    answer = await staff(bench, "/find жираф")
    assert answer.text == "По запросу «жираф» ничего не найдено."


async def test_pages_of_a_search_keep_its_words(bench: Bench) -> None:
    tickets = await bench.tickets(15)
    await assign(bench, tickets[0])
    message = await staff(bench, "/find client")
    assert buttons(message) == ["1/2", "▶️"]
    await bench.press(bench.lab.scene.maria_id, message, text="▶️")
    now = shown(bench, message)
    assert buttons(now) == ["◀️", "2/2"]
    assert "«client»" in now.text
    assert f"№{tickets[0]} " in now.text


async def test_a_page_whose_words_were_deleted_is_stale(bench: Bench) -> None:
    await bench.tickets(15)
    scene = bench.lab.scene
    [message] = await bench.write(scene.maria_id, scene.main_group_id, "/find client")
    chat = bench.lab.world.chat(scene.main_group_id)
    asked = chat.message(message.reply_to or 0)
    assert asked is not None
    bench.lab.world.delete(asked)
    assert await bench.press(scene.maria_id, message, text="▶️") == STALE


async def test_find_without_words_asks_in_general_and_a_reply_answers(bench: Bench) -> None:
    tickets = await bench.tickets(2)
    scene = bench.lab.scene
    question = await staff(bench, "/find")
    assert question.markup is not None
    assert question.markup["force_reply"] is True
    [answer] = await bench.write(
        scene.maria_id, scene.main_group_id, "client 2", reply_to=question.id
    )
    assert f"№{tickets[1]} · Client 2" in answer.text
    [late] = await bench.write(
        scene.maria_id, scene.main_group_id, "client 1", reply_to=question.id
    )
    assert "уже не ждёт" in late.text


async def test_the_question_of_one_is_not_answered_by_another(bench: Bench) -> None:
    scene = bench.lab.scene
    world = bench.lab.world
    world.set_member(world.chat(scene.main_group_id), world.user(scene.emma_id), "member")
    question = await staff(bench, "/find")
    [other] = await bench.write(scene.emma_id, scene.main_group_id, "x", reply_to=question.id)
    assert "уже не ждёт" in other.text


async def test_only_the_newest_question_waits_for_an_answer(bench: Bench) -> None:
    scene = bench.lab.scene
    first, second = await staff(bench, "/find"), await staff(bench, "/find")
    [late] = await bench.write(scene.maria_id, scene.main_group_id, "x", reply_to=first.id)
    [found] = await bench.write(scene.maria_id, scene.main_group_id, "x", reply_to=second.id)
    assert "уже не ждёт" in late.text
    assert found.text == "По запросу «x» ничего не найдено."


async def test_cancel_ends_the_question_and_says_so(bench: Bench) -> None:
    scene = bench.lab.scene
    question = await staff(bench, "/find")
    assert (await staff(bench, "/cancel")).text == "Хорошо, поиск отменён."
    assert (await staff(bench, "/cancel")).text.startswith("Отменять нечего")
    [late] = await bench.write(scene.maria_id, scene.main_group_id, "x", reply_to=question.id)
    assert "уже не ждёт" in late.text


async def test_find_without_words_explains_itself_where_no_answer_would_arrive(
    bench: Bench,
) -> None:
    scene = bench.lab.scene
    thread_id = await bench.lab.topic()
    [private] = await bench.write(scene.maria_id, scene.maria_id, "/find")
    [topic] = await bench.write(scene.maria_id, scene.main_group_id, "/find", thread_id=thread_id)
    assert private.text.startswith("Напишите, что найти")
    assert topic.text == private.text
    assert private.markup is None


async def test_without_redis_the_desk_answers_and_does_not_ask(engine: AsyncEngine) -> None:
    async with open_bench(engine, "redis://127.0.0.1:1") as bench:
        assert (await staff(bench, "/tickets")).text == "Заявок пока нет."
        assert (await staff(bench, "/find")).text.startswith("Напишите, что найти")
        assert (await staff(bench, "/find жираф")).text.endswith("ничего не найдено.")
        assert bench.worker.stats().failed == 0


# --- one ticket -----------------------------------------------------------------------------


async def test_ticket_shows_people_times_events_feedback_and_the_way_to_the_topic(
    bench: Bench,
) -> None:
    [ticket_id] = await bench.tickets(1)
    await assign(bench, ticket_id)
    await say(bench, ticket_id, "<b>Не</b>\n\u202eработает & _всё_")
    await execute(
        bench,
        "INSERT INTO feedback (ticket_id, q1, q2, q3, comment) VALUES (:id, 5, 4, 3, 'Хорошо')",
        id=ticket_id,
    )
    text_ = (await staff(bench, f"/ticket #{ticket_id}")).text
    assert text_.startswith(
        f"🟡 Заявка №{ticket_id}: в работе\nКлиент: Client 1 (@client1), ID 1\n"
    )
    for part in (
        "Техник: alice",
        "UTC",
        "https://t.me/c/1000000001/77",
        "решение — 5, скорость — 4, общение — 3. «Хорошо»",
        "клиент · сообщение: <b>Не</b> работает & _всё_",
    ):
        assert part in text_


async def test_a_ticket_full_of_long_words_fits_into_one_message(bench: Bench) -> None:
    [ticket_id] = await bench.tickets(1)
    await execute(bench, "UPDATE users SET full_name = :name", name="😀" * 128)
    for _ in range(20):
        await say(bench, ticket_id, "😀" * 4000)
    assert f"№{ticket_id}" in (await staff(bench, f"/ticket {ticket_id}")).text
    assert bench.worker.stats().failed == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("/ticket", "Укажите номер"),
        ("/ticket x", "Укажите номер"),
        ("/ticket 1 2", "Укажите номер"),
        ("/ticket 404", "Заявки №404 нет."),
        ("/ticket 9999999999999999999", "Заявки №9999999999999999999 нет."),
    ],
)
async def test_a_ticket_that_there_is_not_is_said_in_words(
    bench: Bench, words: str, said: str
) -> None:
    assert (await staff(bench, words)).text.startswith(said)


# --- buttons that must not work -------------------------------------------------------------


async def test_somebody_outside_the_staff_cannot_turn_pages(bench: Bench) -> None:
    await bench.tickets(15)
    scene = bench.lab.scene
    group = bench.lab.world.chat(scene.bob_group_id)
    bench.lab.world.set_member(group, bench.lab.world.user(scene.maria_id), "member")
    [message] = await bench.write(scene.maria_id, scene.bob_group_id, "/tickets")
    before = message.text
    assert await bench.press(scene.bob_id, message, text="▶️") == FORGED
    [entry] = [entry for entry in bench.logs if entry["event"] == "press_refused"]
    assert (entry["why"], entry["user"]) == ("not of the staff", scene.bob_id)
    assert shown(bench, message).text == before
    assert await bench.press(scene.maria_id, message, text="▶️") == ""


@pytest.mark.parametrize(
    "data",
    [ListData(shelf=Shelf.ALL, page=1).pack(), FoundData(page=1).pack()],
)
async def test_a_made_up_press_turns_no_other_message_into_a_list(bench: Bench, data: str) -> None:
    message = await staff(bench, "/help")
    maria = bench.lab.scene.maria_id
    assert await bench.press(maria, message, data=data, forged=True) == FORGED
    assert shown(bench, message).text == message.text


@pytest.mark.parametrize("data", ["", "x", "dl", "dl:ALL:0", "dl:OTHER:1", "dl:ALL:1:2", "df:-1"])
async def test_data_that_means_nothing_is_refused_politely(bench: Bench, data: str) -> None:
    await bench.tickets(11)
    message = await staff(bench, "/tickets")
    assert await bench.press(bench.lab.scene.maria_id, message, data=data, forged=True) == FORGED
    assert shown(bench, message).text == message.text


async def test_a_button_that_once_meant_something_is_out_of_date(bench: Bench) -> None:
    scene = bench.lab.scene
    markup = {"inline_keyboard": [[{"text": "Old", "callback_data": "old:1"}]]}
    sent = await bench.lab.ok(
        "sendMessage", chat_id=scene.main_group_id, text="old", reply_markup=markup
    )
    message = bench.lab.world.chat(scene.main_group_id).message(sent["message_id"])
    assert message is not None
    assert await bench.press(scene.maria_id, message, text="Old") == STALE


# --- the worker -----------------------------------------------------------------------------


async def test_who_blocks_the_bot_is_marked_and_unmarked(bench: Bench) -> None:
    scene = bench.lab.scene
    await bench.write(scene.ivan_id, scene.ivan_id, "Не печатает")
    query = "SELECT blocked FROM users WHERE tg_id = :id"
    for blocked in (True, False):
        people.block(bench.lab.world, scene.ivan_id, blocked=blocked)
        await bench.settle()
        assert await scalar(bench.engine, query, id=scene.ivan_id) is blocked


async def test_an_update_that_always_fails_is_given_up_after_five_times_and_holds_up_nobody(
    bench: Bench,
) -> None:
    scene = bench.lab.scene
    rule = FaultRule(
        kind="error", method="sendMessage", chat_id=scene.maria_id, code=400, description="Bad"
    )
    bench.lab.world.faults.add(rule)
    people.send(bench.lab.world, scene.maria_id, scene.maria_id, text="/help")
    people.send(bench.lab.world, scene.maria_id, scene.main_group_id, text="/help")
    await bench.settle()
    assert len(bench.said(scene.main_group_id)) == 1
    assert rule.hits == 5
    [(key, error, attempts)] = await bench.dead_letters()
    assert key.startswith("tg:42:")
    assert error == "TelegramBadRequest: Telegram server says - Bad"
    assert attempts == 5
    stats = bench.worker.stats()
    assert (stats.failed, stats.dead, stats.handled, stats.waits) == (5, 1, 1, 0)


async def test_an_unreadable_update_ends_in_the_dead_letters_without_what_it_says(
    bench: Bench,
) -> None:
    unreadable = {"update_id": 7, "message": {"message_id": "secret words"}}
    await bench.intake.accept_many([unreadable])
    await bench.until_handled()
    [(_, error, attempts)] = await bench.dead_letters()
    assert attempts == 1, "it does not become readable by waiting"
    assert error.startswith("UnreadableUpdate: message.")
    assert "secret words" not in error


@pytest.mark.parametrize("kind", ["too_many_requests", "server_error", "bad_gateway"])
async def test_trouble_with_telegram_is_waited_out_and_never_counted(
    bench: Bench, kind: str
) -> None:
    rule = FaultRule(kind=kind, method="sendMessage", times_left=7, retry_after=0)
    bench.lab.world.faults.add(rule)
    assert "/tickets" in (await staff(bench, "/help")).text
    assert rule.hits == 7
    assert await bench.dead_letters() == []
    stats = bench.worker.stats()
    assert (stats.failed, stats.waits, stats.handled) == (0, 7, 1)


async def test_a_client_who_blocked_the_bot_meanwhile_leaves_nothing_behind(bench: Bench) -> None:
    scene = bench.lab.scene
    people.send(bench.lab.world, scene.ivan_id, scene.ivan_id, text="/start")
    people.block(bench.lab.world, scene.ivan_id, blocked=True)
    await bench.settle()
    assert await bench.dead_letters() == []
    assert bench.worker.stats().failed == 0
