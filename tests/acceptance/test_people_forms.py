"""What Telegram takes in no ordinary form arrives in the best one there is, or its sender hears."""

import pytest

from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, LABELS, OTHERS, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

PLACES = pytest.mark.parametrize("place", list(OTHERS))
LONG = "длинно " * 200
ENTITIES = [{"type": "bold", "offset": 0, "length": 3}]


@PLACES
@pytest.mark.parametrize("kind", ["text", "photo", "voice", "sticker"])
async def test_protected_content_arrives_and_stays_protected(
    desk: Helpdesk, place: str, kind: str
) -> None:
    talk = await Talk.begins(desk)
    words = "" if kind == "sticker" else "Секретно"
    written = await talk.writes(place, words, kind=kind, protected=True)
    for other in OTHERS[place]:
        shown = await talk.last(other)
        label = "" if kind == "sticker" else LABELS.get((place, other), "")
        assert (shown["kind"], shown["text"]) == (kind, label + words)
        assert shown["media"] == written["media"]
        _, chat, _ = talk.places[other]
        assert desk.telegram.world.chat(chat).messages[shown["message_id"] - 1].protected


@POLLING_TOO
@PLACES
async def test_a_caption_that_is_too_long_for_a_bot_follows_as_a_text(
    desk: Helpdesk, place: str
) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes(place, LONG, kind="photo", premium=True, entities=ENTITIES)
    for other in OTHERS[place]:
        label = LABELS.get((place, other), "")
        medium, words = (await talk.all(other))[-2:]
        assert (medium["kind"], medium["media"]) == ("photo", written["media"])
        assert medium["text"] == label.strip()
        assert (words["kind"], words["text"].strip()) == ("text", f"{label}{LONG}".strip())
        assert [e["type"] for e in words["entities"]] == ["bold"]


@PLACES
async def test_marks_that_telegram_refuses_are_left_out(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    for other in OTHERS[place]:
        _, chat, _ = talk.places[other]
        for method in ("sendMessage", "copyMessage"):
            await desk.lab.add_fault(
                "error",
                method=method,
                chat_id=chat,
                times_left=1,
                code=400,
                description="Bad Request: can't parse entities: unsupported entity",
            )
    await talk.writes(place, "Важно", kind="photo", entities=ENTITIES)
    labelled = [other for other in OTHERS[place] if (place, other) in LABELS]
    for other in labelled:
        shown = await talk.last(other)
        assert shown["text"] == LABELS[place, other] + "Важно"
        assert shown["entities"] == []


@PLACES
async def test_a_kind_of_tomorrow_is_said_to_its_sender(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes(place, kind="hologram")
    told = await talk.last(place)
    assert told["text"].startswith("Такое сообщение переслать не получается")
    assert told["reply_to"] == written["message_id"]


async def test_answers_go_to_the_topic_that_the_client_wrote_in(desk: Helpdesk) -> None:
    topic = await desk.lab.topic(desk.ivan, desk.ivan, "create", name="Работа")
    thread = topic["thread_id"]
    await desk.lab.send(desk.ivan, desk.ivan, "Не печатает", thread=thread)
    await desk.settles()
    [opened] = await desk.topics(desk.main)
    where = {"thread": opened["thread_id"]}
    await desk.lab.send(desk.maria, desk.main, "Посмотрим", **where)
    await desk.settles()
    shown = await desk.shown(desk.ivan)
    assert [(m["thread_id"], m["text"][:9]) for m in shown] == [
        (thread, "Приняли в"),
        (thread, "Посмотрим"),
    ]
    await desk.lab.send(desk.ivan, desk.ivan, "Я теперь тут")
    await desk.settles()
    await desk.lab.send(desk.maria, desk.main, "Хорошо", **where)
    await desk.settles()
    assert (await desk.shown(desk.ivan))[-1]["thread_id"] is None
