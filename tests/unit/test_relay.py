"""Changes and deletions of copies, and the forms that are tried when Telegram refuses one."""

from typing import Any

import pytest
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import (
    CopyMessage,
    DeleteMessage,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageText,
    SendMessage,
    TelegramMethod,
)
from aiogram.types import InputMediaPhoto, MessageEntity, ReplyParameters

from actors.books import Counterpart, LinkedMessage
from actors.effects import Delete, EditCopy, Effect, Text
from actors.ids import ChatId, MessageId, ThreadId, TicketId, UserId
from actors.messages import Content, ContentKind, Person
from actors.places import CLIENT, MAIN
from actors.ports import Address, OutboxRow
from bot.forms import BestForm, simpler_form
from bot.relay import HoldsOthers, Relay
from bot.texts import Texts
from tests.fakes.outbox import START

pytestmark = pytest.mark.anyio

HERE = Address(chat_id=ChatId(-1), thread_id=ThreadId(7))
BOLD = MessageEntity(type="bold", offset=0, length=1)
LABEL = Text(key="label-staff", args={"name": "Ann"})


class OneLink:
    """Every message has the same counterpart, or none."""

    def __init__(self, found: Counterpart | None) -> None:
        self._found = found

    async def find(self, chat_id: ChatId, message_id: MessageId) -> LinkedMessage | None:
        raise AssertionError((chat_id, message_id))

    async def counterpart(
        self, ticket_id: TicketId, chat_id: ChatId, message_id: MessageId, in_chat: ChatId
    ) -> Counterpart | None:
        del ticket_id, chat_id, message_id, in_chat
        return self._found


def relay(*, shared: bool = False, copy: bool = True) -> Relay:
    found = Counterpart(message_id=MessageId(9), is_copy=copy, is_shared=shared)
    return Relay(texts=Texts("en"), links=OneLink(found))


def row(effect: Effect) -> OutboxRow:
    return OutboxRow(
        id=1,
        ticket_id=TicketId(1),
        lane="main:1",
        effect=effect,
        address=HERE,
        client=Person(id=UserId(5), name="Ivan"),
        attempts=0,
        uncertain=False,
        created_at=START,
    )


def change(kind: ContentKind = ContentKind.TEXT, **more: Any) -> EditCopy:
    content = Content(
        chat_id=ChatId(5), message_id=MessageId(3), kind=kind, text="new words", **more
    )
    return EditCopy(place=MAIN, content=content, label=LABEL)


async def edit(relay: Relay, effect: EditCopy) -> TelegramMethod[Any] | None:
    return await relay.edit(effect, row(effect), HERE)


async def test_a_change_of_a_joined_text_is_an_answer_to_it() -> None:
    call = await edit(relay(shared=True), change())
    assert isinstance(call, SendMessage)
    assert call.text == "🛟 Ann:\n✏️ Changed:\nnew words"
    assert call.reply_parameters is not None
    assert call.reply_parameters.message_id == 9


async def test_an_original_is_never_changed() -> None:
    assert await edit(relay(copy=False), change()) is None


async def test_a_caption_too_long_for_a_bot_is_changed_where_its_words_are() -> None:
    effect = change(ContentKind.PHOTO, file_id="f")
    assert isinstance(await edit(relay(), effect), EditMessageMedia)
    words = Content(
        chat_id=ChatId(5), message_id=MessageId(3), kind=ContentKind.PHOTO, text="x" * 1025
    )
    assert isinstance(await edit(relay(), EditCopy(place=MAIN, content=words)), EditMessageText)
    assert isinstance(await edit(relay(), change(ContentKind.VOICE)), EditMessageCaption)


async def test_a_joined_text_is_not_deleted_with_the_others_in_it() -> None:
    effect = Delete(place=CLIENT, of_chat=ChatId(-1), message_id=MessageId(3), by="Ann")
    assert isinstance(await relay().delete(effect, row(effect), HERE), DeleteMessage)
    with pytest.raises(HoldsOthers):
        await relay(shared=True).delete(effect, row(effect), HERE)


# --- forms ----------------------------------------------------------------------------------

REPLY = ReplyParameters(message_id=1, quote="x", quote_position=0)
TEXT = SendMessage(chat_id=1, text="x", entities=[BOLD], reply_parameters=REPLY)
COPY = CopyMessage(chat_id=1, from_chat_id=2, message_id=3, reply_parameters=REPLY)
MEDIA = EditMessageMedia(
    chat_id=1,
    message_id=2,
    media=InputMediaPhoto(media="f", caption="x", caption_entities=[BOLD]),
)


def test_only_what_was_refused_is_left_out() -> None:
    for method in (TEXT, COPY):
        bare = simpler_form(method, "Bad Request: QUOTE_TEXT_INVALID")
        assert bare is not None
        assert getattr(bare, "reply_parameters") == ReplyParameters(message_id=1)  # noqa: B009
    plain = simpler_form(TEXT, "Bad Request: can't parse entities: no end")
    assert plain == TEXT.model_copy(update={"entities": None})
    caption = simpler_form(MEDIA, "Bad Request: message can't be edited")
    assert isinstance(caption, EditMessageCaption)
    assert (caption.caption, caption.caption_entities) == ("x", [BOLD])


@pytest.mark.parametrize("refusal", ["chat not found", "message thread not found", "TOPIC_CLOSED"])
@pytest.mark.parametrize("method", [TEXT, COPY])
def test_what_is_no_matter_of_form_has_no_other(method: TelegramMethod[Any], refusal: str) -> None:
    assert simpler_form(method, f"Bad Request: {refusal}") is None


async def test_a_call_that_is_always_refused_ends_with_the_last_refusal() -> None:
    tried: list[TelegramMethod[Any]] = []

    async def refuse(method: TelegramMethod[Any]) -> Any:
        tried.append(method)
        words = "can't parse entities" if len(tried) > 1 else "QUOTE_TEXT_INVALID"
        raise TelegramBadRequest(method=method, message=words)

    with pytest.raises(TelegramBadRequest, match="entities"):
        await BestForm(refuse)(TEXT)
    assert len(tried) == 3
