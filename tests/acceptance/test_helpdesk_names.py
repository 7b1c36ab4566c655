"""Whatever people are called: a topic is made, and every text shows the name and nothing else."""

import pytest

from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

TITLE_UNITS_MAX = 128
CLIENT = 7001
ISOLATED = "\u2068{}\u2069"
"""How a name written from right to left stands in a title: it cannot turn the rest around."""

TURNING = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\0")
"""Characters that turn the text behind them around, or end it."""

NAMES = {
    "plain": "Иван Петров",
    "emoji": "🦊 Лиса 👩‍👩‍👧‍👦 🇷🇺",
    "markup": '<b>Боб</b> & <a href="tg://user?id=1">Ко</a> &amp; *_`[x](y)~||',
    "command": "/close @maria #1 | x",
    "fluent": '{ $ticket } {"}"} { client }',
    "percent": "%s {0} \\n 'OR 1=1;--",
    "zalgo": "Z̵͎̈́a̷l̸̨g̵̔o̷",
}
RIGHT_TO_LEFT = {"hebrew": "דני לוי", "arabic": "محمد (علي)"}


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


async def opens(desk: Helpdesk, name: str, username: str | None = None) -> Case:
    await desk.lab.add_user(name, id=CLIENT, username=username, language="ru", is_client=True)
    return await desk.opens(CLIENT)


async def titles(desk: Helpdesk, case: Case) -> list[str]:
    """The titles of the case's topics, the main one first."""
    found = [(await desk.topic(desk.main, case.topic))["name"]]
    for name, thread in case.mirrors.items():
        _, group = desk.technician(name)
        found.append((await desk.topic(group, thread))["name"])
    return found


async def assert_nothing_is_marked(desk: Helpdesk, case: Case) -> None:
    """No text of the desk's own was read as markup, and none holds marks of direction."""
    _, group = desk.technician("alice")
    places = [(CLIENT, None), (desk.main, case.topic), (group, case.mirrors["alice"])]
    found_by_telegram = {"mention", "hashtag", "bot_command", "url", "email"}
    for chat, thread in places:
        for message in await desk.shown(chat, thread):
            kinds = {entity["type"] for entity in message["entities"]}
            assert kinds <= found_by_telegram, message
            assert not TURNING & set(message["text"]), message


@pytest.mark.parametrize(
    "name", [*NAMES.values(), *RIGHT_TO_LEFT.values()], ids=[*NAMES, *RIGHT_TO_LEFT]
)
async def test_a_name_is_shown_as_it_is_from_the_first_title_to_the_last(
    desk: Helpdesk, name: str
) -> None:
    shown = ISOLATED.format(name) if name in RIGHT_TO_LEFT.values() else name
    case = await opens(desk, name)
    assert await titles(desk, case) == [f"🟢 [Новый] #{case.number} | {shown}"]
    card = await desk.message(desk.main, case.card)
    assert card["text"].startswith(f"👤 {name}\nID: {CLIENT}\n")
    await desk.assigns(case, "alice")
    assert await titles(desk, case) == [f"🟡 [В работе | @alice] #{case.number} | {shown}"] * 2
    _, group = desk.technician("alice")
    hello, _ = await desk.texts(group, case.mirrors["alice"])
    assert hello.startswith(f"Заявка №{case.number}, {name}. Всё, что вы напишете здесь")
    await desk.closes(case)
    assert await titles(desk, case) == [f"🟣 [Закрыт | @alice] #{case.number} | {shown}"] * 2
    await assert_nothing_is_marked(desk, case)


@pytest.mark.parametrize(
    "name",
    [
        "Ж" * 64 + " " + "щ" * 64,
        "🦊" * 64 + " " + "👩‍👩‍👧‍👦" * 9,
        "<&>" * 21 + " " + "<&>" * 21,
        "ש" * 129,
    ],
    ids=["letters", "emoji", "markup", "right to left"],
)
async def test_a_name_that_is_too_long_is_cut_and_the_status_and_the_number_never(
    desk: Helpdesk, name: str
) -> None:
    case = await opens(desk, name, username="u" * 32)
    seen = await titles(desk, case)
    await desk.assigns(case, "alice")
    seen += await titles(desk, case)
    await desk.closes(case)
    seen += await titles(desk, case)
    heads = ["🟢 [Новый]", *["🟡 [В работе | @alice]"] * 2, *["🟣 [Закрыт | @alice]"] * 2]
    for title, head in zip(seen, heads, strict=True):
        assert title.startswith(f"{head} #{case.number} | "), title
        assert units(title) <= TITLE_UNITS_MAX, title
        assert "…" in title, title
    assert seen[0].endswith(f"(@{'u' * 32})")
    await assert_nothing_is_marked(desk, case)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u202eevil\u202c\u2066", "evil"),
        ("Ева\nБраун\u2028\u0007", "Ева Браун"),
        ("\u200b\u2060\ufeff", str(CLIENT)),
    ],
    ids=["overrides", "lines", "nothing to see"],
)
async def test_a_name_of_hidden_characters_leaves_the_rest_of_the_line_alone(
    desk: Helpdesk, name: str, shown: str
) -> None:
    case = await opens(desk, name)
    assert await titles(desk, case) == [f"🟢 [Новый] #{case.number} | {shown}"]
    card = await desk.message(desk.main, case.card)
    assert card["text"].startswith(f"👤 {shown}\nID: {CLIENT}\n")
    await desk.assigns(case, "alice")
    await assert_nothing_is_marked(desk, case)


async def test_names_of_the_staff_stand_before_their_words_as_they_are(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    _, group = desk.technician("alice")
    last = (await desk.lab.messages(group))[-1]["message_id"]
    names = [*NAMES.values(), *RIGHT_TO_LEFT.values()]
    bold = {"type": "bold", "offset": 0, "length": 5}
    for user, name in enumerate(names, start=6001):
        await desk.lab.add_user(name, id=user, is_client=False)
        await desk.lab.join(desk.main, user)
        await desk.lab.send(user, desk.main, "Важно: <i>", thread=case.topic, entities=[bold])
        await desk.settles()
    copies = await desk.shown(group, case.mirrors["alice"], after=last)
    assert [copy["text"] for copy in copies] == [f"🛟 {name}:\nВажно: <i>" for name in names]
    for copy, name in zip(copies, names, strict=True):
        moved = {**bold, "offset": units(f"🛟 {name}:\n")}
        assert [each for each in copy["entities"] if each["type"] == "bold"] == [moved]


async def test_whoever_assigns_is_named_as_they_are(desk: Helpdesk) -> None:
    name = NAMES["markup"]
    await desk.lab.add_user(name, id=6001, is_client=False)
    await desk.lab.join(desk.main, 6001)
    case = await desk.opens(desk.ivan)
    first, second = [b["data"] for b in (await desk.buttons(desk.main, case.card))[:2]]
    told = await desk.presses_data(6001, desk.main, case.card, first)
    assert told["text"] == "Назначено: alice"
    told = await desk.presses_data(desk.maria, desk.main, case.card, second)
    assert told["text"] == f"Уже назначено: alice. Первым нажал(а) {name}."
    await desk.settles()
    texts = await desk.texts(desk.main, case.topic)
    assert texts[-1] == f"Назначен(а) alice. Назначил(а): {name}."
