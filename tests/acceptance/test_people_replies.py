"""An answer to a message is an answer to the same message wherever it is read."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, OTHERS, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]

PAIRS = [(asked, answering) for asked in OTHERS for answering in OTHERS]


async def standing(talk: Talk, asked: str, written: Object) -> dict[str, int]:
    """Where one message stands in each place: the original, and the newest of the bot's."""
    found = {asked: written["message_id"]}
    for other in OTHERS[asked]:
        found[other] = (await talk.last(other))["message_id"]
    return found


@pytest.mark.parametrize(("asked", "answering"), PAIRS)
async def test_an_answer_points_to_the_same_message_everywhere(
    desk: Helpdesk, asked: str, answering: str
) -> None:
    talk = await Talk.begins(desk)
    question = await talk.writes(asked, "Завтра в десять удобно?")
    where = await standing(talk, asked, question)
    await talk.writes(asked, "Или в среду?")
    await talk.writes(answering, "Удобно", reply_to=where[answering])
    for other in OTHERS[answering]:
        shown = await talk.last(other)
        assert "Удобно" in shown["text"]
        assert shown["reply_to"] == where[other]


@pytest.mark.parametrize("place", list(OTHERS))
async def test_the_quoted_words_are_quoted_everywhere(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    question = await talk.writes("alice", "Завтра в десять или в среду?")
    where = await standing(talk, "alice", question)
    await talk.writes(place, "Вот это", reply_to=where[place], quote="в среду")
    for other in OTHERS[place]:
        shown = await talk.last(other)
        assert (shown["reply_to"], shown["quote"]) == (where[other], "в среду")


@POLLING_TOO
async def test_a_photo_that_answers_is_an_answer(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    question = await talk.writes("alice", "Какой у вас кабель?")
    where = await standing(talk, "alice", question)
    await talk.writes("client", "Вот", kind="photo", reply_to=where["client"])
    for other in OTHERS["client"]:
        assert (await talk.last(other))["reply_to"] == where[other]


async def test_a_quote_that_changed_meanwhile_is_an_answer_without_a_quote(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    question = await talk.writes("alice", "Завтра в десять?")
    where = await standing(talk, "alice", question)
    for chat in (desk.main, desk.technician("alice")[1]):
        await desk.lab.add_fault(
            "error",
            method="copyMessage",
            chat_id=chat,
            times_left=1,
            code=400,
            description="Bad Request: QUOTE_TEXT_INVALID",
        )
    await talk.writes("client", "Да", reply_to=where["client"], quote="в десять")
    for other in OTHERS["client"]:
        shown = await talk.last(other)
        assert (shown["text"], shown["reply_to"], shown["quote"]) == ("Да", where[other], None)


async def test_an_answer_to_what_is_nowhere_else_is_a_plain_message(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    note = await talk.writes("main", "// между нами")
    await talk.writes("main", "Будем завтра", reply_to=note["message_id"])
    for other in OTHERS["main"]:
        shown = await talk.last(other)
        assert "Будем завтра" in shown["text"]
        assert shown["reply_to"] is None


async def test_a_deleted_message_can_still_be_answered(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await talk.writes("alice", "Завтра в десять?")
    where = (await talk.last("client"))["message_id"]
    main = await talk.last("main")
    await desk.lab.delete(desk.main, main["message_id"])
    await talk.writes("client", "Да", reply_to=where)
    assert (await talk.last("main"))["text"] == "Да"
