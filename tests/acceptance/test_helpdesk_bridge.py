"""Everybody writes: who reads what in which chat, what stays inside, and in which order."""

from dataclasses import dataclass
from typing import Self

import pytest

from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

BURST = 8
"""Messages of each author at once."""

ASIDES = [
    ("/note клиент уже звонил", "noted"),
    ("/note@topicdesk_demo_bot клиент уже звонил", "noted"),
    ("// он из бухгалтерии", "noted"),
    ("Кстати:\n  // он из бухгалтерии", "noted"),
    ("@petrov помоги с сетью", "specialist_called"),
    ("@petrov, help please", "specialist_called"),
]


async def in_work(desk: Helpdesk, name: str = "alice", client: int = 0) -> Case:
    case = await desk.opens(client or desk.ivan, "Не печатает принтер")
    await desk.assigns(case, name)
    return case


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a ticket's chats show from now on."""

    desk: Helpdesk
    places: dict[str, tuple[int, int | None, int]]
    """Chat, thread and the last message so far, by who reads there."""

    @classmethod
    async def begins(cls, desk: Helpdesk, case: Case) -> Self:
        chats: dict[str, tuple[int, int | None]] = {"client": (case.client, None)}
        chats["main"] = (desk.main, case.topic)
        for name, thread in case.mirrors.items():
            chats[name] = (desk.technician(name)[1], thread)
        places = {
            name: (chat, thread, (await desk.lab.messages(chat))[-1]["message_id"])
            for name, (chat, thread) in chats.items()
        }
        return cls(desk=desk, places=places)

    async def texts(self) -> dict[str, list[str]]:
        """The bot's new messages by reader, once everything has settled."""
        await self.desk.settles()
        return {
            name: await self.desk.texts(chat, thread, after=last)
            for name, (chat, thread, last) in self.places.items()
        }


# --- who reads what -------------------------------------------------------------------------


