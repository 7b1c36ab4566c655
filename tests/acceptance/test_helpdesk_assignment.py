"""Somebody takes a ticket: the technician's topic, what was said so far, and who was first."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

COLLEAGUES = 6
BURST = 5


async def button_data(desk: Helpdesk, case: Case, name: str) -> str:
    """What a technician's button carries as it is drawn now."""
    found = (b["data"] for b in await desk.buttons(desk.main, case.card) if name in b["text"])
    return str(next(found))


async def colleagues(desk: Helpdesk) -> dict[int, str]:
    """Staff besides Мария, in the main group."""
    people = {n: f"Коллега {n}" for n in range(6001, 6001 + COLLEAGUES)}
    for user, name in people.items():
        await desk.lab.add_user(name, id=user, is_client=False)
        await desk.lab.join(desk.main, user)
    return people


async def all_mirrors(desk: Helpdesk) -> list[Object]:
    groups = [desk.technician(name)[1] for name in ("alice", "bob")]
    return [topic for group in groups for topic in await desk.topics(group)]


async def mirror_texts(desk: Helpdesk, case: Case, name: str) -> list[str]:
    _, group = desk.technician(name)
    return await desk.texts(group, case.mirrors[name])


def hello(case: Case) -> str:
    return (
        f"Заявка №{case.number}, Иван. Всё, что вы напишете здесь, получит клиент. "
        "Строка с // или /note останется между нами."
    )


@pytest.mark.parametrize("name", ["alice", "bob"])
async def test_assigning_makes_the_technicians_topic_and_changes_both_titles(
    desk: Helpdesk, name: str
) -> None:
    case = await desk.opens(desk.ivan)
    told = await desk.assigns(case, name)
    assert told["text"] == f"Назначено: {name}"
    title = f"🟡 [В работе | @{name}] #{case.number} | Иван"
    await desk.lab.wait_topic(desk.main, title)
    assert [topic["name"] for topic in await all_mirrors(desk)] == [title]
    assert (await desk.texts(desk.main, case.topic))[
        -1
    ] == f"Назначен(а) {name}. Назначил(а): Мария."
    labels = [button["text"] for button in await desk.buttons(desk.main, case.card)]
    assert [label for label in labels if label.startswith("✓")] == [f"✓ {name}"]


async def test_the_card_asks_who_takes_the_ticket_only_while_nobody_has_it(desk: Helpdesk) -> None:
    async def card(case: Case) -> str:
        return str((await desk.message(desk.main, case.card))["text"])

    case = await desk.opens(desk.ivan)
    asking = await card(case)
    assert asking.endswith("\n\nКто займётся?")
    await desk.assigns(case, "alice")
    assert await card(case) == asking.removesuffix("\n\nКто займётся?")
    other = await desk.opens(desk.emma)
    await desk.closes(other)
    assert "Кто займётся?" not in await card(other)
    await desk.lab.topic(desk.maria, desk.main, "reopen", thread=other.topic)
    await desk.settles()
    assert (await card(other)).endswith("Кто займётся?"), "and nobody had it before"
    assert ("STAFF", "assigned") in await desk.events(case)
    assert len(await desk.texts(desk.ivan)) == 1, "the client hears of no shifts"


async def test_what_was_said_so_far_is_copied_in_order_and_the_staffs_notes_are_not(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan, "первое")
    await desk.staff_writes(case, "// клиент важный")
    await desk.staff_writes(case, "Какой у вас принтер?")
    await desk.settles()
    await desk.client_writes(desk.ivan, "вот такой", kind="photo")
    await desk.client_writes(desk.ivan, "и он мигает")
    await desk.settles()
    await desk.assigns(case, "alice")
    assert await mirror_texts(desk, case, "alice") == [
        hello(case),
        "первое",
        "🛟 Мария:\nКакой у вас принтер?",
        "вот такой",
        "и он мигает",
    ]
    _, group = desk.technician("alice")
    shown = await desk.shown(group, case.mirrors["alice"])
    assert [message["kind"] for message in shown] == ["text", "text", "text", "photo", "text"]
    assert [[b["text"] for b in row] for row in shown[0]["buttons"]] == [["✅ Закрыть заявку"]]


async def test_what_the_client_writes_while_somebody_presses_is_in_the_mirror_once_and_in_order(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan, "0")
    words = [str(number) for number in range(1, 2 * BURST + 1)]
    burst = [{"user": desk.ivan, "chat": desk.ivan, "text": word} for word in words]
    await desk.lab.send_many(burst[:BURST])
    query = await desk.lab.press(desk.maria, desk.main, case.card, text="alice")
    await desk.lab.send_many(burst[BURST:])
    await desk.lab.wait_answer(query)
    await desk.settles()
    [mirror] = await all_mirrors(desk)
    case.mirrors["alice"] = mirror["thread_id"]
    assert await mirror_texts(desk, case, "alice") == [hello(case), "0", *words]
    shown = await desk.shown(desk.main, case.topic)
    assert [m["text"] for m in shown if m["copied_from"]] == ["0", *words]


# --- who was first --------------------------------------------------------------------------


