"""Every kind of message crosses the desk whole; what cannot be copied is said to its sender."""

from typing import Any

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

WORDS = "🖨️ Не печатает: https://example.org /start #срочно"
ENTITIES = [
    {"type": "bold", "offset": 0, "length": 3},
    {"type": "text_link", "offset": 4, "length": 2, "url": "https://example.org/a"},
]
MARKED: dict[str, Any] = {"text": WORDS, "entities": ENTITIES}

KINDS: dict[str, dict[str, Any]] = {
    "text": MARKED,
    "photo": MARKED,
    "video": MARKED,
    "animation": MARKED,
    "document": MARKED,
    "audio": MARKED,
    "voice": MARKED,
    "video_note": {},
    "sticker": {"payload": {"emoji": "🖨"}},
    "location": {"payload": {"latitude": 55.75, "longitude": 37.62}},
    "venue": {"payload": {"title": "Офис", "address": "Садовая, 1", "latitude": 55.7}},
    "contact": {"payload": {"phone_number": "+79990000000", "first_name": "Пётр"}},
    "poll": {"payload": {"question": "Когда удобно?", "options": ["Утром", "Вечером"]}},
    "dice": {"payload": {"emoji": "🎯", "value": 4}},
}
CAPTIONED = ("text", "photo", "video", "animation", "document", "audio", "voice")

FOREIGN = ("giveaway", "paid_media", "invoice", "story", "game", "hologram")
"""What ``copyMessage`` refuses; a hologram is a kind newer than the program."""

SORRY = "Такое сообщение переслать не получается. Пожалуйста, отправьте это по-другому:"
WHY = "сообщение.\nПричина: Telegram не позволяет пересылать"
NOT_HERE = "⚠️ Сообщение не доставлено в эту тему: Telegram не позволяет пересылать"
NOT_TO_TOPIC = f"⚠️ Не доставлено в эту тему: {WHY}"
NOT_TO_GROUP = f"⚠️ Не доставлено в группу техника: {WHY}"


async def in_work(desk: Helpdesk) -> Case:
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    return case


async def marks(desk: Helpdesk) -> dict[str, int]:
    """The last message of each chat, by who reads there."""
    _, group = desk.technician("alice")
    chats = {"client": desk.ivan, "main": desk.main, "alice": group}
    return {n: (await desk.lab.messages(c))[-1]["message_id"] for n, c in chats.items()}


async def since(desk: Helpdesk, case: Case, marks: dict[str, int]) -> dict[str, list[Object]]:
    """The bot's messages since then, by who reads them."""
    await desk.settles()
    _, group = desk.technician("alice")
    places: dict[str, tuple[int, int | None]] = {
        "client": (desk.ivan, None),
        "main": (desk.main, case.topic),
        "alice": (group, case.mirrors["alice"]),
    }
    return {n: await desk.shown(c, t, after=marks[n]) for n, (c, t) in places.items()}


def content(message: Object) -> Object:
    return {name: message[name] for name in ("kind", "text", "entities", "media")}


def labelled(message: Object, label: str) -> Object:
    """The content as it is read with its author's name above it, where there is room for one."""
    found = content(message)
    if found["kind"] not in CAPTIONED:
        return found
    units = len(label.encode("utf-16-le")) // 2 + 1
    moved = [{**entity, "offset": entity["offset"] + units} for entity in found["entities"]]
    return found | {"text": f"{label}\n{found['text']}", "entities": moved}


# --- whole ----------------------------------------------------------------------------------


async def test_every_kind_from_the_client_is_whole_in_both_topics(desk: Helpdesk) -> None:
    case = await in_work(desk)
    before = await marks(desk)
    written = [
        content(await desk.client_writes(desk.ivan, more.get("text", ""), kind=kind, **rest(more)))
        for kind, more in KINDS.items()
    ]
    seen = await since(desk, case, before)
    assert [content(message) for message in seen["main"]] == written
    assert [content(message) for message in seen["alice"]] == written
    assert seen["client"] == []
    query = "SELECT payload -> 'content' ->> 'kind' FROM events WHERE action = 'said' ORDER BY id"
    assert [kind for (kind,) in await desk.rows(query)] == ["text", *KINDS]


async def test_every_kind_as_the_first_message_opens_a_ticket(desk: Helpdesk) -> None:
    for user, (kind, more) in enumerate(KINDS.items(), start=7001):
        await desk.lab.add_user(f"Клиент {user}", id=user)
        await desk.client_writes(user, more.get("text", ""), kind=kind, **rest(more))
    await desk.settles()
    topics = await desk.topics(desk.main)
    shown = [(await desk.shown(desk.main, t["thread_id"]))[1] for t in topics]
    assert sorted(message["kind"] for message in shown) == sorted(KINDS)


