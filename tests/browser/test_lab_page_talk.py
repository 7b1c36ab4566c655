"""The page as people use it to talk: writing, answering, pressing, sending things."""

from typing import Any

import anyio
import pytest
from playwright.async_api import FilePayload, Page, Route, expect

from lab.telegram import people
from lab.telegram.files import sample_picture
from tests.browser.conftest import OpenPage, Watch
from tests.browser.pages import Column, eventually
from tests.fakes.local_telegram import Lab

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def _update(lab: Lab, kind: str) -> dict[str, Any]:
    """The next update of a kind that the bot gets."""

    async def look() -> dict[str, Any] | None:
        found = (update[kind] for update in await lab.updates() if kind in update)
        return next(found, None)

    return await eventually(look)


async def test_what_a_client_writes_stands_in_the_chat_and_reaches_the_bot(
    page: Page, lab: Lab
) -> None:
    client = Column(page, "client")
    await client.write("Не включается ноутбук")
    await expect(client.message("Не включается ноутбук")).to_contain_class("own")
    await expect(client.field).to_have_value("")
    update = await _update(lab, "message")
    assert (update["text"], update["chat"]["id"]) == ("Не включается ноутбук", lab.scene.ivan_id)


async def test_quick_messages_keep_their_order(page: Page, lab: Lab) -> None:
    """Also when the first one is slow: the others wait for it."""
    client = Column(page, "client")
    all_written = anyio.Event()

    async def slow_first(route: Route) -> None:
        if "номер 0" in (route.request.post_data or ""):
            await all_written.wait()
        await route.continue_()

    await page.route("**/lab/send", slow_first)
    for number in range(8):
        await client.write(f"номер {number}")
    all_written.set()
    await expect(client.message("номер 7")).to_be_visible()
    texts = await client.root.locator(".message .text").all_inner_texts()
    assert texts[-8:] == [f"номер {number}" for number in range(8)]


