"""The local Telegram's Bot API over plain HTTP: answers and refusals."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from lab.telegram import people
from tests.fakes.local_telegram import Lab, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


# --- requests -------------------------------------------------------------------------------


async def test_json_form_multipart_and_query_say_the_same(lab: Lab) -> None:
    given: dict[str, Any] = {
        "chat_id": str(lab.scene.ivan_id),
        "text": "привет",
        "protect_content": "true",
    }
    markup = '{"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}'
    multipart = aiohttp.FormData(given | {"reply_markup": markup}, default_to_multipart=True)
    address = lab.address("SENDMESSAGE")
    requests: list[dict[str, Any]] = [
        {"json": {**given, "chat_id": lab.scene.ivan_id, "reply_markup": orjson.loads(markup)}},
        {"data": given | {"reply_markup": markup}},
        {"data": multipart},
        {"params": given | {"reply_markup": markup}},
    ]
    for request in requests:
        async with lab.http.post(address, **request) as response:
            result = (await response.json())["result"]
        assert result["text"] == "привет"
        assert result["has_protected_content"] is True
        assert result["reply_markup"] == orjson.loads(markup)
    async with lab.http.get(lab.address("getMe")) as response:
        assert (await response.json())["result"]["username"] == "topicdesk_demo_bot"


@pytest.mark.parametrize(
    ("body", "kind", "complaint"),
    [
        (b"{", "application/json", "can't parse JSON object"),
        (b"[1]", "application/json", "object expected as request body"),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded", "encoded in UTF-8"),
        (b"x", "text/plain", "unsupported content type"),
        (b"x", "multipart/form-data", "can't parse multipart form data"),
    ],
)
async def test_garbage_is_refused_and_breaks_nothing(
    lab: Lab, body: bytes, kind: str, complaint: str
) -> None:
    headers = {"Content-Type": kind}
    async with lab.http.post(lab.address("getMe"), data=body, headers=headers) as response:
        assert response.status == 400
        assert complaint in (await response.json())["description"]
    assert await lab.ok("getMe")


async def test_wrong_tokens_and_unknown_methods_have_their_own_answers(lab: Lab) -> None:
    assert await lab.raw("getMe", "42:wrong") == {
        "ok": False,
        "error_code": 401,
        "description": "Unauthorized",
    }
    assert await lab.raw("sendFax") == {
        "ok": False,
        "error_code": 404,
        "description": "Not Found",
    }


# --- messages -------------------------------------------------------------------------------


async def test_message_ids_count_up_per_chat(lab: Lab) -> None:
    people.send(lab.world, lab.scene.emma_id, lab.scene.emma_id, text="hi")
    for chat_id, first in ((lab.scene.ivan_id, 2), (lab.scene.emma_id, 2)):
        sent = [await lab.ok("sendMessage", chat_id=chat_id, text="x") for _ in range(3)]
        assert [message["message_id"] for message in sent] == [first, first + 1, first + 2]


async def test_texts_are_measured_after_parsing(lab: Lab) -> None:
    chat_id = lab.scene.ivan_id
    await lab.ok("sendMessage", chat_id=chat_id, text=f"<b>{'x' * 4096}</b>", parse_mode="HTML")
    too_long = await lab.refusal("sendMessage", chat_id=chat_id, text="x" * 4097)
    assert too_long == "Bad Request: message is too long"
    assert await lab.refusal("sendMessage", chat_id=chat_id, text=" \n ") == (
        "Bad Request: message text is empty"
    )
    assert (
        await lab.refusal("sendMessage", chat_id=chat_id, text="<b>x", parse_mode="HTML")
    ).startswith("Bad Request: can't parse entities: ")


async def test_people_who_cannot_be_reached_are_told_apart(lab: Lab) -> None:
    emma = lab.scene.emma_id
    assert await lab.refusal("sendMessage", chat_id=999, text="x") == "Bad Request: chat not found"
    assert await lab.refusal("sendMessage", chat_id=emma, text="x") == (
        "Forbidden: bot can't initiate conversation with a user"
    )
    people.send(lab.world, emma, emma, text="/start")
    await lab.ok("sendMessage", chat_id=emma, text="x")
    people.block(lab.world, emma, blocked=True)
    assert await lab.refusal("sendMessage", chat_id=emma, text="x") == (
        "Forbidden: bot was blocked by the user"
    )
    people.block(lab.world, emma, blocked=False)
    lab.world.user(emma).deactivated = True
    assert await lab.refusal("sendMessage", chat_id=emma, text="x") == (
        "Forbidden: user is deactivated"
    )


async def test_groups_that_are_closed_to_the_bot_say_why(lab: Lab) -> None:
    chat_id, bot_id = lab.scene.main_group_id, lab.scene.bot_id
    people.kick(lab.world, chat_id, bot_id)
    assert await lab.refusal("sendMessage", chat_id=chat_id, text="x") == (
        "Forbidden: bot was kicked from the supergroup chat"
    )
    people.kick(lab.world, chat_id, bot_id, banned=False)
    assert await lab.refusal("sendMessage", chat_id=chat_id, text="x") == (
        "Forbidden: bot is not a member of the supergroup chat"
    )
    moved = people.migrate(lab.world, lab.scene.alice_group_id)
    answer = await lab.raw("sendMessage", chat_id=lab.scene.alice_group_id, text="x")
    assert answer["description"] == ("Bad Request: group chat was upgraded to a supergroup chat")
    assert answer["parameters"] == {"migrate_to_chat_id": moved.id}
    await lab.ok("sendMessage", chat_id=moved.id, text="x")


async def test_a_copy_keeps_the_content_and_drops_the_author(lab: Lab) -> None:
    ivan, group = lab.scene.ivan_id, lab.scene.main_group_id
    thread = await lab.topic()
    bold = [{"type": "bold", "offset": 0, "length": 2}]
    source = people.send(lab.world, ivan, ivan, text="эй, там", entities=bold)
    copied = await lab.ok(
        "copyMessage",
        chat_id=group,
        message_thread_id=thread,
        from_chat_id=ivan,
        message_id=source.id,
    )
    assert copied.keys() == {"message_id"}
    copy = lab.world.chat(group).message(copied["message_id"])
    assert copy is not None
    assert (copy.text, copy.body["entities"]) == ("эй, там", bold)
    assert (copy.sender.id, copy.thread_id, copy.origin) == (lab.scene.bot_id, thread, None)


async def test_a_copy_may_bring_its_own_caption_keyboard_and_reply(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    photo = people.send(lab.world, ivan, ivan, kind="photo", text="старая")
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}
    copied = await lab.ok(
        "copyMessage",
        chat_id=ivan,
        from_chat_id=ivan,
        message_id=photo.id,
        caption="<i>новая</i>",
        parse_mode="HTML",
        reply_markup=markup,
        reply_parameters={"message_id": photo.id},
    )
    copy = lab.world.chat(ivan).message(copied["message_id"])
    assert copy is not None
    assert (copy.text, copy.markup, copy.reply_to) == ("новая", markup, photo.id)
    assert copy.body["photo"] == photo.body["photo"]


@pytest.mark.parametrize(
    "kind", ["story", "invoice", "giveaway", "paid_media", "game", "hologram", "service"]
)
async def test_what_telegram_cannot_copy_is_refused(lab: Lab, kind: str) -> None:
    ivan = lab.scene.ivan_id
    source = people.send(lab.world, ivan, ivan, kind=kind)
    given: dict[str, Any] = {"chat_id": ivan, "from_chat_id": ivan}
    assert await lab.refusal("copyMessage", **given, message_id=source.id) == (
        "Bad Request: message can't be copied"
    )
    assert await lab.refusal("copyMessage", **given, message_id=999) == (
        "Bad Request: message to copy not found"
    )


async def test_copying_many_keeps_albums_and_silently_skips_the_rest(lab: Lab) -> None:
    ivan, group = lab.scene.ivan_id, lab.scene.main_group_id
    album = [
        people.send(lab.world, ivan, ivan, kind="photo", media_group_id="a").id for _ in range(2)
    ]
    service = people.send(lab.world, ivan, ivan, kind="service").id
    given: dict[str, Any] = {"chat_id": group, "from_chat_id": ivan}
    copied = await lab.ok("copyMessages", **given, message_ids=[*album, service])
    copies = [lab.world.chat(group).message(each["message_id"]) for each in copied]
    assert [copy.copied_from for copy in copies if copy is not None] == [
        (ivan, message_id) for message_id in album
    ]
    groups = {copy.media_group_id for copy in copies if copy is not None}
    assert len(groups) == 1
    assert groups != {"a"}
    assert "strictly increasing" in await lab.refusal(
        "copyMessages", **given, message_ids=album[::-1]
    )


async def test_replies_need_their_message_unless_told_otherwise(lab: Lab) -> None:
    given: dict[str, Any] = {"chat_id": lab.scene.ivan_id, "text": "x"}
    assert await lab.refusal("sendMessage", **given, reply_parameters={"message_id": 99}) == (
        "Bad Request: message to be replied not found"
    )
    await lab.ok(
        "sendMessage",
        **given,
        reply_parameters={"message_id": 99, "allow_sending_without_reply": True},
    )
    reply = await lab.ok("sendMessage", **given, reply_parameters={"message_id": 1})
    assert reply["reply_to_message"]["message_id"] == 1


async def test_only_own_messages_can_be_edited_and_only_to_something_else(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    sent = await lab.ok("sendMessage", chat_id=ivan, text="a")
    place: dict[str, Any] = {"chat_id": ivan, "message_id": sent["message_id"]}
    assert await lab.refusal("editMessageText", **place, text="a") == (
        "Bad Request: message is not modified: specified new message content and reply markup are "
        "exactly the same as a current content and reply markup of the message"
    )
    edited = await lab.ok("editMessageText", **place, text="b")
    assert (edited["text"], "edit_date" in edited) == ("b", True)
    assert await lab.refusal("editMessageText", chat_id=ivan, message_id=1, text="b") == (
        "Bad Request: message can't be edited"
    )
    assert await lab.refusal("editMessageText", chat_id=ivan, message_id=99, text="b") == (
        "Bad Request: message to edit not found"
    )
    assert await lab.refusal("editMessageCaption", **place, caption="b") == (
        "Bad Request: there is no caption in the message to edit"
    )
    await lab.ok("deleteMessage", **place)
    assert await lab.refusal("deleteMessage", **place) == (
        "Bad Request: message to delete not found"
    )


# --- topics ---------------------------------------------------------------------------------


async def test_a_topics_first_message_gives_it_its_id_and_is_replied_to(lab: Lab) -> None:
    group = lab.scene.main_group_id
    thread = await lab.topic("🟢 [Новый] #1")
    sent = await lab.ok("sendMessage", chat_id=group, message_thread_id=thread, text="x")
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (thread, True)
    assert sent["reply_to_message"]["message_id"] == thread
    assert sent["reply_to_message"]["forum_topic_created"]["name"] == "🟢 [Новый] #1"
    (created,) = await lab.updates()
    assert created["message"]["forum_topic_created"]["icon_color"] == 7322096
    assert created["message"]["from"]["id"] == lab.scene.bot_id, "bots hear of their own doing"


async def test_topics_refuse_in_telegrams_words(lab: Lab) -> None:
    group = lab.scene.main_group_id
    thread = await lab.topic("one")
    topic: dict[str, Any] = {"chat_id": group, "message_thread_id": thread}
    for wrong in (1, 999):
        assert await lab.refusal(
            "sendMessage", chat_id=group, message_thread_id=wrong, text="x"
        ) == ("Bad Request: message thread not found")
    assert await lab.refusal("editForumTopic", **topic, name="one") == (
        "Bad Request: TOPIC_NOT_MODIFIED"
    )
    assert "1-128" in await lab.refusal("editForumTopic", **topic, name="x" * 129)
    await lab.ok("editForumTopic", **topic, name="🟡" * 128)
    await lab.ok("closeForumTopic", **topic)
    assert await lab.refusal("closeForumTopic", **topic) == "Bad Request: TOPIC_NOT_MODIFIED"
    await lab.ok("sendMessage", **topic, text="admins may still write")
    people.promote(lab.world, group, lab.scene.bot_id, None, admin=False)
    assert await lab.refusal("sendMessage", **topic, text="x") == "Bad Request: TOPIC_CLOSED"
    assert await lab.refusal("reopenForumTopic", **topic) == (
        "Bad Request: not enough rights to close or reopen the topic"
    )
    assert await lab.refusal("createForumTopic", chat_id=group, name="x") == (
        "Bad Request: not enough rights to create a topic"
    )
    people.topic(lab.world, lab.scene.maria_id, group, "delete", thread_id=thread)
    assert await lab.refusal("sendMessage", **topic, text="x") == (
        "Bad Request: message thread not found"
    )
    people.promote(lab.world, group, lab.scene.bot_id, None)
    assert await lab.refusal("editForumTopic", **topic, name="x") == (
        "Bad Request: TOPIC_ID_INVALID"
    )


async def test_a_reply_in_general_carries_a_thread_id_that_is_no_topics(lab: Lab) -> None:
    group, maria = lab.scene.main_group_id, lab.scene.maria_id
    first = people.send(lab.world, maria, group, text="a")
    people.send(lab.world, maria, group, text="b", reply_to=first.id)
    _, reply = await lab.updates()
    assert reply["message"]["message_thread_id"] == first.id
    assert "is_topic_message" not in reply["message"]
