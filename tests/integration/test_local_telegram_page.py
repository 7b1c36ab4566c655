"""The local Telegram's page API and control API, and the program that runs it alone."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from lab.telegram.client import LabClient, LabError
from tests.fakes.local_telegram import Lab, open_lab

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with open_lab() as opened:
        yield opened


@pytest.fixture
async def client(lab: Lab) -> AsyncIterator[LabClient]:
    async with LabClient(lab.telegram.url) as opened:
        yield opened


async def _post(lab: Lab, path: str, status: int = 200, **body: Any) -> dict[str, Any]:
    async with lab.http.post(f"{lab.telegram.url}{path}", json=body) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == status, answer
        return answer


# --- page -----------------------------------------------------------------------------------


async def test_the_page_comes_with_a_strict_policy_and_nothing_outside_its_folder(
    lab: Lab,
) -> None:
    async with lab.http.get(lab.telegram.url) as response:
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]
    for path in ("/page/../server.py", "/page/..%2fserver.py", "/page/%2fetc/passwd", "/page/nope"):
        async with lab.http.get(lab.telegram.url + path) as response:
            assert response.status == 404, path


async def test_the_world_shows_people_chats_topics_and_messages(lab: Lab) -> None:
    scene = lab.scene
    thread = await lab.topic("🟢 one")
    markup = {
        "inline_keyboard": [
            [{"text": "a", "callback_data": "b"}, {"text": "c", "url": "https://d.example"}]
        ]
    }
    await lab.ok(
        "sendMessage",
        chat_id=scene.main_group_id,
        message_thread_id=thread,
        text="card",
        reply_markup=markup,
    )
    async with lab.http.get(f"{lab.telegram.url}/lab/world") as response:
        world = await response.json()
    assert world["bots"] == [{"id": 42, "username": "topicdesk_demo_bot", "name": "Topicdesk"}]
    assert {user["name"] for user in world["users"] if user["is_client"]} == {"Иван", "Emma"}
    chats = {chat["id"]: chat for chat in world["chats"]}
    assert (chats[scene.ivan_id]["role"], chats[scene.alice_group_id]["role"]) == ("client", "tech")
    group = chats[scene.main_group_id]
    assert group["topics"] == [
        {"thread_id": thread, "name": "🟢 one", "closed": False, "icon_color": 7322096}
    ]
    card = group["messages"][-1]
    assert (card["text"], card["thread_id"], card["reply_to"]) == ("card", thread, None)
    assert card["buttons"] == [
        [{"text": "a", "data": "b"}, {"text": "c", "url": "https://d.example"}]
    ]
    assert group["messages"][-2]["service"] == "Topicdesk created the topic «🟢 one»"


async def test_people_write_attach_edit_press_and_react_from_the_page(lab: Lab) -> None:
    ivan = lab.scene.ivan_id
    who = {"user_id": ivan, "chat_id": ivan}
    sent = (await _post(lab, "/lab/send", **who, text="привет"))["message"]
    edited = await _post(lab, "/lab/edit", **who, message_id=sent["message_id"], text="пока")
    assert (edited["message"]["text"], edited["message"]["edited"]) == ("пока", True)
    await _post(lab, "/lab/react", **who, message_id=sent["message_id"], emoji="👍")
    message = lab.world.chat(ivan).messages[-1]
    assert message.reactions == {ivan: ["👍"]}
    form = aiohttp.FormData({name: str(value) for name, value in who.items()} | {"text": "фото"})
    form.add_field("file", b"\x89PNG", filename="a.png", content_type="image/png")
    async with lab.http.post(f"{lab.telegram.url}/lab/send", data=form) as response:
        photo = (await response.json())["message"]
    assert (photo["kind"], photo["text"], photo["media"]["size"]) == ("photo", "фото", 4)
    async with lab.http.get(lab.telegram.url + photo["media"]["url"]) as response:
        assert (response.content_type, await response.read()) == ("image/png", b"\x89PNG")
    markup = {"inline_keyboard": [[{"text": "a", "callback_data": "b"}]]}
    asked = await lab.ok("sendMessage", chat_id=ivan, text="?", reply_markup=markup)
    place = {**who, "message_id": asked["message_id"]}
    assert "callback_query_id" in await _post(lab, "/lab/press", **place, row=0, column=0)
    refused = await _post(lab, "/lab/press", status=400, **place, row=1, column=0)
    assert refused == {"error": "there is no such button"}
    kinds = [update.keys() - {"update_id"} for update in await lab.updates()]
    assert kinds == [{"message"}, {"edited_message"}, {"message"}, {"callback_query"}]


async def test_uploaded_pages_are_never_served_as_pages(lab: Lab) -> None:
    form = aiohttp.FormData({"user_id": str(lab.scene.ivan_id), "chat_id": str(lab.scene.ivan_id)})
    form.add_field("file", b"<script>", filename='"x".html', content_type="text/html")
    async with lab.http.post(f"{lab.telegram.url}/lab/send", data=form) as response:
        media = (await response.json())["message"]["media"]
    async with lab.http.get(lab.telegram.url + media["url"]) as response:
        assert response.content_type == "application/octet-stream"
        assert response.headers["Content-Disposition"].startswith("attachment")
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_new_clients_topics_and_blocking_work_from_the_page(lab: Lab) -> None:
    scene = lab.scene
    user = (await _post(lab, "/lab/client"))["user"]
    assert user["is_client"] is True
    named = (await _post(lab, "/lab/client", name="Ольга", language="ru"))["user"]
    assert (named["name"], named["id"]) == ("Ольга", user["id"] + 1)
    maria = {"user_id": scene.maria_id, "chat_id": scene.main_group_id}
    topic = (await _post(lab, "/lab/topic", **maria, action="create", name="t"))["topic"]
    await _post(lab, "/lab/topic", **maria, action="close", thread_id=topic["thread_id"])
    again = await _post(
        lab, "/lab/topic", 400, **maria, action="close", thread_id=topic["thread_id"]
    )
    assert again == {"error": "Bad Request: TOPIC_NOT_MODIFIED"}
    await _post(lab, "/lab/block", user_id=user["id"], blocked=True)
    assert lab.world.user(user["id"]).blocked == {42}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"user_id": 5000000012}, "somebody else's private chat"),
        ({"user_id": 1}, "no user 1"),
        ({"chat_id": -1}, "no chat -1"),
        ({"text": " "}, "needs a text"),
        ({"text": "x" * 4097}, "longer than 4096"),
        ({"thread_id": 5}, "has no such topic"),
        ({"reply_to": 99}, "the message to reply to is gone"),
        ({"kind": "fax"}, "no such kind"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"user_id": "x"}, "user_id: Input should be a valid integer"),
    ],
)
async def test_what_a_messenger_would_not_allow_is_refused_with_a_sentence(
    lab: Lab, body: dict[str, Any], complaint: str
) -> None:
    given = {"user_id": lab.scene.ivan_id, "chat_id": lab.scene.ivan_id, "text": "x"} | body
    assert complaint in (await _post(lab, "/lab/send", 400, **given))["error"]
    count = len(lab.world.chat(lab.scene.ivan_id).messages)
    assert count == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/lab/client", "/control/reset"])
async def test_other_sites_are_kept_out(lab: Lab, headers: dict[str, str], path: str) -> None:
    async with lab.http.post(lab.telegram.url + path, json={}, headers=headers) as response:
        assert response.status == 403


async def test_the_pages_own_posts_pass(lab: Lab) -> None:
    headers = {"Origin": lab.telegram.url, "Sec-Fetch-Site": "same-origin"}
    async with lab.http.post(f"{lab.telegram.url}/lab/client", headers=headers) as response:
        assert response.status == 200


async def test_events_arrive_live_and_after_a_break_go_on_where_they_ended(
    lab: Lab, client: LabClient
) -> None:
    ivan = lab.scene.ivan_id
    with anyio.fail_after(20):
        async with client.events() as events:
            await client.send(ivan, ivan, "one")
            first = await anext(events)
            assert (first["type"], first["message"]["text"]) == ("message", "one")
        await client.send(ivan, ivan, "two")
        await client.block(ivan)
        async with client.events(after=first["seq"]) as events:
            missed = [await anext(events) for _ in range(3)]
            assert [event["type"] for event in missed] == ["message", "block", "user"]
            assert [event["seq"] - first["seq"] for event in missed] == [1, 2, 3]


async def test_whoever_missed_too_much_is_told_to_begin_again(lab: Lab, client: LabClient) -> None:
    with anyio.fail_after(20):
        async with client.events(after=10**9) as events:
            assert (await anext(events))["type"] == "reset"
        async with client.events() as events:
            await client.reset()
            assert (await anext(events))["type"] == "reset"
    assert (await client.world())["chats"] == []


# --- control --------------------------------------------------------------------------------


async def test_another_process_can_play_a_whole_case(lab: Lab, client: LabClient) -> None:
    bot = await client.add_bot("77:x", "second_bot", privacy=False)
    user = await client.add_user("Новый Человек", username="new", language="ru")
    group = await client.add_group("Группа", members=[user["id"]], admins=[bot["id"]])
    topic = await client.topic(user["id"], group["id"], "create", name="тема")
    thread = topic["thread_id"]
    sent = await client.send(user["id"], group["id"], "привет", thread=thread)
    await client.edit(user["id"], group["id"], sent["message_id"], "привет!")
    await client.react(user["id"], group["id"], sent["message_id"], "🔥")
    markup = {"inline_keyboard": [[{"text": "да", "callback_data": "yes"}]]}
    await lab.ok(
        "sendMessage",
        "77:x",
        chat_id=group["id"],
        message_thread_id=thread,
        text="вопрос",
        reply_markup=markup,
    )
    asked = await client.wait_message(group["id"], "вопрос", thread=thread)
    press = await client.press(user["id"], group["id"], asked["message_id"], text="да")
    await lab.ok("answerCallbackQuery", "77:x", callback_query_id=press, text="спасибо")
    assert (await client.wait_answer(press))["text"] == "спасибо"
    assert (await client.wait_topic(group["id"], "тема"))["thread_id"] == thread
    texts = [message["text"] for message in await client.messages(group["id"], thread=thread)]
    assert texts == ["", "привет!", "вопрос"]
    later = await client.messages(group["id"], after=asked["message_id"] - 1)
    assert [message["message_id"] for message in later] == [asked["message_id"]]
    stats = await client.stats()
    assert stats["calls"]["sendMessage"] == 1
    assert stats["updates"]["second_bot"]["pending"] > 0
    calls = await client.calls()
    assert [call["method"] for call in calls][-2:] == ["sendMessage", "answerCallbackQuery"]


async def test_trouble_is_made_and_taken_back(lab: Lab, client: LabClient) -> None:
    ivan, group = lab.scene.ivan_id, lab.scene.main_group_id
    await client.send_many([{"user": ivan, "chat": ivan, "text": str(i)} for i in range(3)])
    assert [update["message"]["text"] for update in await lab.updates()] == ["0", "1", "2"]
    fault = await client.add_fault("server_error", method="send*", times_left=5)
    assert await lab.refusal("sendMessage", chat_id=ivan, text="x") == "Internal Server Error"
    await client.clear_faults(fault["id"])
    await lab.ok("sendMessage", chat_id=ivan, text="x")
    await client.set_limits(enabled=True, scale=0.05)
    await lab.ok("sendMessage", chat_id=group, text="x")
    assert (await lab.raw("sendMessage", chat_id=group, text="x"))["error_code"] == 429
    await client.set_limits(enabled=False)
    await client.promote(group, 42, ["can_pin_messages"])
    assert "not enough rights" in await lab.refusal("createForumTopic", chat_id=group, name="x")
    await client.kick(group, 42)
    assert "kicked" in await lab.refusal("sendMessage", chat_id=group, text="x")
    await client.join(group, 42)
    moved = await client.migrate(group)
    await lab.ok("sendMessage", chat_id=moved["id"], text="x")
    await client.delete(ivan, 1)
    assert "not found" in await lab.refusal(
        "copyMessage", chat_id=ivan, from_chat_id=ivan, message_id=1
    )


async def test_mistakes_of_a_driver_are_told_in_words(client: LabClient) -> None:
    with pytest.raises(LabError, match="no chat -5"):
        await client.send(5000000011, -5, "x")
    with pytest.raises(LabError, match="no such fault: fire"):
        await client.add_fault("fire")
    with pytest.raises(LabError, match="looks like 42:secret"):
        await client.add_bot("token", "x_bot")
    with pytest.raises(TimeoutError, match="a message in 5000000011 like 'never'"):
        await client.wait_message(5000000011, "never", timeout=0.1)


# --- alone ----------------------------------------------------------------------------------


@pytest.mark.processes
async def test_the_program_says_where_it_is_and_ends_with_its_parents_pipe() -> None:
    command = [sys.executable, "-m", "lab.telegram", "--port", "0", "--die-with-stdin"]
    process = await anyio.open_process(command, cwd=ROOT, stderr=None)
    with anyio.fail_after(20):
        async with process:
            assert process.stdin is not None
            assert process.stdout is not None
            line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 4096)
            ready = json.loads(line)
            assert ready["settings"]["MAIN_GROUP_ID"] == "-1001000000001"
            async with LabClient(ready["url"]) as client, client.events() as events:
                await client.send(5000000011, 5000000011, "x")
                assert (await anext(events))["type"] == "message"
                await process.stdin.aclose()
                assert await process.wait() == 0
