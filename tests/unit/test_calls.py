"""Effects become exactly the calls that Telegram takes, and nothing that was said is lost."""

from dataclasses import replace
from typing import Any

import pytest
from aiogram.methods import (
    AnswerCallbackQuery,
    CloseForumTopic,
    CopyMessage,
    CreateForumTopic,
    EditForumTopic,
    EditMessageReplyMarkup,
    EditMessageText,
    ReopenForumTopic,
    SendMessage,
    SetMessageReaction,
    TelegramMethod,
)
from aiogram.types import ForumTopic, InlineKeyboardMarkup
from hypothesis import given
from hypothesis import strategies as st

from actors.effects import (
    CARD_TAG,
    AnswerPress,
    CloseTopic,
    Copy,
    Edit,
    Effect,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    React,
    RenameTopic,
    ReopenTopic,
    Say,
    ShowCard,
    Text,
)
from actors.ids import ChatId, MessageId, TechnicianId, ThreadId, TicketId, UserId
from actors.messages import Content, ContentKind, Json, Person
from actors.places import CLIENT, MAIN, Place
from actors.ports import Address, ClientCard, Made, OutboxRow
from bot.calls import Calls, made
from bot.joining import shifted
from bot.relay import copy_call
from bot.texts import Texts
from lab.simulation.links import NoLinks
from tests.fakes.bot_api import FixedDirectory, FixedRoster
from tests.fakes.delivery import ALICE
from tests.fakes.outbox import START

pytestmark = pytest.mark.anyio

TOPIC = Address(chat_id=ChatId(-1001), thread_id=ThreadId(70))
PRIVATE = Address(chat_id=ChatId(501), thread_id=None)
TITLE = Text(key="title-work", args={"ticket": 7, "client": "Иван", "technician": "alice"})
TRIAGE = Keyboard(kind=KeyboardKind.TRIAGE, generation=3)


class Tagged:
    """Messages by tag."""

    def __init__(self, **messages: int) -> None:
        self.messages = messages

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        found = self.messages.get(tag)
        return None if found is None else MessageId(found)


def row(effect: Effect, language: str = "en") -> OutboxRow:
    place: Place | None = getattr(effect, "place", None)
    address = None if place is None else (PRIVATE if place == CLIENT else TOPIC)
    return OutboxRow(
        id=1,
        ticket_id=TicketId(7),
        lane="lane",
        effect=effect,
        address=address,
        client=Person(id=UserId(501), name="Иван", username="ivan", language=language),
        attempts=0,
        uncertain=False,
        created_at=START,
    )


async def render(
    effect: Effect, *, language: str = "en", found: ClientCard | None = None, **tagged: int
) -> TelegramMethod[Any] | None:
    calls = Calls(
        texts=Texts("ru"),
        roster=FixedRoster(ALICE),
        directory=FixedDirectory(found),
        tags=Tagged(**tagged),
        links=NoLinks(),
    )
    return await calls.render(row(effect, language))


def content(
    text: str = "",
    kind: ContentKind = ContentKind.TEXT,
    entities: tuple[dict[str, Json], ...] = (),
) -> Content:
    return Content(
        chat_id=ChatId(501), message_id=MessageId(9), kind=kind, text=text, entities=entities
    )


def units(text: str) -> bytes:
    return text.encode("utf-16-le")


def covered(text: str, offset: int, length: int) -> str:
    """What an entity of Telegram's covers."""
    return units(text)[offset * 2 : (offset + length) * 2].decode("utf-16-le")


# --- topics ---------------------------------------------------------------------------------


async def test_topics_are_opened_renamed_closed_and_reopened() -> None:
    name = "🟡 [В работе | @alice] #7 | Иван"
    opened = await render(OpenTopic(place=MAIN, title=TITLE))
    assert opened == CreateForumTopic(chat_id=-1001, name=name)
    renamed = await render(RenameTopic(place=MAIN, title=TITLE))
    assert renamed == EditForumTopic(chat_id=-1001, message_thread_id=70, name=name)
    topic = {"chat_id": -1001, "message_thread_id": 70}
    assert await render(CloseTopic(place=MAIN)) == CloseForumTopic(**topic)
    assert await render(ReopenTopic(place=MAIN)) == ReopenForumTopic(**topic)


# --- copies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ContentKind))
async def test_a_copy_without_label_is_copied_as_it_is(kind: ContentKind) -> None:
    call = await render(Copy(place=MAIN, content=content("text", kind)))
    assert call == CopyMessage(chat_id=-1001, message_thread_id=70, from_chat_id=501, message_id=9)


