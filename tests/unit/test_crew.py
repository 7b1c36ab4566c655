"""Helper bots share the texts of the groups: whom a topic stays with, and who steps in for whom."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from aiogram.exceptions import TelegramForbiddenError, TelegramUnauthorizedError
from aiogram.methods import (
    CopyMessage,
    CreateForumTopic,
    DeleteMessage,
    EditMessageText,
    SendMessage,
)

from actors.books import Counterpart, LinkedMessage
from actors.effects import Delete, EditCopy, Keyboard, KeyboardKind, OpenTopic, Say, ShowCard, Text
from actors.ids import ChatId, MessageId, TicketId, UserId
from actors.messages import Content, ContentKind, Json
from actors.places import MAIN
from actors.ports import Sent
from bot.delivery import PaceOptions
from bot.delivery.helping import Trouble
from tests.fakes.bot_api import METHOD, copy, refusal, too_many, written
from tests.fakes.delivery import FIRST, MAIN_BOT, SECOND, Bots, until
from tests.fakes.outbox import GROUP

pytestmark = pytest.mark.anyio

REAL = PaceOptions()


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return virtual_time


@pytest.fixture
def bots() -> Bots:
    return Bots()


def kicked() -> TelegramForbiddenError:
    return TelegramForbiddenError(METHOD, "Forbidden: bot was kicked from the supergroup chat")


# --- who writes -----------------------------------------------------------------------------


async def test_topics_are_shared_out_and_each_stays_with_its_bot(bots: Bots) -> None:
    for ticket in range(1, 10):
        bots.post.topic(ticket, thread=70 + ticket)
        bots.post.outbox.add(
            *(written(ticket * 100 + n, f"{ticket}:{n}", MAIN) for n in range(5)), ticket=ticket
        )
    await bots.send()
    authors = {
        ticket: {
            s.bot_id
            for s in bots.post.outbox.settled
            if isinstance(s, Sent) and s.row.ticket_id == ticket
        }
        for ticket in range(1, 10)
    }
    assert all(len(found) == 1 for found in authors.values())
    assert Counter(next(iter(found)) for found in authors.values()) == {
        MAIN_BOT: 3,
        FIRST: 3,
        SECOND: 3,
    }


async def test_each_bot_has_budgets_of_its_own(bots: Bots) -> None:
    for ticket in range(1, 61):
        bots.post.topic(ticket, thread=70 + ticket)
        bots.post.outbox.add(written(ticket, f"text {ticket}", MAIN), ticket=ticket)
    async with bots.post.running(REAL, helpers=bots.senders(REAL)):
        begun = anyio.current_time()
        await bots.post.settled()
        took_s = anyio.current_time() - begun
    assert took_s < REAL.group_window_s
    assert [len(api.calls) for api in (bots.main, bots.first, bots.second)] == [20, 20, 20]


async def test_what_piled_up_behind_a_topics_opening_is_joined_by_the_helpers(bots: Bots) -> None:
    """20 tickets at once: their topics take the main bot's first minute, their cards the second."""
    for ticket in range(1, 21):
        title: dict[str, str | int] = {"ticket": ticket, "client": "x", "technician": "alice"}
        bots.post.outbox.add(
            OpenTopic(place=MAIN, title=Text(key="title-work", args=title)),
            ShowCard(place=MAIN, keyboard=Keyboard(kind=KeyboardKind.TRIAGE)),
            *(written(ticket * 100 + n, f"<{ticket}:{n}>", MAIN) for n in range(5)),
            ticket=ticket,
            client=500 + ticket,
        )
    async with bots.post.running(REAL, helpers=bots.senders(REAL)):
        begun = anyio.current_time()
        await bots.post.settled()
        took_s = anyio.current_time() - begun
    assert took_s < REAL.group_window_s + 5
    assert len(bots.main.calls) == 40
    assert len(bots.first.calls) + len(bots.second.calls) == 20


