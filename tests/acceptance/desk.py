"""The whole program beside a local Telegram, and people who write, press and look."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import anyio
from sqlalchemy import text
from structlog.testing import capture_logs

from bootstrap.app import Application, started
from bootstrap.settings import load_settings
from lab.processes import free_port
from lab.telegram.client import LabClient, Object
from lab.telegram.scene import Scene, demo_scene
from lab.telegram.server import LocalTelegram
from lab.telegram.webhook import WebhookRules
from lab.telegram.world import World

TOKEN = "42:acceptance"
SECRET = "a-secret-of-the-acceptance-tests"
DEADLINE_S = 30.0
"""For whatever must happen; it takes some tens of milliseconds."""

_NUMBER = re.compile(r"#(\d+) \|")

_UNFINISHED = text(
    "SELECT (SELECT count(*) FROM inbox WHERE handled_at IS NULL) + "
    "(SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending'))"
)

type Matches = str | Callable[[Object], bool]


@dataclass(kw_only=True)
class Case:
    """A ticket as people know it: its number, its client, its topics and its card."""

    number: int
    client: int
    topic: int
    card: int
    """The message with the buttons, in the main group."""
    mirrors: dict[str, int] = field(default_factory=dict)
    """Threads in the technicians' groups, by the technician's name."""


class Helpdesk:
    """What people do and see. Each wait has a deadline."""

    def __init__(
        self, *, lab: LabClient, telegram: LocalTelegram, scene: Scene, app: Application, mode: str
    ) -> None:
        self.lab = lab
        self.telegram = telegram
        self.scene = scene
        self.app = app
        self.mode = mode
        self.logs: Sequence[Any] = ()
        self.webhook = ""
        self.main = scene.main_group_id
        self.maria, self.ivan, self.emma = scene.maria_id, scene.ivan_id, scene.emma_id

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        mode: str,
        postgres_dsn: str,
        redis_url: str,
        *,
        helpers: Sequence[str] = (),
        **more: str,
    ) -> AsyncIterator[Self]:
        """A desk with nobody's tickets, updates by ``webhook`` or ``polling``.

        ``helpers`` are the tokens of helper bots. ``more`` are further settings; receipts are off
        unless they say so.
        """
        world = World(seed=7)
        scene = demo_scene(world, TOKEN, helpers)
        rules = WebhookRules(time_scale=0.02)  # what failed comes again within milliseconds
        bind, webhook_bind = (f"127.0.0.1:{free_port()}" for _ in range(2))
        async with (
            LocalTelegram.serve(world=world, webhook_rules=rules) as telegram,
            LabClient(telegram.url) as lab,
        ):
            settings = {
                **scene.settings(telegram.url),
                "POSTGRES_DSN": postgres_dsn,
                "REDIS_URL": redis_url,
                "HTTP_BIND": bind,
                "LANGUAGE": "ru",
                **dict.fromkeys(("PACE_BOT_PER_S", "PACE_PRIVATE_PER_S"), "0"),
                "PACE_GROUP_PER_MIN": "0",
                "RECEIPT_REACTIONS": "off",
                **more,
            }
            if mode == "webhook":
                settings |= {
                    "WEBHOOK_BIND": webhook_bind,
                    "WEBHOOK_URL": f"http://{webhook_bind}",
                    "WEBHOOK_SECRET": SECRET,
                }
            with capture_logs() as logs:
                async with started(load_settings(settings, None)) as app:
                    desk = cls(lab=lab, telegram=telegram, scene=scene, app=app, mode=mode)
                    desk.logs = logs
                    desk.webhook = f"http://{webhook_bind}/webhook"
                    yield desk

    # --- what people do ---------------------------------------------------------------------

    async def client_writes(self, client: int, words: str = "", **more: Any) -> Object:
        return await self.lab.send(client, client, words, **more)

    async def staff_writes(self, case: Case, words: str = "", **more: Any) -> Object:
        return await self.lab.send(self.maria, self.main, words, thread=case.topic, **more)

    async def technician_writes(self, case: Case, name: str, words: str = "", **m: Any) -> Object:
        user, group = self.technician(name)
        return await self.lab.send(user, group, words, thread=case.mirrors[name], **m)

    async def presses(self, user: int, chat: int, message_id: int, button: str) -> Object:
        """Presses the button of which the text holds ``button``; returns what the person is told.

        A client may have the button on the screen still when it is gone: see :meth:`presses_data`.
        """
        label = next(b["text"] for b in await self.buttons(chat, message_id) if button in b["text"])
        query = await self.lab.press(user, chat, message_id, text=label)
        return await self.lab.wait_answer(query, DEADLINE_S)

    async def presses_data(self, user: int, chat: int, message_id: int, data: str) -> Object:
        """Presses a button that need not be there: outdated on the screen, or made up."""
        query = await self.lab.press(user, chat, message_id, data=data, forged=True)
        return await self.lab.wait_answer(query, DEADLINE_S)

    async def opens(self, client: int, words: str = "Не печатает принтер") -> Case:
        """A client writes; returns the ticket that this opened, everything of it shown."""
        before = {topic["thread_id"] for topic in await self.topics(self.main)}
        await self.client_writes(client, words)
        topic = await self.lab.wait_topic(
            self.main, lambda t: t["thread_id"] not in before, timeout=DEADLINE_S
        )
        thread = topic["thread_id"]
        card = await self.sees(self.main, lambda m: bool(m["buttons"]), thread)
        await self.sees(self.main, words, thread)
        await self.settles()
        return Case(
            number=number_of(topic["name"]),
            client=client,
            topic=thread,
            card=card["message_id"],
        )

    async def assigns(self, case: Case, name: str) -> Object:
        """Мария gives the ticket to a technician; returns what she is told."""
        told = await self.presses(self.maria, self.main, case.card, name)
        _, group = self.technician(name)
        mirror = await self.lab.wait_topic(group, f"#{case.number} |", timeout=DEADLINE_S)
        case.mirrors[name] = mirror["thread_id"]
        await self.settles()
        return told

    async def closes(self, case: Case) -> Object:
        """Мария closes the ticket; returns the survey's first question."""
        await self.presses(self.maria, self.main, case.card, "Закрыть")
        await self.settles()
        return await self.sees(case.client, "1/3")

    # --- what people see --------------------------------------------------------------------

    async def sees(
        self, chat: int, matches: Matches, thread: int | None = None, *, after: int = 0
    ) -> Object:
        """The first message of the bot in a chat that matches."""

        def fits(message: Object) -> bool:
            if not message["from"]["is_bot"] or message["service"] is not None:
                return False
            return matches in message["text"] if isinstance(matches, str) else matches(message)

        return await self.lab.wait_message(
            chat, fits, thread=thread, after=after, timeout=DEADLINE_S
        )

    async def shown(self, chat: int, thread: int | None = None, *, after: int = 0) -> list[Object]:
        """The bot's messages in a chat as they are now, oldest first."""
        return [
            message
            for message in await self.lab.messages(chat, thread=thread, after=after)
            if message["from"]["is_bot"]
            and not message["from"]["anonymous"]
            and message["service"] is None
            and not message["deleted"]
        ]

    async def texts(self, chat: int, thread: int | None = None, *, after: int = 0) -> list[str]:
        return [message["text"] for message in await self.shown(chat, thread, after=after)]

    async def message(self, chat: int, message_id: int) -> Object:
        """A message as it is now."""
        return (await self.lab.messages(chat, after=message_id - 1))[0]

    async def buttons(self, chat: int, message_id: int) -> list[Object]:
        rows = (await self.message(chat, message_id))["buttons"] or []
        return [button for row in rows for button in row]

    async def topics(self, chat: int) -> list[Object]:
        world = await self.lab.world()
        return [topic for c in world["chats"] if c["id"] == chat for topic in c["topics"]]

    async def topic(self, chat: int, thread: int) -> Object:
        return next(t for t in await self.topics(chat) if t["thread_id"] == thread)

    def technician(self, name: str) -> tuple[int, int]:
        """A technician's user id and group."""
        scene = self.scene
        return {
            "alice": (scene.alice_id, scene.alice_group_id),
            "bob": (scene.bob_id, scene.bob_group_id),
        }[name]

    # --- behind the scenes ------------------------------------------------------------------

    async def settles(self) -> None:
        """Waits until nothing is under way: each update stored and handled, each effect sent.

        Whatever did not happen by then never will, unless somebody does something again.
        """
        feed = self.telegram.world.first_bot.feed
        with anyio.fail_after(DEADLINE_S):
            while feed.pending or await self.value(_UNFINISHED):  # noqa: ASYNC110 — nobody tells
                await anyio.sleep(0.01)

    async def value(self, query: Any, **values: object) -> Any:
        """The one value that a query of the database gives."""
        [[found]] = await self.rows(query, **values)
        return found

    async def rows(self, query: Any, **values: object) -> Sequence[Any]:
        statement = text(query) if isinstance(query, str) else query
        async with self.app.engine.connect() as connection:
            return (await connection.execute(statement, values)).all()

    async def execute(self, statement: str, **values: object) -> None:
        async with self.app.engine.begin() as connection:
            await connection.execute(text(statement), values)

    async def events(self, case: Case) -> list[tuple[str, str]]:
        """The ticket's log: who did what."""
        query = "SELECT actor, action FROM events WHERE ticket_id = :id ORDER BY id"
        return [(row.actor, row.action) for row in await self.rows(query, id=case.number)]

    def logged(self, event: str) -> list[Any]:
        return [entry for entry in self.logs if entry["event"] == event]


def number_of(title: str) -> int:
    """The ticket's number in the title of its topic."""
    found = _NUMBER.search(title)
    assert found is not None, title
    return int(found[1])
