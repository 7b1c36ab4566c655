"""Delivery with an outbox and a Bot API in memory, run as a test needs it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
from aiogram.methods import SendMessage, TelegramMethod

from actors.books import MessageBook
from actors.effects import Effect, Text
from actors.ids import ChatId, TechnicianId, ThreadId, UserId
from actors.messages import Technician
from actors.places import MAIN
from bot.calls import Calls
from bot.delivery import Delivery, DeliveryOptions, PaceOptions
from bot.delivery.crew import Sender
from bot.delivery.pace import Pace
from bot.texts import Texts
from lab.simulation.links import NoLinks
from tests.fakes.bot_api import (
    FakeApi,
    FixedDirectory,
    FixedRoster,
    MemoryMailroom,
    MemoryMarks,
    MemoryPresses,
    written,
)
from tests.fakes.outbox import MemoryOutbox

UNPACED = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=0)

MAIN_BOT, FIRST, SECOND = UserId(42), UserId(43), UserId(44)

ALICE = Technician(id=TechnicianId(1), name="alice", chat_id=ChatId(-1002))

STEP_MAX_S = 0.2
"""Of virtual time between two looks at a condition."""

DEADLINE_S = 3600.0
"""Of virtual time: whatever is to happen has happened by then."""


@dataclass
class Post:
    """All parts of one delivery; the outbox, the marks and the Bot API outlive a restart."""

    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    api: FakeApi = field(default_factory=FakeApi)
    marks: MemoryMarks = field(default_factory=MemoryMarks)
    presses: MemoryPresses = field(default_factory=MemoryPresses)
    mailroom: MemoryMailroom = field(default_factory=MemoryMailroom)
    links: MessageBook = field(default_factory=NoLinks)
    roster: FixedRoster = field(default_factory=lambda: FixedRoster(ALICE))

    def topic(self, ticket: int, thread: int = 70) -> None:
        """The ticket's main topic exists already."""
        self.outbox.topics[f"main:{ticket}"] = ThreadId(thread)

    def make(
        self,
        pace: PaceOptions = UNPACED,
        options: DeliveryOptions | None = None,
        clock: Callable[[], float] = anyio.current_time,
        helpers: Sequence[Sender] = (),
    ) -> Delivery:
        calls = Calls(
            texts=Texts("en"),
            roster=self.roster,
            directory=FixedDirectory(),
            tags=self.outbox,
            links=self.links,
        )
        return Delivery(
            outbox=self.outbox,
            call=self.api,
            calls=calls,
            pace=Pace(pace, anyio.current_time),
            marks=self.marks,
            presses=self.presses,
            mailroom=self.mailroom,
            bot_id=MAIN_BOT,
            helpers=helpers,
            options=options,
            clock=clock,
        )

    @asynccontextmanager
    async def running(
        self,
        pace: PaceOptions = UNPACED,
        options: DeliveryOptions | None = None,
        clock: Callable[[], float] = anyio.current_time,
        helpers: Sequence[Sender] = (),
    ) -> AsyncIterator[Delivery]:
        """Leaving the block is a crash: whatever is under way is torn."""
        delivery = self.make(pace, options, clock, helpers)
        async with anyio.create_task_group() as group:
            await group.start(delivery.run)
            yield delivery
            group.cancel_scope.cancel()

    async def settled(self) -> None:
        """Returns when nothing is left to send."""
        await until(lambda: not self.outbox.unsettled)


@dataclass
class Bots:
    """A main bot with two helpers."""

    post: Post = field(default_factory=Post)
    first: FakeApi = field(default_factory=FakeApi)
    second: FakeApi = field(default_factory=FakeApi)
    order: list[tuple[str, TelegramMethod[Any]]] = field(default_factory=list)
    """All answered calls, by whose they were."""

    @property
    def main(self) -> FakeApi:
        return self.post.api

    def __post_init__(self) -> None:
        for name, api in (("main", self.main), ("first", self.first), ("second", self.second)):
            api.always = partial(self._noted, name)

    def _noted(self, name: str, method: TelegramMethod[Any]) -> None:
        self.order.append((name, method))

    def senders(self, pace: PaceOptions = UNPACED) -> list[Sender]:
        return [
            Sender(bot_id=number, call=api, pace=Pace(pace, anyio.current_time))
            for number, api in ((FIRST, self.first), (SECOND, self.second))
        ]

    async def send(self, pace: PaceOptions = UNPACED) -> Delivery:
        async with self.post.running(pace, helpers=self.senders(pace)) as delivery:
            await self.post.settled()
            return delivery

    def texts(self) -> dict[str, list[str]]:
        """What each bot has written, as texts."""
        apis = {"main": self.main, "first": self.first, "second": self.second}
        return {
            name: [call.text for call in api.calls if isinstance(call, SendMessage)]
            for name, api in apis.items()
        }


def texts(count: int, start: int = 1) -> list[Effect]:
    """So many texts of a client for the main topic, numbered."""
    return [written(number, f"text {number}.", MAIN) for number in range(start, start + count)]


def title(client: object) -> Text:
    return Text(key="title-work", args={"ticket": 7, "client": str(client), "technician": "alice"})


async def until(condition: Callable[[], bool]) -> None:
    step_s = 0.002
    with anyio.fail_after(DEADLINE_S):
        while not condition():
            await anyio.sleep(step_s)
            step_s = min(step_s * 1.05, STEP_MAX_S)