async def test_the_client_reads_the_technician_without_a_name_and_the_staff_with_one(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.technician_writes(case, "alice", "Перезагрузите принтер")
    assert await reading.texts() == {
        "client": ["Перезагрузите принтер"],
        "main": ["👷 alice:\nПерезагрузите принтер"],
        "alice": [],
    }
    answer = (await desk.shown(desk.ivan))[-1]
    assert answer["from"]["id"] == desk.scene.bot_id
    assert not answer["forwarded"], "a forwarded message would show its author"


async def test_the_client_reads_the_staff_without_a_name_and_the_technician_with_one(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.staff_writes(case, "Мастер приедет завтра")
    assert await reading.texts() == {
        "client": ["Мастер приедет завтра"],
        "main": [],
        "alice": ["🛟 Мария:\nМастер приедет завтра"],
    }
    assert not (await desk.shown(desk.ivan))[-1]["forwarded"]


async def test_what_the_client_writes_is_in_both_topics_just_as_written(desk: Helpdesk) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.client_writes(desk.ivan, "// @petrov помоги: https://example.org/a")
    assert await reading.texts() == {
        "client": [],
        "main": ["// @petrov помоги: https://example.org/a"],
        "alice": ["// @petrov помоги: https://example.org/a"],
    }


async def test_before_anybody_has_the_ticket_the_staff_talk_with_the_client(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    reading = await Reading.begins(desk, case)
    await desk.staff_writes(case, "Здравствуйте!")
    await desk.sees(desk.ivan, "Здравствуйте!")
    await desk.client_writes(desk.ivan, "Добрый день")
    assert await reading.texts() == {"client": ["Здравствуйте!"], "main": ["Добрый день"]}


async def test_anonymous_admins_of_the_main_group_are_staff(desk: Helpdesk) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.staff_writes(case, "Мы разбираемся", anonymous=True)
    await desk.settles()
    await desk.staff_writes(case, "// между нами", anonymous=True)
    assert await reading.texts() == {
        "client": ["Мы разбираемся"],
        "main": [],
        "alice": ["🛟 Поддержка:\nМы разбираемся"],
    }
    assert (await desk.events(case))[-2:] == [("STAFF", "said"), ("STAFF", "noted")]


async def test_an_anonymous_admin_of_a_technicians_group_writes_as_the_technician(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.technician_writes(case, "alice", "Уже еду", anonymous=True)
    assert await reading.texts() == {
        "client": ["Уже еду"],
        "main": ["👷 alice:\nУже еду"],
        "alice": [],
    }


async def test_the_talks_of_two_tickets_never_meet(desk: Helpdesk) -> None:
    ivans, emmas = await in_work(desk, "alice"), await in_work(desk, "bob", desk.emma)
    of_ivan, of_emma = await Reading.begins(desk, ivans), await Reading.begins(desk, emmas)
    await desk.technician_writes(ivans, "alice", "Ивану")
    await desk.staff_writes(emmas, "Эмме")
    await desk.client_writes(desk.ivan, "от Ивана")
    await desk.client_writes(desk.emma, "от Эммы")
    seen = await of_ivan.texts()
    assert seen["client"] == ["Ивану"]
    assert sorted(seen["main"]) == ["от Ивана", "👷 alice:\nИвану"]
    assert seen["alice"] == ["от Ивана"]
    seen = await of_emma.texts()
    assert (seen["client"], seen["main"]) == (["Эмме"], ["от Эммы"])
    assert sorted(seen["bob"]) == ["от Эммы", "🛟 Мария:\nЭмме"]


# --- what stays inside ----------------------------------------------------------------------


@pytest.mark.parametrize(("words", "action"), ASIDES)
async def test_an_aside_is_an_event_that_only_the_staff_read(
    desk: Helpdesk, words: str, action: str
) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    _, group = desk.technician("alice")
    written = await desk.staff_writes(case, words)
    assert await reading.texts() == {"client": [], "main": [], "alice": []}
    assert await last_event(desk, case) == ("STAFF", action, "Мария", words)
    assert await reaction(desk, desk.main, written["message_id"]) == "✍"
    written = await desk.technician_writes(case, "alice", words)
    assert await reading.texts() == {
        "client": [],
        "main": [f"📝 alice (заметка):\n{words}"],
        "alice": [],
    }
    assert await last_event(desk, case) == ("TECH", action, "Alice", words)
    assert await reaction(desk, group, written["message_id"]) == "✍"


@pytest.mark.parametrize("words", ["// скрытая подпись", "/note скрытая подпись"])
async def test_a_photo_with_an_aside_for_a_caption_stays_inside(desk: Helpdesk, words: str) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.staff_writes(case, words, kind="photo")
    await desk.technician_writes(case, "alice", words, kind="photo")
    assert await reading.texts() == {
        "client": [],
        "main": [f"📝 alice (заметка):\n{words}"],
        "alice": [],
    }


@pytest.mark.parametrize(
    "words",
    ["Смотрите https://example.org//a", "Пишите на a@example.org", "@ivan спасибо!", "7 // 2"],
)
async def test_what_only_looks_like_an_aside_reaches_the_client(desk: Helpdesk, words: str) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    await desk.staff_writes(case, words)
    seen = await reading.texts()
    assert (seen["client"], seen["alice"]) == ([words], [f"🛟 Мария:\n{words}"])


async def last_event(desk: Helpdesk, case: Case) -> tuple[str, str, str, str]:
    """The last line of the log: whose, what, and the author and the words that it keeps."""
    query = "SELECT actor, action, payload FROM events WHERE ticket_id = :id ORDER BY id DESC"
    row = (await desk.rows(query, id=case.number))[0]
    return row.actor, row.action, row.payload["author"], row.payload["content"]["text"]


async def reaction(desk: Helpdesk, chat: int, message_id: int) -> str:
    [found] = (await desk.message(chat, message_id))["reactions"]
    assert found["from"] == desk.scene.bot_id
    return str(found["emoji"])


# --- in which order -------------------------------------------------------------------------


async def test_three_authors_at_once_are_read_everywhere_each_in_order_and_once(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    reading = await Reading.begins(desk, case)
    alice, group = desk.technician("alice")
    authors = {
        "клиент": {"user": desk.ivan, "chat": desk.ivan},
        "Мария": {"user": desk.maria, "chat": desk.main, "thread": case.topic},
        "alice": {"user": alice, "chat": group, "thread": case.mirrors["alice"]},
    }
    await desk.lab.send_many(
        [
            {**place, "text": f"{author} {number}"}
            for number in range(BURST)
            for author, place in authors.items()
        ]
    )
    readers = {
        "client": ("Мария", "alice"),
        "main": ("клиент", "alice"),
        "alice": ("клиент", "Мария"),
    }
    for chat, texts in (await reading.texts()).items():
        said = [text.rpartition("\n")[2] for text in texts]
        assert len(said) == 2 * BURST, chat
        for author in readers[chat]:
            expected = [f"{author} {number}" for number in range(BURST)]
            assert [text for text in said if text.startswith(author)] == expected, chat