async def test_shift_enter_makes_a_new_line_and_enter_sends(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await client.field.fill("раз")
    await client.field.press("Shift+Enter")
    await page.keyboard.type("два")
    await client.field.press("Enter")
    assert (await _update(lab, "message"))["text"] == "раз\nдва"


async def test_the_bots_answer_comes_live_with_its_marks(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    marked = "<b>жирно</b> <i>косо</i> <code>код</code> <a href='https://example.com/a'>сюда</a>"
    await lab.ok(
        "sendMessage",
        chat_id=lab.scene.ivan_id,
        text=f"{marked} <tg-spoiler>секрет</tg-spoiler>",
        parse_mode="HTML",
    )
    answer = client.message("жирно")
    await expect(answer.locator("strong")).to_have_text("жирно")
    await expect(answer.locator("em")).to_have_text("косо")
    await expect(answer.locator("code")).to_have_text("код")
    await expect(answer.locator("a")).to_have_attribute("rel", "noopener noreferrer")
    await answer.locator(".spoiler").click()
    await expect(answer.locator(".spoiler")).to_have_class("spoiler shown")


async def test_a_pressed_button_reaches_the_bot_and_its_answer_is_shown(
    page: Page, lab: Lab
) -> None:
    thread_id = await lab.topic("🟢 [Новый] #1 | Иван")
    await lab.ok(
        "sendMessage",
        chat_id=lab.scene.main_group_id,
        message_thread_id=thread_id,
        text="Кому?",
        reply_markup={"inline_keyboard": [[{"text": "alice", "callback_data": "to:alice"}]]},
    )
    main = Column(page, "main")
    await main.key("alice").click()
    await expect(main.key("alice")).to_have_class("key busy")
    query = await _update(lab, "callback_query")
    assert (query["data"], query["from"]["id"]) == ("to:alice", lab.scene.maria_id)
    await lab.ok("answerCallbackQuery", callback_query_id=query["id"], text="Назначено")
    await expect(main.toast).to_have_text("Назначено")
    await expect(main.key("alice")).to_have_class("key")


async def test_an_alert_is_a_dialog_that_escape_closes(page: Page, lab: Lab) -> None:
    await lab.ok(
        "sendMessage",
        chat_id=lab.scene.ivan_id,
        text="Оцените",
        reply_markup={"inline_keyboard": [[{"text": "5", "callback_data": "5"}]]},
    )
    await Column(page, "client").key("5").click()
    query = await _update(lab, "callback_query")
    await lab.ok(
        "answerCallbackQuery", callback_query_id=query["id"], text="Уже оценено", show_alert=True
    )
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_contain_text("Уже оценено")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_arrow_up_corrects_the_last_own_message(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await client.write("опечтка")
    await expect(client.message("опечтка")).to_be_visible()
    await client.field.press("ArrowUp")
    await expect(client.field).to_have_value("опечтка")
    await client.write("опечатка")
    await expect(client.message("опечатка").locator(".edited")).to_have_text("изменено")
    assert (await _update(lab, "edited_message"))["text"] == "опечатка"


async def test_an_answer_quotes_and_the_quote_leads_back(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    question = await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="Какая модель?")
    await client.tool("Какая модель?", "reply")
    await expect(client.root.locator(".composer-context")).to_contain_text("Какая модель?")
    await client.write("X200")
    await expect(client.message("X200").locator(".quote")).to_contain_text("Какая модель?")
    update = await _update(lab, "message")
    assert update["reply_to_message"]["message_id"] == question["message_id"]
    await client.message("X200").locator(".quote").click()
    jumped_to = client.root.locator(f"[data-id='{question['message_id']}']")
    await expect(jumped_to).to_be_focused()


async def test_escape_drops_the_answer_but_keeps_the_words(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await client.tool("/start", "reply")
    await client.field.fill("ещё думаю")
    await client.field.press("Escape")
    await expect(client.root.locator(".composer-context")).to_be_hidden()
    await expect(client.field).to_have_value("ещё думаю")


async def test_an_attached_picture_is_shown_with_its_caption(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    picture = FilePayload(name="screen.png", mimeType="image/png", buffer=sample_picture(64, 40))
    await client.root.locator("input[type=file]").set_input_files(files=[picture])
    await expect(client.root.locator(".chip")).to_contain_text("screen.png")
    await client.write("вот экран")
    image = client.message("вот экран").locator("img")
    await expect(image).to_have_js_property("naturalWidth", 64)
    update = await _update(lab, "message")
    assert (update["caption"], "photo" in update) == ("вот экран", True)


@pytest.mark.parametrize(
    ("item", "confirm", "kind", "shown"),
    [
        ("Геопозиция", "Отправить", "location", ".place"),
        ("Контакт", "Отправить", "contact", ".contact"),
        ("Опрос", "Отправить", "poll", ".poll"),
        ("Кубик", "🎲", "dice", ".die"),
        ("Стикер", "👍", "sticker", ".sticker"),
        ("Голосовое", None, "voice", ".player"),
    ],
)
async def test_other_kinds_are_sent_and_shown(
    page: Page, lab: Lab, *, item: str, confirm: str | None, kind: str, shown: str
) -> None:
    """A voice message without a microphone is a sample."""
    client = Column(page, "client")
    await client.attach(item)
    if confirm:
        await page.locator("dialog, .emoji-strip").get_by_role("button", name=confirm).click()
    await expect(client.root.locator(f".message.own {shown}")).to_be_visible()
    assert kind in await _update(lab, "message")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("video", "video"),
        ("animation", "video"),
        ("audio", ".player"),
        ("document", ".file"),
        ("video_note", ".round video"),
        ("venue", ".place"),
        ("hologram", ".unknown"),
        ("giveaway", ".unknown"),
    ],
)
async def test_kinds_that_come_from_elsewhere_are_shown_too(
    page: Page, lab: Lab, watch: Watch, kind: str, shown: str
) -> None:
    """The lab's samples of films are no films: only their frame can be looked at."""
    watch.expected = ("net::ERR", "NotSupportedError")
    people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, kind=kind)
    await expect(Column(page, "client").messages().locator(shown)).to_be_attached()


async def test_a_reaction_is_given_seen_and_taken_back(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="Готово")
    await client.tool("Готово", "smile")
    await page.locator(".emoji-strip").get_by_role("button", name="🔥").click()
    reaction = client.message("Готово").locator(".reaction")
    await expect(reaction).to_have_class("reaction mine")
    await reaction.click()
    await expect(reaction).to_have_count(0)


async def test_a_refusal_is_said_in_place_and_the_words_stay(
    page: Page, lab: Lab, watch: Watch
) -> None:
    watch.expected = ("status of 400",)
    client = Column(page, "client")
    lab.world.private_chat(lab.scene.ivan_id)
    people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, text="исчезнет")
    await client.tool("исчезнет", "reply")
    gone = lab.world.private_chat(lab.scene.ivan_id).messages[-1]
    gone.deleted = True
    await client.write("ответ")
    await expect(client.error).to_contain_text("больше нет")
    await expect(client.field).to_have_value("ответ")


async def test_who_blocks_the_bot_can_only_unblock_it(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await client.root.get_by_role("button", name="Действия").click()
    await page.get_by_role("menuitem", name="Заблокировать бота").click()
    await expect(client.field).to_be_hidden()
    update = await _update(lab, "my_chat_member")
    assert update["new_chat_member"]["status"] == "kicked"
    await client.root.get_by_role("button", name="Разблокировать бота").click()
    await expect(client.field).to_be_visible()


async def test_a_new_client_is_made_and_writes_first(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await client.root.get_by_role("button", name="Новый клиент").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Имя", exact=True).fill("Ольга")
    await dialog.get_by_role("button", name="Добавить").click()
    await expect(client.root.locator(".picker-name")).to_have_text("Ольга")
    await client.write("Здравствуйте!")
    update = await _update(lab, "message")
    assert (update["from"]["first_name"], update["text"]) == ("Ольга", "Здравствуйте!")


async def test_drafts_stay_with_their_client(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    await client.field.fill("недописано")
    await client.pick("Emma")
    await expect(client.field).to_have_value("")
    await client.pick("Иван")
    await expect(client.field).to_have_value("недописано")


async def test_the_status_page_is_linked_only_by_a_web_address(open_page: OpenPage) -> None:
    linked = await open_page("/?status=http://127.0.0.1:8080/")
    await expect(linked.locator(".top a")).to_have_attribute("href", "http://127.0.0.1:8080/")
    bad = await open_page("/?status=javascript:alert(1)")
    await expect(bad.locator(".top a")).to_have_count(0)