async def test_only_texts_without_buttons_go_by_helpers_and_the_order_stays(bots: Bots) -> None:
    title: dict[str, str | int] = {"ticket": 7, "client": "x", "technician": "alice"}
    bots.post.outbox.add(
        OpenTopic(place=MAIN, title=Text(key="title-work", args=title)),
        written(1, "one", MAIN),
        copy(2, MAIN),
        written(3, "three", MAIN),
        Say(place=MAIN, text=Text(key="received", args={"ticket": 7})),
        copy(4, MAIN),
    )
    await bots.send()
    kinds = [(name, type(call)) for name, call in bots.order]
    assert kinds == [
        ("main", CreateForumTopic),
        ("first", SendMessage),
        ("main", CopyMessage),
        ("first", SendMessage),
        ("first", SendMessage),
        ("main", CopyMessage),
    ]
    assert bots.texts()["first"][:2] == ["one", "three"]
    assert bots.main.copied == [2, 4]


async def test_nothing_for_a_client_goes_by_a_helper(bots: Bots) -> None:
    bots.post.outbox.add(written(1, "one"), written(2, "two"))
    await bots.send()
    assert bots.main.copied == [1, 2]


async def test_a_mark_that_helpers_have_no_right_to_keeps_the_text_with_the_main_bot(
    bots: Bots,
) -> None:
    bots.post.topic(7)
    marks: list[dict[str, Json]] = [
        {"type": "custom_emoji", "offset": 0, "length": 2, "custom_emoji_id": "5"}
    ]
    bots.post.outbox.add(written(1, "😀!", MAIN, entities=marks))
    await bots.send()
    assert len(bots.main.calls) == 1
    assert not bots.first.calls


async def test_a_topic_stays_with_its_bot_over_a_restart(bots: Bots) -> None:
    bots.post.topic(7)
    bots.post.outbox.add(written(1, "one", MAIN))
    await bots.send()
    [sent] = bots.post.outbox.settled
    assert isinstance(sent, Sent)
    assert sent.sticks
    bots.post.outbox.bots["main:7"] = SECOND
    bots.post.outbox.add(written(2, "two", MAIN))
    await bots.send()
    assert bots.texts()["second"] == ["two"]


# --- who steps in ---------------------------------------------------------------------------


async def test_what_a_kicked_helper_cannot_send_goes_by_the_main_bot_once(bots: Bots) -> None:
    bots.post.topic(7)
    bots.first.always = lambda _: kicked()
    bots.second.always = lambda _: kicked()
    bots.post.outbox.add(*(written(n, f"text {n}", MAIN) for n in range(1, 6)))
    delivery = await bots.send()
    assert [c.message_id for c in bots.main.calls if isinstance(c, CopyMessage)] == [1, 2, 3, 4, 5]
    assert len(bots.first.calls) == 1
    assert delivery.crew.troubles() == {(FIRST, GROUP): Trouble.AWAY}


async def test_a_helper_without_a_token_is_left_out_everywhere_until_it_is_well(
    bots: Bots,
) -> None:
    bots.post.topic(7)
    unknown = TelegramUnauthorizedError(METHOD, "Unauthorized")
    bots.first.script[SendMessage].append(unknown)
    bots.post.outbox.add(written(1, "one", MAIN))
    async with bots.post.running(helpers=bots.senders()) as delivery:
        await bots.post.settled()
        assert delivery.crew.troubles() == {(FIRST, None): Trouble.UNKNOWN}
        bots.post.outbox.add(written(2, "two", MAIN))
        await bots.post.settled()
        delivery.crew.note(FIRST, None, None)
        bots.post.outbox.add(written(3, "three", MAIN))
        await bots.post.settled()
    assert bots.main.copied == [1, 2]
    assert bots.texts()["first"] == ["one", "three"]


async def test_a_helper_that_is_to_wait_for_long_is_left_out_meanwhile(bots: Bots) -> None:
    bots.post.topic(7)
    bots.first.script[SendMessage].append(too_many(40))
    bots.post.outbox.add(*(written(n, f"text {n}", MAIN) for n in range(1, 4)))
    async with bots.post.running(helpers=bots.senders()) as delivery:
        begun = anyio.current_time()
        await bots.post.settled()
        assert anyio.current_time() - begun < 5
        assert delivery.crew.troubles() == {}
        await anyio.sleep(45)
        bots.post.outbox.add(written(9, "later", MAIN))
        await bots.post.settled()
    assert bots.main.copied == [1, 2, 3]
    assert bots.texts()["first"] == ["text 1", "later"]