async def test_a_copy_to_the_client_names_no_thread() -> None:
    call = await render(Copy(place=CLIENT, content=content("text")))
    assert isinstance(call, CopyMessage)
    assert call.message_thread_id is None


async def test_a_labelled_text_is_sent_with_its_label_in_front() -> None:
    label = Text(key="label-technician", args={"name": "Алиса"})
    call = await render(Copy(place=MAIN, content=content("done 👍"), label=label))
    assert isinstance(call, SendMessage)
    assert call.text == "👷 Алиса:\ndone 👍"
    assert (call.chat_id, call.message_thread_id) == (-1001, 70)


@pytest.mark.parametrize("kind", [kind for kind in ContentKind if kind.takes_caption])
def test_a_labelled_caption_is_copied_with_its_label_in_front(kind: ContentKind) -> None:
    entity: dict[str, Json] = {"type": "bold", "offset": 0, "length": 2}
    copied = Copy(place=MAIN, content=content("ab", kind, (entity,)))
    call = copy_call(copied, TOPIC, "👷:")
    assert isinstance(call, CopyMessage)
    assert call.caption == "👷:\nab"
    assert call.caption_entities is not None
    assert [each.offset for each in call.caption_entities] == [4]


def test_a_labelled_photo_without_caption_gets_the_label_alone() -> None:
    copied = Copy(place=MAIN, content=content("", ContentKind.PHOTO))
    call = copy_call(copied, TOPIC, "👷 Алиса:")
    assert isinstance(call, CopyMessage)
    assert call.caption == "👷 Алиса:"


@pytest.mark.parametrize(
    "kind", [ContentKind.STICKER, ContentKind.VIDEO_NOTE, ContentKind.LOCATION, ContentKind.POLL]
)
def test_what_takes_no_caption_is_copied_whole(kind: ContentKind) -> None:
    call = copy_call(Copy(place=MAIN, content=content("", kind)), TOPIC, "👷:")
    assert isinstance(call, CopyMessage)
    assert call.caption is None


@pytest.mark.parametrize(("kind", "most"), [(ContentKind.TEXT, 4096), (ContentKind.PHOTO, 1024)])
def test_a_label_never_costs_a_part_of_the_message(kind: ContentKind, most: int) -> None:
    """Where both do not fit, the message is copied as it is; lengths count UTF-16 units."""
    label, head = "👷:", len(units("👷:\n")) // 2
    fits = "😀" * ((most - head) // 2)
    call = copy_call(Copy(place=MAIN, content=content(fits, kind)), TOPIC, label)
    assert isinstance(call, SendMessage | CopyMessage)
    words = call.text if isinstance(call, SendMessage) else call.caption
    assert words == f"{label}\n{fits}"
    call = copy_call(Copy(place=MAIN, content=content(fits + "😀", kind)), TOPIC, label)
    assert isinstance(call, CopyMessage)
    assert call.caption is None


@given(
    label=st.text(min_size=1, max_size=40),
    parts=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=6),
)
def test_entities_cover_the_same_words_behind_any_label(label: str, parts: list[str]) -> None:
    entities: list[dict[str, Json]] = []
    offset = 0
    for part in parts:
        length = len(units(part)) // 2
        entities.append({"type": "bold", "offset": offset, "length": length})
        offset += length
    copied = Copy(place=MAIN, content=content("".join(parts), entities=tuple(entities)))
    call = copy_call(copied, TOPIC, label)
    assert isinstance(call, SendMessage)
    assert call.entities is not None
    words = [covered(call.text, each.offset, each.length) for each in call.entities]
    assert words == parts


def test_entities_keep_all_that_they_carry() -> None:
    entities: tuple[dict[str, Json], ...] = (
        {"type": "text_link", "offset": 0, "length": 1, "url": "https://example.org/"},
        {"type": "pre", "offset": 1, "length": 1, "language": "python"},
        {"type": "custom_emoji", "offset": 2, "length": 2, "custom_emoji_id": "5"},
        {"type": "of_a_newer_bot_api", "offset": 4, "length": 1},
        {
            "type": "text_mention",
            "offset": 5,
            "length": 1,
            "user": {"id": 5, "is_bot": False, "first_name": "A"},
        },
    )
    moved = [each.model_dump(exclude_none=True) for each in shifted(entities, 10)]
    assert moved == [{**each, "offset": int(str(each["offset"])) + 10} for each in entities]


