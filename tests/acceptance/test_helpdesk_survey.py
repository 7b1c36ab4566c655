"""After the end: three questions in one message, perhaps a comment, at most a day."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Case, Helpdesk

pytestmark = pytest.mark.anyio

FEEDBACK = "SELECT q1, q2, q3, comment FROM feedback WHERE ticket_id = :id"


async def asked(desk: Helpdesk) -> tuple[Case, int]:
    """A closed ticket and the survey's message."""
    case = await desk.opens(desk.ivan)
    await desk.assigns(case, "alice")
    return case, (await desk.closes(case))["message_id"]


async def marks(desk: Helpdesk, survey: int, *given: int) -> None:
    for mark in given:
        told = await desk.presses(desk.ivan, desk.ivan, survey, str(mark))
        assert told["text"] == "Спасибо!"
        await desk.settles()


async def feedback(desk: Helpdesk, case: Case) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await desk.rows(FEEDBACK, id=case.number)]


async def summaries(desk: Helpdesk, case: Case) -> list[str]:
    texts = await desk.texts(desk.main, case.topic)
    return [text for text in texts if text.startswith("Отзыв")]


async def survey_now(desk: Helpdesk, survey: int) -> tuple[str, list[str]]:
    """The survey's text and buttons."""
    text = str((await desk.message(desk.ivan, survey))["text"])
    return text, [button["text"] for button in await desk.buttons(desk.ivan, survey)]


async def test_three_questions_are_one_message_that_changes(desk: Helpdesk) -> None:
    _, survey = await asked(desk)
    sent = len(await desk.shown(desk.ivan))
    for number, mark in ((1, 4), (2, 5)):
        text, buttons = await survey_now(desk, survey)
        assert f"{number}/3." in text
        assert buttons == list("12345")
        await marks(desk, survey, mark)
    assert "3/3." in (await survey_now(desk, survey))[0]
    assert len(await desk.shown(desk.ivan)) == sent


@pytest.mark.parametrize("given", [(4, 5, 5), (5, 5, 1), (1, 2, 3)])
async def test_a_mark_under_five_asks_what_to_improve_and_the_answer_is_kept(
    desk: Helpdesk, given: tuple[int, ...]
) -> None:
    case, survey = await asked(desk)
    await marks(desk, survey, *given)
    text, buttons = await survey_now(desk, survey)
    assert text.startswith("Спасибо за оценки! Что нам стоит улучшить?")
    assert buttons == ["Пропустить"]
    await desk.client_writes(desk.ivan, "Отвечать быстрее")
    await desk.settles()
    assert await feedback(desk, case) == [(*given, "Отвечать быстрее")]
    q1, q2, q3 = given
    [summary] = await summaries(desk, case)
    assert summary == (
        f"Отзыв по заявке №{case.number}: решение — {q1}, скорость — {q2}, общение — {q3}. "
        "«Отвечать быстрее»"
    )
    saved = f"Спасибо! Ваши ответы по заявке №{case.number} сохранены."
    assert await survey_now(desk, survey) == (saved, [])
    assert len(await desk.topics(desk.main)) == 1, "the comment opened no ticket"


async def test_the_comment_can_be_skipped(desk: Helpdesk) -> None:
    case, survey = await asked(desk)
    await marks(desk, survey, 3, 3, 3)
    await desk.presses(desk.ivan, desk.ivan, survey, "Пропустить")
    await desk.settles()
    assert await feedback(desk, case) == [(3, 3, 3, None)]
    assert len(await summaries(desk, case)) == 1
    next_case = await desk.opens(desk.ivan, "другое")
    assert next_case.number > case.number


async def test_all_fives_are_thanked_and_a_comment_may_be_added(desk: Helpdesk) -> None:
    case, survey = await asked(desk)
    await marks(desk, survey, 5, 5, 5)
    text, buttons = await survey_now(desk, survey)
    assert text.startswith("Спасибо за высокие оценки")
    assert buttons == ["Добавить комментарий"]
    assert await feedback(desk, case) == [(5, 5, 5, None)]
    assert len(await summaries(desk, case)) == 1
    await desk.presses(desk.ivan, desk.ivan, survey, "Добавить комментарий")
    await desk.settles()
    assert (await survey_now(desk, survey))[0].startswith("Напишите ваш комментарий")
    await desk.client_writes(desk.ivan, "Алиса — молодец")
    await desk.settles()
    assert await feedback(desk, case) == [(5, 5, 5, "Алиса — молодец")]
    assert (await summaries(desk, case))[-1].endswith("«Алиса — молодец»")
    assert len(await desk.topics(desk.main)) == 1


async def test_without_asking_for_a_comment_the_next_words_are_a_new_ticket(desk: Helpdesk) -> None:
    case, survey = await asked(desk)
    await marks(desk, survey, 5, 5, 5)
    await desk.opens(desk.ivan, "Новый вопрос")
    assert await feedback(desk, case) == [(5, 5, 5, None)]


@pytest.mark.parametrize(
    ("given", "kept"),
    [((), []), ((4,), [(4, None, None, None)]), ((5, 2, 3), [(5, 2, 3, None)])],
)
async def test_after_a_day_it_ends_by_itself_with_what_was_given(
    desk: Helpdesk, given: tuple[int, ...], kept: list[tuple[object, ...]]
) -> None:
    case, survey = await asked(desk)
    await marks(desk, survey, *given)
    left = await desk.value("SELECT extract(epoch FROM due_at - now()) FROM timers")
    assert 86_000 < left <= 86_400
    await desk.execute("UPDATE timers SET due_at = now()")

    def is_over(message: Object) -> bool:
        return message["message_id"] == survey and "завершён" in message["text"]

    await desk.sees(desk.ivan, is_over)
    await desk.settles()
    assert await feedback(desk, case) == kept
    assert len(await summaries(desk, case)) == len(kept)
    assert (await survey_now(desk, survey))[1] == []


async def test_a_late_press_is_answered_politely_and_changes_nothing(desk: Helpdesk) -> None:
    case, survey = await asked(desk)
    old = [str(button["data"]) for button in await desk.buttons(desk.ivan, survey)]
    await marks(desk, survey, 3)
    await desk.execute("UPDATE timers SET due_at = now()")
    await desk.sees(desk.ivan, "завершён")
    told = await desk.presses_data(desk.ivan, desk.ivan, survey, old[0])
    assert told["text"] == "Опрос уже завершён. Спасибо!"
    await desk.settles()
    assert await feedback(desk, case) == [(3, None, None, None)]


async def test_a_double_press_counts_once(desk: Helpdesk) -> None:
    case, survey = await asked(desk)
    first = {b["text"]: str(b["data"]) for b in await desk.buttons(desk.ivan, survey)}
    await marks(desk, survey, 4)
    for mark in ("4", "1"):
        told = await desk.presses_data(desk.ivan, desk.ivan, survey, first[mark])
        assert told["text"] == "На этот вопрос вы уже ответили."
    await marks(desk, survey, 5, 5)
    await desk.presses(desk.ivan, desk.ivan, survey, "Пропустить")
    await desk.settles()
    assert await feedback(desk, case) == [(4, 5, 5, None)]
