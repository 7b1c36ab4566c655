"""The desk as it runs, from the update to what the chats show, against a local Telegram."""

import secrets
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from aiogram import Bot
from aiogram.fsm.storage.base import DefaultKeyBuilder
from aiogram.fsm.storage.redis import RedisStorage
from anyio.abc import TaskStatus
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from actors.ids import ChatId, TechnicianId, UserId
from actors.messages import Envelope, Technician
from bot.api import ApiOptions, create_bot
from bot.desk import create_dispatcher
from bot.desk.worker import DeskOptions, DeskWorker
from bot.intake import Intake
from bot.meaning import Desk
from bot.texts import Texts
from lab.simulation.links import NoLinks
from lab.telegram import people
from lab.telegram.model import Message
from storage.desk import DeskMail
from storage.inbox import PostgresInbox
from storage.queries import TicketQueries
from storage.redis import RedisOptions, create_redis
from storage.tolerant import Tolerant
from storage.topic_book import PostgresTopicBook
from tests.fakes.desk import from_client, rows, scalar
from tests.fakes.local_telegram import TOKEN, Lab, open_lab

DEADLINE_S = 30.0

QUICK = DeskOptions(poll_s=0.02, retry_first_s=0.01, retry_max_s=0.05)


class Roster:
    def __init__(self, *technicians: Technician) -> None:
        self.technicians = technicians

    async def active(self) -> tuple[Technician, ...]:
        return self.technicians


class _Mailroom:
    def offer(self, envelopes: Sequence[Envelope]) -> None:
        """Nobody works on tickets here."""


class _Locks:
    async def acquire(self, user_id: int, data: str, callback_id: str) -> bool:
        return True


class Answers:
    """What intake answered to presses that it refused itself."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def answer(self, callback_id: str, text: str, *, alert: bool = False) -> None:
        self.texts.append(text)


@dataclass
class Bench:
    lab: Lab
    engine: AsyncEngine
    bot: Bot
    worker: DeskWorker
    intake: Intake
    roster: Roster
    refused: Answers
    logs: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def intake_run(self, *, task_status: TaskStatus[None]) -> None:
        await self.intake.run(task_status=task_status)

    async def worker_run(self, *, task_status: TaskStatus[None]) -> None:
        await self.worker.run(task_status=task_status)

    async def settle(self) -> None:
        """Takes in all updates and waits until the desk has nothing left."""
        await self.take_in()
        await self.until_handled()

    async def take_in(self) -> None:
        await self.intake.accept_many(await self.lab.updates())

    async def until_handled(self) -> None:
        with anyio.fail_after(DEADLINE_S):
            while await self.waiting():  # noqa: ASYNC110 - the database tells nobody
                await anyio.sleep(0.01)

    async def waiting(self) -> int:
        query = "SELECT count(*) FROM inbox WHERE ticket_id IS NULL AND handled_at IS NULL"
        return int(await scalar(self.engine, query))

    async def write(self, user_id: int, chat_id: int, text: str, **given: Any) -> list[Message]:
        """Somebody writes; returns what the bot said in that chat because of it."""
        written = people.send(self.lab.world, user_id, chat_id, text=text, **given)
        await self.settle()
        return self.said(chat_id, written.id)

    async def press(self, user_id: int, message: Message, **given: Any) -> str:
        """Somebody presses a button; returns what they were told, empty when nothing."""
        before = len(self.lab.world.answers)
        people.press(self.lab.world, user_id, message.chat.id, message.id, **given)
        await self.settle()
        [answer] = self.lab.world.answers[before:]
        return answer.text

    def said(self, chat_id: int, after_id: int = 0) -> list[Message]:
        """The bot's messages in a chat, oldest first."""
        chat = self.lab.world.chat(chat_id)
        return [
            message
            for message in chat.messages[after_id:]
            if message.sender.is_bot
            and not message.anonymous
            and not message.is_service
            and not message.deleted
        ]

    async def tickets(self, number: int) -> list[int]:
        """New tickets of so many clients, oldest first."""
        inbox = PostgresInbox(self.engine, ChatId(self.lab.scene.main_group_id))
        stored = await inbox.put([from_client(n, 1) for n in range(1, number + 1)])
        return [each.envelope.ticket_id for each in stored if each.envelope is not None]

    async def dead_letters(self) -> list[Any]:
        return await rows(self.engine, "SELECT key, error, attempts FROM dead_letters ORDER BY id")


def buttons(message: Message) -> list[str]:
    markup: Any = message.markup or {}
    return [button["text"] for row in markup.get("inline_keyboard", ()) for button in row]


@asynccontextmanager
async def open_bench(engine: AsyncEngine, redis_url: str) -> AsyncIterator[Bench]:
    """A desk with two technicians, working; Мария is the administrator."""
    redis = create_redis(RedisOptions(url=redis_url))
    async with open_lab() as lab, anyio.create_task_group() as tasks:
        bot = create_bot(TOKEN, ApiOptions(url=lab.telegram.url))
        bench = _bench(lab, engine, bot, redis)
        try:
            await tasks.start(bench.intake_run)
            await tasks.start(bench.worker_run)
            with capture_logs() as bench.logs:
                yield bench
        finally:
            tasks.cancel_scope.cancel()
            with anyio.move_on_after(5, shield=True):
                await bot.session.close()
                await redis.aclose()


def _bench(lab: Lab, engine: AsyncEngine, bot: Bot, redis: Any) -> Bench:
    scene = lab.scene
    main_chat_id = ChatId(scene.main_group_id)
    admin_ids = frozenset({UserId(scene.maria_id)})
    texts = Texts("ru")
    roster = Roster(
        Technician(id=TechnicianId(1), name="alice", chat_id=ChatId(scene.alice_group_id)),
        Technician(id=TechnicianId(2), name="bob", chat_id=ChatId(scene.bob_group_id)),
    )
    dispatcher = create_dispatcher(
        queries=TicketQueries(engine),
        roster=roster,
        texts=texts,
        main_chats={main_chat_id},
        admin_ids=admin_ids,
        storage=RedisStorage(
            redis, key_builder=DefaultKeyBuilder(prefix=f"fsm:{secrets.token_hex(4)}")
        ),
        tolerant=Tolerant(),
    )
    worker = DeskWorker(DeskMail(engine), dispatcher, bot, QUICK)
    refused = Answers()
    intake = Intake(
        desk=Desk(
            bot_id=UserId(scene.bot_id),
            bot_username="topicdesk_demo_bot",
            main_chats={main_chat_id},
            admin_ids=admin_ids,
        ),
        inbox=PostgresInbox(engine, main_chat_id),
        topics=PostgresTopicBook(engine),
        messages=NoLinks(),
        roster=roster,
        mailroom=_Mailroom(),
        presses=refused,
        locks=_Locks(),
        texts=texts,
        desk_hint=worker.hint,
    )
    return Bench(lab, engine, bot, worker, intake, roster, refused)