async def test_a_refusal_of_one_text_is_tried_by_the_main_bot(bots: Bots) -> None:
    bots.post.topic(7)
    bots.first.script[SendMessage].append(refusal("something nobody has heard of"))
    bots.post.outbox.add(written(1, "one", MAIN), written(2, "two", MAIN))
    await bots.send()
    assert bots.main.copied == [1]
    assert bots.texts()["first"] == ["one", "two"]


# --- what stands there ----------------------------------------------------------------------


@dataclass
class Written:
    """Links that know one author for every message."""

    bot_id: UserId | None

    async def find(self, chat_id: ChatId, message_id: MessageId) -> LinkedMessage | None:
        del chat_id, message_id
        return None

    async def counterpart(
        self, ticket_id: TicketId, chat_id: ChatId, message_id: MessageId, in_chat: ChatId
    ) -> Counterpart:
        del ticket_id, chat_id, in_chat
        return Counterpart(message_id=message_id, is_copy=True, is_shared=False, bot_id=self.bot_id)


def edited(number: int, words: str) -> EditCopy:
    content = Content(
        chat_id=ChatId(900), message_id=MessageId(number), kind=ContentKind.TEXT, text=words
    )
    return EditCopy(place=MAIN, content=content)


def deleted(number: int) -> Delete:
    return Delete(place=MAIN, of_chat=ChatId(900), message_id=MessageId(number), by="Maria")


async def test_edits_and_deletions_go_by_the_author(bots: Bots) -> None:
    bots.post.topic(7)
    bots.post.links = Written(SECOND)
    bots.post.outbox.add(edited(1, "anew"), deleted(1))
    await bots.send()
    assert [type(call) for call in bots.second.calls] == [EditMessageText, DeleteMessage]
    assert not bots.main.calls
    bots.post.links = Written(MAIN_BOT)
    bots.post.outbox.add(edited(2, "anew"))
    await bots.send()
    assert [type(call) for call in bots.main.calls] == [EditMessageText]


async def test_an_edit_by_a_helper_does_not_wait_for_the_main_bots_budget(bots: Bots) -> None:
    bots.post.topic(7)
    bots.post.links = Written(SECOND)
    bots.post.outbox.bots["main:7"] = SECOND
    for ticket in range(10, 30):
        bots.post.topic(ticket, thread=70 + ticket)
        bots.post.outbox.add(copy(ticket, MAIN), ticket=ticket)
    async with bots.post.running(REAL, helpers=bots.senders(REAL)) as delivery:
        await bots.post.settled()
        begun = anyio.current_time()
        bots.post.outbox.add(copy(99, MAIN), ticket=10)
        await anyio.sleep(2)
        assert bots.post.outbox.unsettled, "the main bot has spent its minute"
        added = bots.post.outbox.add(edited(1, "anew"), written(2, "and more", MAIN))
        delivery.wake(bots.post.outbox.lanes(added))
        await until(lambda: bots.post.outbox.state(added[-1]) == "sent")
        assert anyio.current_time() - begun < 10


async def test_the_choice_is_recorded_once(bots: Bots) -> None:
    bots.post.topic(7)
    bots.post.outbox.add(*(written(n, f"text {n}", MAIN) for n in range(1, 6)))
    await bots.send()
    sent = [s for s in bots.post.outbox.settled if isinstance(s, Sent)]
    assert [s.sticks for s in sent] == [True, False, False, False, False]
    assert {s.bot_id for s in sent} == {FIRST}


@pytest.mark.parametrize("author", [SECOND, UserId(77)], ids=["left out", "no longer known"])
async def test_an_edit_whose_author_is_away_comes_as_an_answer(bots: Bots, author: UserId) -> None:
    bots.post.topic(7)
    bots.post.links = Written(author)
    bots.second.always = lambda _: kicked()
    bots.post.outbox.add(edited(1, "anew"))
    await bots.send()
    [call] = bots.main.calls
    assert isinstance(call, SendMessage)
    assert call.text.endswith("anew")
    assert call.reply_parameters is not None
    assert call.reply_parameters.message_id == 1
