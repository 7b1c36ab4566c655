"""A reaction is seen wherever the message is read; the newest stays."""

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import Helpdesk
from tests.acceptance.people import BY_WEBHOOK, OTHERS, POLLING_TOO, Talk

pytestmark = [pytest.mark.anyio, BY_WEBHOOK]


async def stands(talk: Talk, place: str, words: str) -> dict[str, Object]:
    """A message and its copies by the place where they are read."""
    found = {place: await talk.writes(place, words)}
    for other in OTHERS[place]:
        found[other] = await talk.last(other)
    return found


async def reacts(talk: Talk, place: str, message: Object, emoji: str | None) -> None:
    user, chat, _ = talk.places[place]
    await talk.desk.lab.react(user, chat, message["message_id"], emoji)
    await talk.desk.settles()


async def of_the_bot(talk: Talk, message: Object) -> list[str]:
    bot = talk.desk.scene.bot_id
    return [r["emoji"] for r in (await talk.now(message))["reactions"] if r["from"] == bot]


@pytest.mark.parametrize("author", list(OTHERS))
@pytest.mark.parametrize("reader", list(OTHERS))
async def test_a_reaction_is_seen_in_both_other_places(
    desk: Helpdesk, author: str, reader: str
) -> None:
    talk = await Talk.begins(desk)
    found = await stands(talk, author, "Будем завтра")
    await reacts(talk, reader, found[reader], "❤")
    for other in OTHERS[reader]:
        assert await of_the_bot(talk, found[other]) == ["❤"]


@POLLING_TOO
async def test_the_newest_reaction_stays_until_it_is_taken_back(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    found = await stands(talk, "alice", "Будем завтра")
    await reacts(talk, "client", found["client"], "👍")
    await reacts(talk, "client", found["client"], "🔥")
    assert await of_the_bot(talk, found["alice"]) == ["🔥"]
    await reacts(talk, "main", found["main"], "🤔")
    assert await of_the_bot(talk, found["alice"]) == ["🤔"]
    assert await of_the_bot(talk, found["client"]) == ["🤔"], "the staff's, for the client"
    assert await of_the_bot(talk, found["main"]) == ["🔥"], "the client's, for the staff"
    await reacts(talk, "client", found["client"], None)
    assert await of_the_bot(talk, found["main"]) == []


async def test_a_reaction_that_no_bot_may_use_harms_nothing(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    found = await stands(talk, "alice", "Будем завтра")
    await reacts(talk, "client", found["client"], "🦩")
    assert await of_the_bot(talk, found["main"]) == []
    await talk.writes("client", "Хорошо")
    assert (await talk.last("main"))["text"] == "Хорошо"


async def test_a_reaction_on_the_bots_own_words_goes_nowhere(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    card = await desk.message(desk.main, talk.case.card)
    calls = len(await desk.lab.calls())
    await reacts(talk, "main", card, "👍")
    assert len(await desk.lab.calls()) == calls


async def test_taking_one_back_shows_the_newest_that_still_stands(desk: Helpdesk) -> None:
    talk = await Talk.begins(desk)
    await desk.lab.add_user("Пётр", id=6100, is_client=False)
    await desk.lab.join(desk.main, 6100)
    found = await stands(talk, "client", "Спасибо!")
    await reacts(talk, "main", found["main"], "👍")
    await desk.lab.react(6100, desk.main, found["main"]["message_id"], "🔥")
    await desk.settles()
    await reacts(talk, "alice", found["alice"], "❤")
    assert await of_the_bot(talk, found["client"]) == ["❤"]
    assert await of_the_bot(talk, found["main"]) == ["❤"]
    await reacts(talk, "alice", found["alice"], None)
    assert await of_the_bot(talk, found["client"]) == ["🔥"], "a colleague's is the newest now"
    assert await of_the_bot(talk, found["main"]) == [], "nobody else's stands there"
    await reacts(talk, "main", found["main"], None)
    assert await of_the_bot(talk, found["client"]) == ["🔥"], "an older one makes no difference"
    await desk.lab.react(6100, desk.main, found["main"]["message_id"], None)
    await desk.settles()
    assert await of_the_bot(talk, found["client"]) == []
    assert await of_the_bot(talk, found["alice"]) == []
