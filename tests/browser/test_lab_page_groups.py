"""The page's groups: topics, titles, what is unread, and as whom one writes."""

import pytest
from playwright.async_api import Page, expect

from lab.telegram import people
from tests.browser.conftest import OpenPage
from tests.browser.pages import Column, eventually
from tests.fakes.local_telegram import Lab

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_a_title_changes_live_in_the_list_and_above_the_messages(
    page: Page, lab: Lab
) -> None:
    main = Column(page, "main")
    thread_id = await lab.topic("🟢 [Новый] #1 | Иван")
    await expect(main.title).to_have_text("🟢 [Новый] #1 | Иван")
    new = "🟡 [В работе | @alice] #1 | Иван"
    await lab.ok(
        "editForumTopic", chat_id=lab.scene.main_group_id, message_thread_id=thread_id, name=new
    )
    await expect(main.title).to_have_text(new)
    await expect(main.topic("#1").locator(".topic-name")).to_have_text(new)
    await expect(main.root.locator(".service").last).to_contain_text("меняет название темы")


async def test_what_comes_into_another_topic_is_counted_until_it_is_opened(
    page: Page, lab: Lab
) -> None:
    main = Column(page, "main")
    first, second = await lab.topic("первая"), await lab.topic("вторая")
    await main.topic("вторая").click()
    for thread_id, text in ((first, "раз"), (first, "два"), (second, "три")):
        await lab.ok(
            "sendMessage", chat_id=lab.scene.main_group_id, message_thread_id=thread_id, text=text
        )
    count = main.topic("первая").locator(".unread")
    await expect(count).to_have_text("2")
    await expect(main.message("три")).to_be_visible()
    await expect(main.topic("вторая").locator(".unread")).to_be_hidden()
    await main.topic("первая").click()
    await expect(main.message("два")).to_be_visible()
    await expect(count).to_be_hidden()


async def test_a_burst_of_one_author_is_one_run_with_one_picture(page: Page, lab: Lab) -> None:
    """Messages come in between a frame and the scrolling that it caused, too."""
    main, chat_id = Column(page, "main"), lab.scene.main_group_id
    thread_id = await lab.topic("первая")
    for number in range(60):
        await lab.ok("sendMessage", chat_id=chat_id, message_thread_id=thread_id, text=f"{number}")
    await expect(main.messages()).to_have_count(60)
    await expect(main.root.locator(".message.last")).to_have_count(1)
    await expect(main.messages().last).to_contain_text("59")


async def test_the_topic_with_the_last_message_stands_right_below_general(
    page: Page, lab: Lab
) -> None:
    main = Column(page, "main")
    first = await lab.topic("первая")
    await lab.topic("вторая")
    names = main.root.locator(".topic-name")
    await expect(names).to_have_text(["General", "вторая", "первая"])
    await lab.ok(
        "sendMessage", chat_id=lab.scene.main_group_id, message_thread_id=first, text="ещё"
    )
    await expect(names).to_have_text(["General", "первая", "вторая"])


async def test_one_writes_as_staff_or_as_an_anonymous_admin(page: Page, lab: Lab) -> None:
    main = Column(page, "main")
    await lab.topic("первая")
    await expect(main.field).to_have_attribute("placeholder", "Мария: сообщение…")
    await main.write("от себя")
    await expect(main.message("от себя")).to_be_visible()
    await main.pick("Анонимный админ", ".speaker")
    await main.write("от имени группы")
    await expect(main.message("от имени группы")).to_be_visible()

    async def both() -> list[dict[str, object]] | None:
        found = lab.world.chat(lab.scene.main_group_id).messages[-2:]
        return [{"text": one.text, "anonymous": one.anonymous} for one in found]

    assert await eventually(both) == [
        {"text": "от себя", "anonymous": False},
        {"text": "от имени группы", "anonymous": True},
    ]


async def test_a_technician_writes_in_the_group_that_was_chosen(page: Page, lab: Lab) -> None:
    techs = Column(page, "techs")
    await techs.pick("Bob")
    await techs.write("я на месте")
    await expect(techs.message("я на месте")).to_be_visible()
    written = lab.world.chat(lab.scene.bob_group_id).messages[-1]
    assert (written.sender.id, written.text) == (lab.scene.bob_id, "я на месте")


