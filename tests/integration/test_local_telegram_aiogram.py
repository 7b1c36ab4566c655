"""aiogram against the local Telegram, unchanged and with our session: every object validates."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    ChatMemberAdministrator,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    ReactionTypeEmoji,
    ReplyParameters,
)

from bot.session import Session
from lab.telegram import people
from lab.telegram.content import FILE_KINDS
from lab.telegram.faults import FaultRule
from tests.fakes.local_telegram import TOKEN, Lab, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


@pytest.fixture(params=[AiohttpSession, Session])
async def bot(lab: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Bot]:
    server = TelegramAPIServer.from_base(lab.telegram.url)
    async with Bot(TOKEN, session=request.param(api=server)) as opened:
        yield opened


async def test_a_bot_knows_itself_and_its_chats(lab: Lab, bot: Bot) -> None:
    scene = lab.scene
    me = await bot.get_me()
    assert (me.id, me.username, me.can_read_all_group_messages) == (42, "topicdesk_demo_bot", True)
    group = await bot.get_chat(scene.main_group_id)
    assert (group.is_forum, group.title) == (True, "Поддержка")
    assert (await bot.get_chat(scene.ivan_id)).first_name == "Иван"
    member = await bot.get_chat_member(scene.main_group_id, me.id)
    assert isinstance(member, ChatMemberAdministrator)
    assert member.can_manage_topics
    people.promote(lab.world, scene.main_group_id, me.id, frozenset({"can_pin_messages"}))
    member = await bot.get_chat_member(scene.main_group_id, me.id)
    assert isinstance(member, ChatMemberAdministrator)
    assert not member.can_manage_topics
    assert (await bot.get_chat_member(scene.main_group_id, scene.emma_id)).status == "left"
    admins = await bot.get_chat_administrators(scene.main_group_id)
    assert {admin.user.id for admin in admins} == {scene.maria_id, me.id}
    assert await bot.get_chat_member_count(scene.main_group_id) == 2
    await bot.set_my_commands([BotCommand(command="close", description="Закрыть")])
    assert [command.command for command in await bot.get_my_commands()] == ["close"]
    assert await bot.delete_my_commands()
    assert await bot.get_my_commands() == []
    assert (await bot.get_webhook_info()).url == ""
    assert await bot.send_chat_action(scene.ivan_id, "typing")


async def test_a_whole_topic_from_creation_to_its_end(lab: Lab, bot: Bot) -> None:
    group = lab.scene.main_group_id
    topic = await bot.create_forum_topic(group, "🟢 <Имя> & ко", icon_color=9367192)
    thread = topic.message_thread_id
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text="@alice", callback_data="assign:1:alice:0")]]
    )
    card = await bot.send_message(
        group,
        "<b>Клиент</b>: Имя &lt;3",
        message_thread_id=thread,
        parse_mode=ParseMode.HTML,
        reply_markup=keyboard,
    )
    assert (card.text, card.is_topic_message) == ("Клиент: Имя <3", True)
    assert card.reply_markup is not None
    assert card.reply_markup.inline_keyboard[0][0].callback_data == "assign:1:alice:0"
    assert card.reply_to_message is not None
    assert card.reply_to_message.forum_topic_created is not None
    edited = await bot.edit_message_text("готово", chat_id=group, message_id=card.message_id)
    assert not isinstance(edited, bool)
    assert (edited.text, edited.reply_markup) == ("готово", None)
    await bot.edit_message_reply_markup(
        chat_id=group, message_id=card.message_id, reply_markup=keyboard
    )
    assert await bot.edit_forum_topic(group, thread, name="🟡")
    assert await bot.pin_chat_message(group, card.message_id)
    assert await bot.unpin_chat_message(group, message_id=card.message_id)
    assert await bot.set_message_reaction(group, card.message_id, [ReactionTypeEmoji(emoji="👍")])
    assert await bot.close_forum_topic(group, thread)
    assert await bot.reopen_forum_topic(group, thread)
    assert await bot.delete_message(group, card.message_id)
    assert await bot.delete_forum_topic(group, thread)
    kinds = [update.message.content_type for update in await bot.get_updates() if update.message]
    assert kinds == [
        "forum_topic_created",
        "forum_topic_edited",
        "pinned_message",
        "forum_topic_closed",
        "forum_topic_reopened",
    ]


async def test_every_kind_can_be_sent_and_copied(lab: Lab, bot: Bot) -> None:
    ivan = lab.scene.ivan_id
    file = BufferedInputFile(b"some bytes", "вложение.bin")
    sent = [
        await bot.send_photo(ivan, file, caption="подпись"),
        await bot.send_video(ivan, file, duration=7),
        await bot.send_animation(ivan, file),
        await bot.send_document(ivan, file),
        await bot.send_audio(ivan, file, performer="кто", title="что"),
        await bot.send_voice(ivan, file),
        await bot.send_video_note(ivan, file),
        await bot.send_sticker(ivan, file),
        await bot.send_location(ivan, 59.9, 30.3),
        await bot.send_venue(ivan, 59.9, 30.3, title="Площадь", address="Невский"),
        await bot.send_contact(ivan, phone_number="+7", first_name="Имя"),
        await bot.send_poll(ivan, question="?", options=["да", "нет"]),
        await bot.send_dice(ivan, emoji="🎯"),
    ]
    assert sent[3].document is not None
    assert sent[3].document.file_name == "вложение.bin"
    for message in sent:
        copied = await bot.copy_message(
            ivan,
            ivan,
            message.message_id,
            reply_parameters=ReplyParameters(message_id=message.message_id),
        )
        forwarded = await bot.forward_message(ivan, ivan, message.message_id)
        assert copied.message_id == forwarded.message_id - 1
        assert forwarded.content_type == message.content_type
        assert forwarded.forward_origin is not None
    album = await bot.send_media_group(
        ivan, [InputMediaPhoto(media=file, caption=str(index)) for index in range(3)]
    )
    copies = await bot.copy_messages(ivan, ivan, [message.message_id for message in album])
    assert len(copies) == 3
    edited = await bot.edit_message_caption(
        chat_id=ivan, message_id=album[0].message_id, caption="новая"
    )
    assert not isinstance(edited, bool)
    assert edited.caption == "новая"
    stopped = await bot.stop_poll(ivan, sent[11].message_id)
    assert stopped.is_closed


async def test_files_come_back_as_they_were_sent(lab: Lab, bot: Bot) -> None:
    ivan = lab.scene.ivan_id
    sent = await bot.send_document(ivan, BufferedInputFile(b"\x00\xff", "a.bin"))
    assert sent.document is not None
    found = await bot.download(sent.document)
    assert found is not None
    assert found.read() == b"\x00\xff"


PEOPLE_SEND: list[tuple[str, dict[str, Any]]] = [
    *[(kind, {}) for kind in sorted(FILE_KINDS)],
    ("location", {"latitude": 1.5, "longitude": 2.5}),
    ("venue", {}),
    ("contact", {"phone": "+1"}),
    ("poll", {"question": "?", "options": ["a", {"text": "b"}]}),
    ("dice", {"emoji": "🎰", "value": 64}),
    ("story", {}),
    ("invoice", {}),
    ("giveaway", {}),
    ("paid_media", {}),
    ("game", {}),
    ("hologram", {}),
    ("service", {"new_chat_title": "Новое"}),
    ("service", {"delete_chat_photo": True}),
]


async def test_every_kind_that_people_send_arrives_valid(lab: Lab, bot: Bot) -> None:
    ivan = lab.scene.ivan_id
    for kind, payload in PEOPLE_SEND:
        people.send(lab.world, ivan, ivan, kind=kind, payload=payload, text="подпись")
    arrived = [update.message.content_type for update in await bot.get_updates() if update.message]
    special = {"hologram": "unknown"}
    assert arrived == [
        next(iter(payload)) if kind == "service" else special.get(kind, kind)
        for kind, payload in PEOPLE_SEND
    ]


async def test_every_kind_of_update_arrives_valid(lab: Lab, bot: Bot) -> None:
    scene, world = lab.scene, lab.world
    wanted = [
        "message",
        "edited_message",
        "callback_query",
        "my_chat_member",
        "chat_member",
        "message_reaction",
    ]
    await bot.get_updates(allowed_updates=wanted)
    keyboard = InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text="1", callback_data="score:1:1:5")]]
    )
    asked = await bot.send_message(scene.ivan_id, "?", reply_markup=keyboard)
    message = people.send(world, scene.ivan_id, scene.ivan_id, text="a")
    people.edit(world, scene.ivan_id, scene.ivan_id, message.id, "b")
    callback = people.press(world, scene.ivan_id, scene.ivan_id, asked.message_id, text="1")
    people.block(world, scene.ivan_id, blocked=True)
    world.set_member(world.chat(scene.main_group_id), world.user(scene.emma_id), "member")
    people.react(world, scene.maria_id, scene.main_group_id, 1, "👍")
    people.send(world, scene.maria_id, scene.main_group_id, text="x", anonymous=True)
    updates = await bot.get_updates()
    assert [update.event_type for update in updates] == [*wanted, "message"]
    assert await bot.answer_callback_query(callback.id, text="принято", show_alert=True)
    anonymous = updates[-1].message
    assert anonymous is not None
    assert anonymous.from_user is not None
    assert (anonymous.from_user.is_bot, anonymous.sender_chat is not None) == (True, True)


async def test_refusals_become_aiograms_own_errors(lab: Lab, bot: Bot) -> None:
    scene = lab.scene
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(1, "x")
    people.block(lab.world, scene.ivan_id, blocked=True)
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(scene.ivan_id, "x")
    moved = people.migrate(lab.world, scene.bob_group_id)
    with pytest.raises(TelegramMigrateToChat) as migrated:
        await bot.send_message(scene.bob_group_id, "x")
    assert migrated.value.migrate_to_chat_id == moved.id
    lab.world.faults.add(FaultRule(kind="too_many_requests", times_left=1, retry_after=9))
    with pytest.raises(TelegramRetryAfter) as waiting:
        await bot.get_me()
    assert waiting.value.retry_after == 9
    lab.world.faults.add(FaultRule(kind="server_error", times_left=1))
    with pytest.raises(TelegramServerError):
        await bot.get_me()
    await bot.set_webhook("http://127.0.0.1:9/", secret_token="s", max_connections=5)
    with pytest.raises(TelegramConflictError):
        await bot.get_updates()
    assert (await bot.get_webhook_info()).max_connections == 5
    assert await bot.delete_webhook(drop_pending_updates=True)