# --- what the bot says ----------------------------------------------------------------------


async def test_the_client_reads_their_language_and_the_staff_the_desks() -> None:
    text = Text(key="received", args={"ticket": 7})
    to_client = await render(Say(place=CLIENT, text=text), language="en-GB")
    to_staff = await render(Say(place=MAIN, text=text), language="en-GB")
    assert isinstance(to_client, SendMessage)
    assert isinstance(to_staff, SendMessage)
    assert to_client.text.startswith("We have received")
    assert to_staff.text == Texts("ru").render(text)
    assert (to_client.message_thread_id, to_staff.message_thread_id) == (None, 70)


async def test_an_answer_to_a_message_arrives_even_when_that_message_is_gone() -> None:
    text = Text(key="cannot-deliver-kind")
    call = await render(Say(place=CLIENT, text=text, reply_to=MessageId(33)))
    assert isinstance(call, SendMessage)
    assert call.reply_parameters is not None
    assert call.reply_parameters.message_id == 33
    assert call.reply_parameters.allow_sending_without_reply is True


async def test_the_card_shows_the_directory_and_a_button_for_each_technician() -> None:
    card = ClientCard(fields=(("Company", "ООО <Ромашка> & Co"),))
    call = await render(ShowCard(place=MAIN, keyboard=TRIAGE, former=5), found=card)
    assert isinstance(call, SendMessage)
    assert "Company: ООО <Ромашка> & Co" in call.text
    assert "№5" in call.text
    assert isinstance(call.reply_markup, InlineKeyboardMarkup)
    first, *_ = call.reply_markup.inline_keyboard
    assert [button.text for button in first] == ["alice"]


async def test_an_edit_changes_text_and_buttons_or_buttons_alone() -> None:
    text = Text(key="survey-improve")
    skip = Keyboard(kind=KeyboardKind.SKIP)
    both = await render(Edit(place=CLIENT, tag="survey", text=text, keyboard=skip), survey=44)
    assert isinstance(both, EditMessageText)
    assert (both.chat_id, both.message_id) == (501, 44)
    assert both.reply_markup is not None
    cleared = await render(Edit(place=MAIN, tag=CARD_TAG), card=45)
    assert cleared == EditMessageReplyMarkup(chat_id=-1001, message_id=45, reply_markup=None)


@pytest.mark.parametrize(
    ("keyboard", "asks"),
    [
        (TRIAGE, True),
        (replace(TRIAGE, technician_id=TechnicianId(1), generation=1), False),
        (None, False),
    ],
)
async def test_a_card_that_is_drawn_anew_asks_only_while_nobody_has_the_ticket(
    keyboard: Keyboard | None, asks: bool
) -> None:
    call = await render(Edit(place=MAIN, tag=CARD_TAG, keyboard=keyboard, former=5), card=45)
    assert isinstance(call, EditMessageText)
    assert (call.chat_id, call.message_id) == (-1001, 45)
    text = call.text or ""
    assert "№5" in text
    assert text.endswith("Кто займётся?") is asks
    assert (call.reply_markup is None) is (keyboard is None)


async def test_an_edit_of_nothing_is_no_call() -> None:
    assert await render(Edit(place=MAIN, tag=CARD_TAG)) is None


async def test_a_reaction_is_put_on_the_message() -> None:
    call = await render(React(place=MAIN, message_id=MessageId(12), emoji="✍"))
    assert isinstance(call, SetMessageReaction)
    assert (call.chat_id, call.message_id) == (-1001, 12)


async def test_the_answer_to_a_press_fits_in_its_bubble() -> None:
    text = Text(key="press-assigned", args={"technician": "ё😀" * 200})
    call = await render(AnswerPress(callback_id="c1", text=text, alert=True))
    assert isinstance(call, AnswerCallbackQuery)
    assert call.text is not None
    assert len(units(call.text)) <= 400
    assert call.show_alert is True


async def test_a_silent_answer_has_no_text() -> None:
    call = await render(AnswerPress(callback_id="c1"))
    assert call == AnswerCallbackQuery(callback_query_id="c1", text=None, show_alert=False)


def test_what_was_made_is_read_from_the_answer() -> None:
    topic = ForumTopic(message_thread_id=9, name="n", icon_color=1)
    assert made(topic) == Made(thread_id=ThreadId(9))
    answer = True
    assert made(answer) == made(None) == Made()
