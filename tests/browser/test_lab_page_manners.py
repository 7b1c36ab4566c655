"""The page's manners: phones, keyboards, languages, contrast, lost connections."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from lab.telegram import people, topics
from lab.telegram.scene import demo_scene
from lab.telegram.server import LocalTelegram
from tests.browser.conftest import MISSING, NAMES, OpenPage, Watch, chromium_path
from tests.browser.pages import Column
from tests.fakes.local_telegram import Lab

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}

CONTRAST = Path(__file__).with_name("contrast.js").read_text()


async def _fill(lab: Lab) -> None:
    """Something of everything."""
    scene = lab.scene
    thread_id = await lab.topic("🟡 [В работе | @alice] #1 | Иван")
    other = await lab.topic("🟣 [Закрыт] #2 | Emma")
    await lab.ok("closeForumTopic", chat_id=scene.main_group_id, message_thread_id=other)
    sent = await lab.ok(
        "sendMessage",
        chat_id=scene.main_group_id,
        message_thread_id=thread_id,
        parse_mode="HTML",
        text="<b>Клиент</b> @ivan <code>код</code> <a href='https://example.com'>сюда</a>"
        "<pre>много кода</pre><blockquote>цитата</blockquote>",
        reply_markup={"inline_keyboard": [[{"text": "alice", "callback_data": "a"}]]},
    )
    texts = ("Здравствуйте! https://example.com", "/note и `код` для своих")
    for user, text in zip((scene.maria_id, scene.maria_id), texts, strict=True):
        people.send(
            lab.world,
            user,
            scene.main_group_id,
            text=text,
            thread_id=thread_id,
            reply_to=sent["message_id"],
        )
    people.send(
        lab.world,
        scene.maria_id,
        scene.main_group_id,
        text="ок",
        thread_id=thread_id,
        anonymous=True,
    )
    for kind in ("photo", "voice", "document", "location", "contact", "poll", "venue", "hologram"):
        people.send(lab.world, scene.ivan_id, scene.ivan_id, kind=kind)
        await lab.ok("sendMessage", chat_id=scene.ivan_id, text=f"получено: {kind}")
    people.react(lab.world, scene.ivan_id, scene.ivan_id, 2, "👍")
    await lab.ok("sendMessage", chat_id=scene.main_group_id, message_thread_id=other, text="новое")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_has_enough_contrast(open_page: OpenPage, lab: Lab, scheme: str) -> None:
    await _fill(lab)
    page = await open_page(color_scheme=scheme, reduced_motion="reduce")
    await Column(page, "main").topic("#1").click()
    await expect(Column(page, "main").key("alice")).to_be_visible()
    await expect(Column(page, "client").messages().last).to_be_visible()
    measured = await page.evaluate(CONTRAST)
    assert measured["seen"] > 60
    assert measured["bad"] == []


async def test_on_a_phone_there_is_one_column_with_tabs(open_page: OpenPage, lab: Lab) -> None:
    page = await open_page(**PHONE)
    client, main = Column(page, "client"), Column(page, "main")
    await expect(client.field).to_be_visible()
    await expect(main.root).to_be_hidden()
    thread_id = await lab.topic("🟢 [Новый] #1 | Иван")
    await lab.ok(
        "sendMessage", chat_id=lab.scene.main_group_id, message_thread_id=thread_id, text="привет"
    )
    tab = page.locator(".tab[data-tab=main]")
    await expect(tab.locator(".unread")).to_have_text("1")
    await tab.tap()
    await expect(client.root).to_be_hidden()
    await main.topic("#1").tap()
    await expect(main.message("привет")).to_be_visible()
    await expect(tab.locator(".unread")).to_be_hidden()
    await main.root.get_by_role("button", name="К списку тем").tap()
    await expect(main.topic("#1")).to_be_visible()
    await expect(main.field).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 700, 900, 1024, 1280, 1920])
async def test_nothing_is_wider_than_the_window(open_page: OpenPage, lab: Lab, width: int) -> None:
    await _fill(lab)
    await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="безпробелов" * 60)
    page = await open_page(viewport={"width": width, "height": 800})
    await expect(Column(page, "client").message("безпробелов")).to_be_attached()
    wide = await page.evaluate(
        """() => [...document.querySelectorAll('.columns *')]
          .filter((one) => !one.closest('svg *') && one.checkVisibility())
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
          .map((one) => one.className)"""
    )
    assert wide == []


async def test_a_conversation_needs_no_mouse(page: Page, lab: Lab) -> None:
    """Tab reaches the field, arrows walk the messages, R answers, every stop can be seen."""
    await lab.ok("sendMessage", chat_id=lab.scene.ivan_id, text="Какая модель?")
    client = Column(page, "client")
    await expect(client.message("Какая модель?")).to_be_visible()
    await page.locator("body").click(position={"x": 5, "y": 5})
    stops = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(
            """() => ({ name: document.activeElement.className,
              seen: getComputedStyle(document.activeElement).outlineStyle !== 'none'
                || getComputedStyle(document.activeElement.closest('.composer') ?? document.body)
                  .boxShadow !== 'none' })"""
        )
        stops.append(stop["name"].strip())
        assert stop["seen"], stop
        if stop["name"] == "messages":
            await page.keyboard.press("ArrowUp")
            await expect(client.message("Какая модель?")).to_be_focused()
            await page.keyboard.press("r")
            break
    assert stops[:2] == ["button language", "picker"]
    await expect(client.field).to_be_focused()
    await page.keyboard.type("X200")
    await page.keyboard.press("Enter")
    await expect(client.message("X200").locator(".quote")).to_contain_text("Какая модель?")


async def test_the_messages_are_a_live_log_for_screen_readers(page: Page) -> None:
    for name in ("client", "main", "techs"):
        log = Column(page, name).root.get_by_role("log")
        await expect(log).to_have_attribute("aria-busy", "false")
        assert await log.get_attribute("aria-label")


async def test_every_button_has_a_name(page: Page, lab: Lab) -> None:
    await _fill(lab)
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll('button, a, input, textarea')]
          .filter((one) => !one.hidden && !one.textContent.trim() && !one.ariaLabel)
          .map((one) => one.outerHTML)"""
    )
    assert nameless == []