async def test_a_second_press_changes_nothing_and_is_told_who_was_first(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    outdated = {name: await button_data(desk, case, name) for name in ("alice", "bob")}
    await desk.assigns(case, "alice")
    before = await desk.texts(desk.main, case.topic)
    for name in ("alice", "bob"):
        told = await desk.presses_data(desk.maria, desk.main, case.card, outdated[name])
        assert told["text"] == "Уже назначено: alice. Первым нажал(а) Мария."
        assert told["alert"]
    told = await desk.presses(desk.maria, desk.main, case.card, "✓ alice")
    assert told["text"] == "alice уже работает с этой заявкой."
    await desk.settles()
    assert await desk.texts(desk.main, case.topic) == before
    assert len(await all_mirrors(desk)) == 1
    assert (await desk.events(case)).count(("STAFF", "assigned")) == 1


async def test_of_many_people_pressing_at_once_one_assigns_and_the_others_are_told_who(
    desk: Helpdesk,
) -> None:
    people = await colleagues(desk)
    case = await desk.opens(desk.ivan)
    data = [await button_data(desk, case, name) for name in ("alice", "bob")]
    queries = {
        await desk.lab.press(user, desk.main, case.card, data=data[n % 2]): user
        for n, user in enumerate(people)
    }
    told = {queries[q]: (await desk.lab.wait_answer(q))["text"] for q in queries}
    await desk.settles()
    [(first, success)] = [item for item in told.items() if item[1].startswith("Назначено")]
    name = success.removeprefix("Назначено: ")
    others = {text for user, text in told.items() if user != first}
    assert others == {f"Уже назначено: {name}. Первым нажал(а) {people[first]}."}
    [mirror] = await all_mirrors(desk)
    assert mirror["name"] == f"🟡 [В работе | @{name}] #{case.number} | Иван"
    assert (await desk.topic(desk.main, case.topic))["name"] == mirror["name"]
    assert await desk.value("SELECT count(*) FROM tech_threads") == 1
    assert [a for _, a in await desk.events(case)].count("assigned") == 1


async def test_a_double_click_assigns_once(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    press = (desk.maria, desk.main, case.card)
    queries = [await desk.lab.press(*press, text="alice") for _ in range(3)]
    told = [(await desk.lab.wait_answer(query))["text"] for query in queries]
    await desk.settles()
    assert told.count("Назначено: alice") == 1
    assert len(await all_mirrors(desk)) == 1
    assert [a for _, a in await desk.events(case)].count("assigned") == 1


# --- another technician ---------------------------------------------------------------------


async def test_reassigning_closes_the_old_mirror_with_a_word_and_gives_the_new_one_the_history(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan, "первое")
    await desk.assigns(case, "alice")
    await desk.technician_writes(case, "alice", "Сейчас посмотрю")
    await desk.settles()
    told = await desk.assigns(case, "bob")
    assert told["text"] == "Назначено: bob"
    _, group = desk.technician("alice")
    assert (await mirror_texts(desk, case, "alice"))[-1] == (
        "Заявка передана: теперь с ней работает bob."
    )
    assert (await desk.topic(group, case.mirrors["alice"]))["closed"]
    assert await mirror_texts(desk, case, "bob") == [
        hello(case),
        "первое",
        "👷 alice:\nСейчас посмотрю",
    ]
    title = f"🟡 [В работе | @bob] #{case.number} | Иван"
    assert (await desk.topic(desk.main, case.topic))["name"] == title
    assert (await desk.texts(desk.main, case.topic))[-1] == (
        "Заявка передана: alice → bob. Передал(а): Мария."
    )
    assert ("STAFF", "reassigned") in await desk.events(case)


async def test_after_reassigning_only_the_new_technician_is_in_the_talk(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    await desk.assigns(case, "bob")
    alices = await mirror_texts(desk, case, "alice")
    await desk.client_writes(desk.ivan, "вы здесь?")
    await desk.technician_writes(case, "bob", "я здесь")
    await desk.technician_writes(case, "alice", "и я")
    await desk.settles()
    assert (await mirror_texts(desk, case, "bob"))[-1] == "вы здесь?"
    assert (await desk.texts(desk.ivan))[1:] == ["я здесь"]
    assert "👷 bob:\nя здесь" in await desk.texts(desk.main, case.topic)
    assert await mirror_texts(desk, case, "alice") == [
        *alices,
        "Не отправлено: с заявкой работает bob.",
    ]


async def test_reassigning_back_finds_the_same_topic_and_fills_in_what_was_said_meanwhile(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan, "первое")
    await desk.assigns(case, "alice")
    await desk.client_writes(desk.ivan, "при Алисе")
    await desk.settles()
    await desk.assigns(case, "bob")
    await desk.client_writes(desk.ivan, "при Бобе")
    await desk.settles()
    await desk.technician_writes(case, "bob", "отвечаю")
    await desk.settles()
    before, thread = await mirror_texts(desk, case, "alice"), case.mirrors["alice"]
    await desk.assigns(case, "alice")
    assert (await mirror_texts(desk, case, "alice"))[len(before) :] == [
        hello(case),
        "при Бобе",
        "👷 bob:\nотвечаю",
    ]
    found = [(topic["thread_id"], topic["closed"]) for topic in await all_mirrors(desk)]
    assert found == [(thread, False), (case.mirrors["bob"], True)]
    await desk.technician_writes(case, "alice", "снова я")
    await desk.sees(desk.ivan, "снова я")


async def test_a_mirror_deleted_by_hand_is_made_anew_when_the_ticket_comes_back(
    desk: Helpdesk,
) -> None:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    await desk.assigns(case, "bob")
    alice, group = desk.technician("alice")
    await desk.lab.topic(alice, group, "delete", thread=case.mirrors["alice"])
    await desk.client_writes(desk.ivan, "при Бобе")
    await desk.settles()
    await desk.assigns(case, "alice")
    await desk.client_writes(desk.ivan, "снова Алисе")
    await desk.settles()
    assert (await mirror_texts(desk, case, "alice"))[-2:] == ["при Бобе", "снова Алисе"]
    await desk.technician_writes(case, "alice", "снова я")
    await desk.sees(desk.ivan, "снова я")
