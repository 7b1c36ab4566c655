"""The way in on a real database, and what it told the parts behind it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId
from actors.messages import Envelope
from actors.ports import Inbox, Incoming, Stored
from bot.intake import Intake, IntakeOptions
from bot.texts import Texts
from lab.simulation.links import NoLinks
from storage.inbox import PostgresInbox
from storage.topic_book import PostgresTopicBook
from tests.fakes.bot_api import FixedRoster, MemoryMailroom
from tests.fakes.desk import rows
from tests.fakes.updates import ALICE_TECHNICIAN, DESK, MAIN_GROUP, Json


class Answers:
    """Presses that were answered without a ticket."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str]] = []

    async def answer(self, callback_id: str, text: str, *, alert: bool = False) -> None:
        self.given.append((callback_id, text))


class Locks:
    """Lets everybody press, or nobody."""

    def __init__(self) -> None:
        self.held = False

    async def acquire(self, user_id: int, data: str, callback_id: str) -> bool:
        return not self.held


@dataclass
class Door:
    engine: AsyncEngine
    intake: Intake
    mailroom: MemoryMailroom
    answers: Answers
    locks: Locks
    hints: list[None] = field(default_factory=list)
    """One per call of the desk's hint."""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await self.intake.run(task_status=task_status)

    async def accept(self, update: Json) -> None:
        await self.intake.accept(json.dumps(update).encode())

    async def keys(self) -> list[int]:
        """The updates that are stored, by number, in their order."""
        found = await rows(self.engine, "SELECT key FROM inbox ORDER BY id")
        return [int(row.key.rpartition(":")[2]) for row in found]

    def offered(self) -> list[int]:
        """The updates that tickets were told of."""
        return [_number(envelope) for envelope in self.mailroom.offered]


def _number(envelope: Envelope) -> int:
    return int(envelope.key.rpartition(":")[2])


class HeldInbox:
    """Postgres, but a batch waits while it is held; keeps the batches' sizes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._inbox = PostgresInbox(engine, ChatId(MAIN_GROUP))
        self.sizes: list[int] = []
        self.entered = anyio.Event()
        self.gate = anyio.Event()

    async def put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        self.sizes.append(len(batch))
        self.entered.set()
        await self.gate.wait()
        return await self._inbox.put(batch)


def make_door(
    engine: AsyncEngine, inbox: Inbox | None = None, options: IntakeOptions | None = None
) -> Door:
    """An intake that is not running yet."""
    mailroom, answers, locks, hints = MemoryMailroom(), Answers(), Locks(), list[None]()
    intake = Intake(
        desk=DESK,
        inbox=inbox or PostgresInbox(engine, ChatId(MAIN_GROUP)),
        topics=PostgresTopicBook(engine),
        messages=NoLinks(),
        roster=FixedRoster(ALICE_TECHNICIAN),
        mailroom=mailroom,
        presses=answers,
        locks=locks,
        texts=Texts("ru"),
        desk_hint=lambda: hints.append(None),
        options=options,
    )
    return Door(engine, intake, mailroom, answers, locks, hints)


@asynccontextmanager
async def open_door(
    engine: AsyncEngine, inbox: Inbox | None = None, options: IntakeOptions | None = None
) -> AsyncIterator[Door]:
    door = make_door(engine, inbox, options)
    async with anyio.create_task_group() as group:
        await group.start(door.run)
        yield door
        group.cancel_scope.cancel()
