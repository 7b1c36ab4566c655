"""What bots of the local Telegram get to see, and files on their way there and back."""

from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from lab.telegram import people
from tests.fakes.local_telegram import TOKEN, Lab, open_lab

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


# --- what bots see --------------------------------------------------------------------------


async def test_anonymous_admins_write_as_the_group(lab: Lab) -> None:
    group, maria = lab.scene.main_group_id, lab.scene.maria_id
    people.send(lab.world, maria, group, text="x", anonymous=True)
    (update,) = await lab.updates()
    assert update["message"]["from"]["id"] == 1087968824
    assert update["message"]["from"]["is_bot"] is True
    assert update["message"]["sender_chat"]["id"] == group


async def test_a_bot_in_privacy_mode_sees_commands_replies_and_service_only(lab: Lab) -> None:
    group, maria = lab.scene.main_group_id, lab.scene.maria_id
    shy = lab.world.add_bot(token="43:shy", username="shy_bot")
    lab.world.set_member(lab.world.chat(group), shy.user, "member")
    own = await lab.ok("sendMessage", "43:shy", chat_id=group, text="mine")
    for text in ("plain", "/for_all", "/for_me@shy_bot", "/for_other@other_bot"):
        people.send(lab.world, maria, group, text=text)
    people.send(lab.world, maria, group, text="reply", reply_to=own["message_id"])
    await lab.topic("t")
    seen = [update["message"] for update in await lab.updates("43:shy") if "message" in update]
    assert [message.get("text") for message in seen] == [
        "/for_all",
        "/for_me@shy_bot",
        "reply",
        None,
    ]
    assert "forum_topic_created" in seen[-1]
    assert (await lab.ok("getMe", "43:shy"))["can_read_all_group_messages"] is False
    people.promote(lab.world, group, shy.id, frozenset({"can_manage_topics"}))
    await lab.updates("43:shy")
    people.send(lab.world, maria, group, text="plain again")
    (seen_by_admin,) = await lab.updates("43:shy")
    assert seen_by_admin["message"]["text"] == "plain again"


async def test_bots_do_not_see_bots(lab: Lab) -> None:
    group = lab.scene.main_group_id
    helper = lab.world.add_bot(token="43:x", username="helper_bot", privacy=False)
    lab.world.set_member(lab.world.chat(group), helper.user, "member")
    await lab.updates("43:x")
    await lab.ok("sendMessage", chat_id=group, text="x")
    await lab.ok("sendMessage", "43:x", chat_id=group, text="y")
    assert await lab.updates("43:x") == []
    assert await lab.updates() == []
    assert await lab.refusal("editMessageText", "43:x", chat_id=group, message_id=2, text="z") == (
        "Bad Request: message can't be edited"
    )


async def test_private_chats_belong_to_one_bot(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    lab.world.add_bot(token="43:x", username="helper_bot")
    assert await lab.refusal("sendMessage", "43:x", chat_id=ivan, text="x") == (
        "Forbidden: bot can't initiate conversation with a user"
    )
    people.send(lab.world, ivan, ivan, text="hello helper", bot_id=43)
    assert await lab.updates() == []
    (update,) = await lab.updates("43:x")
    assert update["message"]["text"] == "hello helper"


async def test_reactions_come_only_to_those_who_name_them(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    people.react(lab.world, ivan, ivan, 1, "👍")
    assert await lab.updates(allowed_updates=["message", "message_reaction"]) == []
    people.react(lab.world, ivan, ivan, 1, "🔥")
    people.block(lab.world, ivan, blocked=True)
    (update,) = await lab.updates()
    assert update["message_reaction"]["old_reaction"] == [{"type": "emoji", "emoji": "👍"}]
    assert update["message_reaction"]["new_reaction"] == [{"type": "emoji", "emoji": "🔥"}]


async def test_presses_are_answered_once_and_in_time(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    markup = {"inline_keyboard": [[{"text": "да", "callback_data": "yes"}]]}
    sent = await lab.ok("sendMessage", chat_id=ivan, text="?", reply_markup=markup)
    callback = people.press(lab.world, ivan, ivan, sent["message_id"], row=0)
    (update,) = await lab.updates()
    query = update["callback_query"]
    assert (query["id"], query["data"], query["from"]["id"]) == (callback.id, "yes", ivan)
    assert query["message"]["message_id"] == sent["message_id"]
    assert await lab.refusal("answerCallbackQuery", callback_query_id=callback.id, text="x" * 201)
    await lab.ok("answerCallbackQuery", callback_query_id=callback.id, text="хорошо")
    too_old = "Bad Request: query is too old and response timeout expired or query ID is invalid"
    assert await lab.refusal("answerCallbackQuery", callback_query_id=callback.id) == too_old
    late = people.press(lab.world, ivan, ivan, sent["message_id"], text="да")
    lab.world.callbacks[late.id].pressed_at -= 151
    assert await lab.refusal("answerCallbackQuery", callback_query_id=late.id) == too_old
    assert [answer.text for answer in lab.world.answers] == ["хорошо"]


# --- files ----------------------------------------------------------------------------------


async def test_files_are_uploaded_sent_again_by_id_and_downloaded(lab: Lab) -> None:
    form = aiohttp.FormData(
        {"chat_id": str(lab.scene.ivan_id), "caption": "вот"}, quote_fields=False
    )
    form.add_field("document", b"\x00\x01", filename="отчёт.bin")
    async with lab.http.post(lab.address("sendDocument"), data=form) as response:
        document = (await response.json())["result"]["document"]
    assert (document["file_name"], document["file_size"]) == ("отчёт.bin", 2)
    again = await lab.ok("sendDocument", chat_id=lab.scene.ivan_id, document=document["file_id"])
    assert again["document"]["file_unique_id"] == document["file_unique_id"]
    path = (await lab.ok("getFile", file_id=document["file_id"]))["file_path"]
    async with lab.http.get(f"{lab.telegram.url}/file/bot{TOKEN}/{path}") as response:
        assert await response.read() == b"\x00\x01"
    assert await lab.refusal("sendPhoto", chat_id=lab.scene.ivan_id, photo="made-up") == (
        "Bad Request: wrong file identifier/HTTP URL specified"
    )


async def test_albums_are_uploaded_as_one_and_keep_one_group(lab: Lab) -> None:
    media = [{"type": "photo", "media": f"attach://p{i}", "caption": str(i)} for i in range(2)]
    form = aiohttp.FormData(
        {"chat_id": str(lab.scene.ivan_id), "media": orjson.dumps(media).decode()}
    )
    for i in range(2):
        form.add_field(f"p{i}", b"png", filename=f"{i}.png")
    async with lab.http.post(lab.address("sendMediaGroup"), data=form) as response:
        album = (await response.json())["result"]
    assert [message["caption"] for message in album] == ["0", "1"]
    assert len({message["media_group_id"] for message in album}) == 1
    assert "2-10" in await lab.refusal("sendMediaGroup", chat_id=lab.scene.ivan_id, media=media[:1])
