"""What somebody changes is changed wherever it is read."""

import pytest

from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, LABELS, OTHERS, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

PLACES = pytest.mark.parametrize("place", list(OTHERS))
BOLD = [{"type": "bold", "offset": 0, "length": 6}]


@PLACES
async def test_a_changed_text_is_changed_in_both_other_places(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes(place, "Приезжайте в среду")
    counts = {other: len(await talk.all(other)) for other in OTHERS[place]}
    await talk.edits(place, written, "Лучше в четверг", entities=BOLD)
    for other in OTHERS[place]:
        label = LABELS.get((place, other), "")
        shown = await talk.last(other)
        assert shown["text"] == f"{label}Лучше в четверг"
        assert shown["edited"]
        assert shown["entities"] == [{**BOLD[0], "offset": len(label.encode("utf-16-le")) // 2}]
        assert len(await talk.all(other)) == counts[other], "nothing was written anew"
    assert (await desk.events(talk.case))[-1][1] == "edited"


@PLACES
@pytest.mark.parametrize("kind", ["photo", "document", "voice"])
async def test_a_changed_caption_is_changed_in_both_other_places(
    desk: Helpdesk, place: str, kind: str
) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes(place, "Вот так", kind=kind)
    await talk.edits(place, written, "Вот эдак")
    for other in OTHERS[place]:
        shown = await talk.last(other)
        assert shown["text"] == LABELS.get((place, other), "") + "Вот эдак"
        assert shown["media"] == written["media"]


@PLACES
async def test_a_changed_medium_is_changed_in_both_other_places(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes(place, "Вот так", kind="photo")
    edited = await talk.edits(place, written, "Вот так", kind="video")
    assert edited["kind"] == "video"
    for other in OTHERS[place]:
        shown = await talk.last(other)
        assert (shown["kind"], shown["media"]) == ("video", edited["media"])
        assert shown["text"] == LABELS.get((place, other), "") + "Вот так"


@POLLING_TOO
async def test_a_change_after_the_ticket_is_closed_still_follows(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("client", "Приезжайте в среду")
    shown = await talk.last("main")
    await desk.closes(talk.case)
    await talk.edits("client", written, "Лучше в четверг")
    assert (await talk.now(shown))["text"] == "Лучше в четверг"
    assert len(await desk.topics(desk.main)) == 1, "a change opens no ticket"


async def test_a_change_of_a_new_tickets_message_leaves_the_old_ticket_alone(
    desk: Helpdesk,
) -> None:
    first = await Talk.begins(desk)
    old = await first.writes("client", "О старом")
    shown = await first.last("main")
    await desk.closes(first.case)
    second = await desk.opens(desk.ivan, "О новом")
    await first.edits("client", old, "Всё ещё о старом")
    assert (await first.now(shown))["text"] == "Всё ещё о старом"
    assert await desk.texts(desk.main, second.topic) != []
    assert "Всё ещё о старом" not in await desk.texts(desk.main, second.topic)


@pytest.mark.parametrize("place", ["main", "alice"])
async def test_what_becomes_a_note_is_changed_nowhere_near_the_client(
    desk: Helpdesk, place: str
) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes(place, "Скоро будем")
    edited = await talk.edits(place, written, "// он опять звонил")
    assert (await talk.last("client"))["text"] == "Скоро будем"
    assert [r["emoji"] for r in (await talk.now(edited))["reactions"]] == ["✍"]


async def test_a_technicians_changed_note_is_changed_in_the_main_topic(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    written = await talk.writes("alice", "// спросить склад")
    await talk.edits("alice", written, "// спросить Петра")
    assert (await talk.last("main"))["text"] == "📝 alice (заметка):\n// спросить Петра"


async def test_who_joins_later_reads_the_newest_words(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan, "Не печатает")
    staff = await desk.staff_writes(case, "Какой принтер?")
    await desk.settles()
    await desk.lab.edit(desk.maria, desk.main, staff["message_id"], "Какая модель?")
    await desk.settles()
    await desk.assigns(case, "alice")
    _, group = desk.technician("alice")
    texts = await desk.texts(group, case.mirrors["alice"])
    assert "🛟 Мария:\nКакая модель?" in texts
    assert "🛟 Мария:\nКакой принтер?" not in texts