async def test_every_kind_from_the_technician_is_whole_for_the_client_and_named_for_the_staff(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    before = await marks(desk)
    written = [
        await desk.technician_writes(case, "alice", more.get("text", ""), kind=kind, **rest(more))
        for kind, more in KINDS.items()
    ]
    seen = await since(desk, case, before)
    assert [content(m) for m in seen["client"]] == [content(m) for m in written]
    assert [content(m) for m in seen["main"]] == [labelled(m, "👷 alice:") for m in written]


async def test_every_kind_from_the_staff_is_whole_for_the_client_and_named_for_the_technician(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    before = await marks(desk)
    written = [
        await desk.staff_writes(case, more.get("text", ""), kind=kind, **rest(more))
        for kind, more in KINDS.items()
    ]
    seen = await since(desk, case, before)
    assert [content(m) for m in seen["client"]] == [content(m) for m in written]
    assert [content(m) for m in seen["alice"]] == [labelled(m, "🛟 Мария:") for m in written]


@pytest.mark.parametrize(("kind", "units"), [("text", 4096), ("photo", 1024)])
async def test_the_longest_texts_arrive_whole_even_where_a_name_no_longer_fits(
    desk: Helpdesk, kind: str, units: int
) -> None:
    case = await in_work(desk)
    before = await marks(desk)
    words = "🖨" * (units // 2)
    await desk.technician_writes(case, "alice", words, kind=kind)
    await desk.client_writes(desk.ivan, words, kind=kind)
    seen = await since(desk, case, before)
    texts = {name: [message["text"] for message in found] for name, found in seen.items()}
    assert texts == {"client": [words], "main": [words, words], "alice": [words]}


def rest(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if name != "text"}


# --- what cannot be copied ------------------------------------------------------------------


async def test_a_client_is_told_what_could_not_be_passed_on_and_the_staff_know_of_it(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    for kind in FOREIGN:
        before = await marks(desk)
        written = await desk.client_writes(desk.ivan, kind=kind)
        seen = await since(desk, case, before)
        [told] = seen["client"]
        assert told["text"].startswith(SORRY), kind
        assert told["reply_to"] == written["message_id"]
        [noticed] = seen["main"]
        assert noticed["text"].startswith(NOT_HERE), kind
        assert (await desk.events(case))[-1] == ("CLIENT", "unsupported")


async def test_an_english_client_is_told_in_english_even_by_a_first_message(desk: Helpdesk) -> None:
    await desk.client_writes(desk.emma, kind="giveaway")
    await desk.settles()
    [topic] = await desk.topics(desk.main)
    _, noticed = await desk.texts(desk.main, topic["thread_id"])
    assert noticed.startswith(NOT_HERE)
    receipt, told = await desk.texts(desk.emma)
    assert receipt.startswith("We have received your request")
    assert told.startswith("This kind of message cannot be passed on.")


async def test_staff_and_technician_are_told_where_they_wrote_and_the_client_sees_nothing(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    for kind in FOREIGN:
        before = await marks(desk)
        by_staff = await desk.staff_writes(case, kind=kind)
        by_technician = await desk.technician_writes(case, "alice", kind=kind)
        seen = await since(desk, case, before)
        assert seen["client"] == [], kind
        for name, written in (("main", by_staff), ("alice", by_technician)):
            [told] = seen[name]
            assert told["text"].startswith(SORRY), kind
            assert told["reply_to"] == written["message_id"]


async def test_what_is_protected_and_cannot_be_sent_anew_is_told_to_the_client_and_the_staff(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    before = await marks(desk)
    written = await desk.client_writes(desk.ivan, kind="dice", protected=True)
    await desk.client_writes(desk.ivan, "и ещё")
    seen = await since(desk, case, before)
    [told] = seen["client"]
    assert told["text"].startswith(SORRY)
    assert told["reply_to"] == written["message_id"]
    assert [message["text"] for message in seen["alice"]] == ["и ещё"]
    following, to_group, to_topic = sorted(message["text"] for message in seen["main"])
    assert following == "и ещё"
    assert to_group.startswith(NOT_TO_GROUP)
    assert to_topic.startswith(NOT_TO_TOPIC)
    assert [action for _, action in await desk.events(case)].count("delivery_failed") == 2


async def test_what_is_protected_and_cannot_be_sent_anew_is_told_where_it_was_written(
    desk: Helpdesk,
) -> None:
    case = await in_work(desk)
    before = await marks(desk)
    by_staff = await desk.staff_writes(case, kind="dice", protected=True)
    by_technician = await desk.technician_writes(case, "alice", kind="dice", protected=True)
    seen = await since(desk, case, before)
    assert seen["client"] == []
    for name, written in {"main": by_staff, "alice": by_technician}.items():
        [told] = [message for message in seen[name] if not message["text"].startswith("⚠️")]
        assert told["text"].startswith(SORRY)
        assert told["reply_to"] == written["message_id"]
    to_group, to_topic = sorted(
        message["text"] for message in seen["main"] if message["text"].startswith("⚠️")
    )
    assert to_group.startswith(NOT_TO_GROUP)
    assert to_topic.startswith(NOT_TO_TOPIC)
