"""What people do to a ticket's topics by hand means what it looks like."""

import pytest

from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]


async def does(talk: Talk, place: str, action: str, **more: object) -> None:
    """The place's person changes the topic itself."""
    user, chat, thread = talk.places[place]
    await talk.desk.lab.topic(user, chat, action, thread=thread, **more)
    await talk.desk.settles()


async def titles(talk: Talk) -> list[str]:
    places = [talk.places[name] for name in ("main", "alice")]
    return [(await talk.desk.topic(chat, thread or 0))["name"] for _, chat, thread in places]


@pytest.mark.parametrize("place", ["main", "alice"])
async def test_a_topic_closed_by_hand_closes_the_ticket(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    await does(talk, place, "close")
    await desk.sees(desk.ivan, "1/3")
    for name in ("main", "alice"):
        _, chat, thread = talk.places[name]
        assert (await desk.topic(chat, thread or 0))["closed"]
    assert [title[:10] for title in await titles(talk)] == ["🟣 [Закрыт "] * 2
    assert ("TECH" if place == "alice" else "STAFF", "closed") in await desk.events(talk.case)


async def test_a_topic_opened_again_by_hand_opens_the_ticket_again(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await desk.closes(talk.case)
    await does(talk, "main", "reopen")
    assert [title[:10] for title in await titles(talk)] == ["🟡 [В работ"] * 2
    for name in ("main", "alice"):
        _, chat, thread = talk.places[name]
        assert not (await desk.topic(chat, thread or 0))["closed"]
        assert (await talk.last(name))["text"] == "Мария снова открыл(а) заявку."
    survey = await talk.last("client")
    assert (survey["text"], survey["buttons"]) == ("Заявка №1 снова в работе.", None)
    await talk.writes("client", "Опять не печатает")
    assert (await talk.last("main"))["text"] == "Опять не печатает"
    await talk.writes("alice", "Иду")
    assert (await talk.last("client"))["text"] == "Иду"
    await desk.closes(talk.case)


async def test_a_ticket_without_a_technician_is_new_again(desk: Helpdesk) -> None:
    case = await desk.opens(desk.ivan)
    await desk.closes(case)
    await desk.lab.topic(desk.maria, desk.main, "reopen", thread=case.topic)
    await desk.settles()
    assert (await desk.topic(desk.main, case.topic))["name"].startswith("🟢")
    await desk.assigns(case, "bob")
    assert (await desk.topic(desk.main, case.topic))["name"].startswith("🟡")


async def test_the_old_ticket_of_a_client_with_a_newer_one_stays_closed(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await desk.closes(talk.case)
    newer = await desk.opens(desk.ivan, "Другое")
    await does(talk, "main", "reopen")
    assert (await talk.last("main"))["text"].endswith(f"№{newer.number}.")
    assert (await desk.topic(desk.main, talk.case.topic))["closed"]
    await talk.writes("client", "Ещё о другом")
    assert "Ещё о другом" in await desk.texts(desk.main, newer.topic)


@pytest.mark.parametrize("place", ["main", "alice"])
async def test_the_words_of_the_staff_stay_behind_the_title(desk: Helpdesk, place: str) -> None:
    talk = await Talk.begins(desk)
    before = (await titles(talk))[0]
    await does(talk, place, "rename", name="бухгалтерия, 3 этаж")
    assert await titles(talk) == [f"{before} · бухгалтерия, 3 этаж"] * 2
    await does(talk, place, "rename", name=f"{before} · бухгалтерия")
    assert await titles(talk) == [f"{before} · бухгалтерия"] * 2
    await desk.closes(talk.case)
    assert [title.endswith(" · бухгалтерия") for title in await titles(talk)] == [True] * 2


async def test_words_that_are_taken_away_are_gone(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    before = await titles(talk)
    await does(talk, "main", "rename", name=f"{before[0]} срочно")
    assert await titles(talk) == [f"{before[0]} · срочно"] * 2
    await does(talk, "main", "rename", name=before[0])
    assert await titles(talk) == before


@POLLING_TOO
async def test_a_deleted_topic_is_made_anew_with_what_was_lost_since(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await does(talk, "main", "rename", name="важное")
    await does(talk, "main", "delete")
    await talk.writes("client", "Вы тут?")
    [topic] = await desk.topics(desk.main)
    assert topic["name"].endswith("· важное")
    texts = await desk.texts(desk.main, topic["thread_id"])
    assert texts.count("Вы тут?") == 1
