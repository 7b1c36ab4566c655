"""An album stays one album, in its order, with its captions."""

from typing import Any

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, LABELS, OTHERS, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

PARTS = [("photo", "Вид спереди"), ("video", ""), ("photo", "Вид сзади")]


async def sends_album(talk: Talk, place: str, parts: list[tuple[str, str]], **more: Any) -> None:
    user, chat, thread = talk.places[place]
    where = {"user": user, "chat": chat, "media_group_id": f"album of {place}", **more}
    if thread is not None:
        where["thread"] = thread
    await talk.desk.lab.send_many([{**where, "kind": kind, "text": text} for kind, text in parts])
    await talk.desk.settles()


async def newest(talk: Talk, place: str, count: int) -> list[Object]:
    return (await talk.all(place))[-count:]


@pytest.mark.parametrize("place", list(OTHERS))
async def test_an_album_stays_together_in_order_with_its_captions(
    desk: Helpdesk, place: str
) -> None:
    talk = await Talk.begins(desk)
    calls = len(await desk.lab.calls())
    await sends_album(talk, place, PARTS)
    for other in OTHERS[place]:
        label = LABELS.get((place, other), "")
        shown = await newest(talk, other, len(PARTS))
        assert [message["kind"] for message in shown] == [kind for kind, _ in PARTS]
        assert [m["text"] for m in shown] == [f"{label}Вид спереди", "", "Вид сзади"]
        groups = {message["media_group_id"] for message in shown}
        assert len(groups) == 1
        assert None not in groups
    made = [c["method"] for c in (await desk.lab.calls())[calls:] if "tion" not in c["method"]]
    assert len(made) == 2, "one call for each of the other places"


@pytest.mark.parametrize("kind", ["document", "audio"])
async def test_files_stay_together_too(desk: Helpdesk, kind: str) -> None:
    talk = await Talk.begins(desk)
    await sends_album(talk, "alice", [(kind, "Первый"), (kind, "Второй")])
    for other in OTHERS["alice"]:
        shown = await newest(talk, other, 2)
        assert len({m["media_group_id"] for m in shown} - {None}) == 1
        assert shown[1]["text"] == "Второй"


@POLLING_TOO
async def test_words_around_an_album_stay_around_it(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    user, chat, _ = talk.places["client"]
    album = {"user": user, "chat": chat, "media_group_id": "a", "kind": "photo"}
    before, after = ({"user": user, "chat": chat, "text": text} for text in ("до", "после"))
    await desk.lab.send_many([before, {**album, "text": "1"}, {**album, "text": "2"}, after])
    await desk.settles()
    assert [m["text"] for m in await newest(talk, "main", 4)] == ["до", "1", "2", "после"]


async def test_an_album_that_answers_is_an_answer(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await talk.writes("client", "Покажите детали")
    asked = {place: await talk.last(place) for place in ("main", "alice")}
    await sends_album(talk, "alice", PARTS, reply_to=asked["alice"]["message_id"])
    [first, *_] = await newest(talk, "main", len(PARTS))
    assert first["reply_to"] == asked["main"]["message_id"]


async def test_each_part_of_an_album_can_be_changed_and_answered(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await sends_album(talk, "client", PARTS)
    originals = (await desk.lab.messages(desk.ivan))[-len(PARTS) :]
    copies = await newest(talk, "main", len(PARTS))
    await talk.edits("client", originals[2], "Вид сбоку")
    assert (await talk.now(copies[2]))["text"] == "Вид сбоку"
    assert (await talk.now(copies[0]))["text"] == "Вид спереди"
    await talk.writes("main", "А это что?", reply_to=copies[1]["message_id"])
    assert (await talk.last("client"))["reply_to"] == originals[1]["message_id"]