async def test_the_language_follows_the_browser_and_the_choice_is_kept(
    open_page: OpenPage,
) -> None:
    page = await open_page(locale="en-GB")
    await expect(page.locator(".client .column-title")).to_have_text("Client")
    await page.locator(".language").click()
    await expect(page.locator(".client .column-title")).to_have_text("Клиент")
    await expect(page.locator("html")).to_have_attribute("lang", "ru")
    await page.reload()
    await expect(page.locator(".client .column-title")).to_have_text("Клиент")


async def test_both_languages_say_the_same_things(page: Page) -> None:
    texts: dict[str, dict[str, str]] = await page.evaluate(
        "async () => (await import('/page/texts.js')).TEXTS"
    )
    assert texts["ru"].keys() == texts["en"].keys()
    marks = {
        language: {key: sorted(_marks(text)) for key, text in said.items()}
        for language, said in texts.items()
    }
    assert marks["ru"] == marks["en"]


def _marks(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


async def test_a_lost_server_is_said_and_what_was_written_is_not_lost(
    open_page: OpenPage, lab: Lab, watch: Watch
) -> None:
    """Another server at the same address: the page loads its world and goes on."""
    watch.expected = ("ERR_", "Failed to load", "status of")
    async with LocalTelegram.serve() as telegram:
        demo_scene(telegram.world, "42:demo")
        page = await open_page()
        watch.expected = (*watch.expected, telegram.url)
        port = int(telegram.url.rsplit(":", 1)[1])
        await page.goto(telegram.url)
        await expect(page.locator(".connection")).to_have_class("connection live")
    await expect(page.locator(".connection")).to_have_class("connection reconnecting")
    client = Column(page, "client")
    await client.write("слышите?")
    await expect(client.error).to_contain_text("Сервер не отвечает")
    await expect(client.field).to_have_value("слышите?")
    async with LocalTelegram.serve(port=port) as telegram:
        scene = demo_scene(telegram.world, "42:demo")
        maria = telegram.world.user(scene.maria_id)
        group = telegram.world.chat(scene.main_group_id)
        topics.create(telegram.world, group, maria, "другой мир")
        await expect(page.locator(".connection")).to_have_class("connection live", timeout=15_000)
        await expect(Column(page, "main").title).to_have_text("другой мир")
        await client.field.press("Enter")
        await expect(client.message("слышите?")).to_be_visible()
        assert telegram.world.private_chat(scene.emma_id).messages[-1].text == "слышите?"


def test_the_browser_is_found_by_name_or_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without one the tests fail and say what to install; they are never skipped silently."""
    folder = tmp_path_factory.mktemp("path")
    made = folder / NAMES[1]
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(folder))
    assert chromium_path() == str(made)
    monkeypatch.setenv("CHROMIUM", str(folder / "nothing"))
    assert chromium_path() is None
    assert "apt-get install chromium" in MISSING
    assert "brew install chromium" in MISSING