async def test_topics_are_made_renamed_closed_reopened_and_deleted(page: Page, lab: Lab) -> None:
    main = Column(page, "main")
    await main.root.get_by_role("button", name="Новая тема").click()
    await page.get_by_label("Название темы").fill("своя тема")
    await page.keyboard.press("Enter")
    await expect(main.title).to_have_text("своя тема")

    async def act(item: str) -> None:
        await main.root.locator(".pane-head").get_by_role("button", name="Действия").click()
        await page.get_by_role("menuitem", name=item).click()

    await act("Переименовать тему")
    await page.get_by_label("Название темы").fill("другое имя")
    await page.keyboard.press("Enter")
    await expect(main.title).to_have_text("другое имя")
    await act("Закрыть тему")
    await expect(main.root.locator(".pane-state")).to_have_text("Тема закрыта")
    await act("Открыть тему снова")
    await expect(main.root.locator(".pane-state")).to_have_count(0)
    await act("Удалить тему")
    await page.get_by_role("alertdialog").get_by_role("button", name="Удалить тему").click()
    await expect(main.topic("другое имя")).to_have_count(0)
    await expect(main.title).to_have_text("General")


async def test_a_deleted_message_leaves_the_page(page: Page, lab: Lab) -> None:
    client = Column(page, "client")
    sent = await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="ошибка")
    await expect(client.message("ошибка")).to_be_visible()
    await lab.ok("deleteMessage", chat_id=lab.scene.ivan_id, message_id=sent["message_id"])
    await expect(client.message("ошибка")).to_have_count(0)


async def test_hostile_names_and_texts_are_only_words(page: Page, lab: Lab) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\">"
    people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, text=evil)
    lab.world.user(lab.scene.maria_id).first_name = evil
    thread_id = await lab.topic(f"{evil}<script>document.title='taken'</script>")
    await lab.ok(
        "sendMessage",
        chat_id=lab.scene.main_group_id,
        message_thread_id=thread_id,
        text="[сюда]",
        entities=[{"type": "text_link", "offset": 0, "length": 6, "url": "javascript:alert(1)"}],
        reply_markup={"inline_keyboard": [[{"text": evil, "callback_data": "x"}]]},
    )
    people.send(
        lab.world, lab.scene.maria_id, lab.scene.main_group_id, text=evil, thread_id=thread_id
    )
    file = lab.world.files.add(b"x", name=f"{evil}.txt", mime="text/html", kind="document")
    people.send(lab.world, lab.scene.ivan_id, lab.scene.ivan_id, kind="document", file=file)
    await page.reload()
    await page.locator(".connection.live").wait_for()
    main = Column(page, "main")
    await expect(main.title).to_contain_text("<script>")
    await expect(main.message("[сюда]").locator("a")).to_have_count(0)
    await expect(main.messages().last.locator(".text")).to_have_text(evil)
    await expect(Column(page, "client").messages().last).to_be_visible()
    assert await page.locator("[onerror], .columns script").count() == 0
    assert await page.title() == "topicdesk — локальный Telegram"


async def test_the_page_loads_the_world_again_when_the_server_has_forgotten_it(
    page: Page, lab: Lab
) -> None:
    client = Column(page, "client")
    await client.write("до")
    await expect(client.message("до")).to_be_visible()
    lab.world.events.forget()
    await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="после")
    await expect(client.message("после")).to_be_visible()
    await expect(client.message("до").first).to_be_visible()


async def test_what_was_open_is_open_after_a_reload(page: Page, lab: Lab) -> None:
    await lab.topic("первая")
    await lab.topic("вторая")
    await Column(page, "main").topic("первая").click()
    await Column(page, "client").pick("Emma")
    await page.reload()
    await expect(Column(page, "main").title).to_have_text("первая")
    await expect(Column(page, "client").root.locator(".picker-name")).to_have_text("Emma")


async def _oldest(column: Column) -> int:
    return int(await column.messages().first.get_attribute("data-id") or 0)


async def test_thousands_of_messages_stay_a_window_that_scrolls_back(
    open_page: OpenPage, lab: Lab
) -> None:
    """Some two hundred nodes, whatever the chat holds; the first message is still in reach."""
    scene = lab.scene
    for number in range(3000):
        people.send(lab.world, scene.ivan_id, scene.ivan_id, text=f"сообщение {number}.")
    page = await open_page()
    client = Column(page, "client")
    await expect(client.message("сообщение 2999.")).to_be_in_viewport()
    assert await client.messages().count() <= 100
    for number in range(600):
        people.send(lab.world, scene.ivan_id, scene.ivan_id, text=f"новое {number}.")
    await expect(client.message("новое 599.")).to_be_in_viewport()
    assert await client.messages().count() <= 330
    oldest = await _oldest(client)
    await client.root.locator(".messages").evaluate("log => { log.scrollTop = 0; }")

    async def reaches_further() -> bool:
        return await _oldest(client) < oldest

    await eventually(reaches_further)
    await client.root.locator(".jump-down").click()
    await expect(client.message("новое 599.")).to_be_in_viewport()
