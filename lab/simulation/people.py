"""The people of a run: clients, staff and technicians, each with a mind drawn from the seed."""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from math import inf

import anyio
from anyio.abc import TaskGroup

from actors.errors import Transient
from actors.ids import ChatId, MessageId, ThreadId, TicketId, UserId
from actors.messages import (
    AssignRequested,
    ClientWrote,
    CloseRequested,
    CommentOffered,
    CommentSkipped,
    Content,
    ContentKind,
    Message,
    Person,
    Press,
    ScoreGiven,
    StaffWrote,
    Technician,
    TechnicianWrote,
)
from actors.places import MAIN
from actors.ports import Incoming, Route, ToClient, ToTicket
from actors.state import SurveyStage
from lab.simulation.decisions import FINAL, FLAKY, POISON
from lab.simulation.network import Weather
from lab.simulation.node import Fleet, Machine
from lab.simulation.plan import FaultKind, Plan
from lab.simulation.rows import TicketRow
from lab.simulation.telegram import SimulatedTelegram
from lab.simulation.trace import Trace
from lab.simulation.world import World

ACCEPT_S = 5.0
"""Telegram waits so long for the answer to an update, then tells it again."""

AGAIN_S = 0.5
"""And pauses so long before it does."""

LATE_S = 20.0
"""A late update comes up to so long after it should have."""

TOGETHER_MAX = 5
"""Updates of one chat that a node may take in at once."""

BURST_MAX = 40
"""Messages that a client sends at once: more than a mailbox holds in one turn."""

BACKLOG_MAX = 40
"""Who waits for so many messages to arrive writes no more: a run is not about overload."""

STAFF_SHARE = 2
"""The staff act half as often as all clients together, and each technician"""

TECHNICIANS_SHARE = 4
"""a quarter as often."""

LONG = 120
"""A ticket with more messages is closed and not given to another: copying it all takes long."""

STAFF = Person(id=UserId(900), name="Maria")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What Telegram tells the bot: by a client, for a ticket, or in a topic."""

    number: int
    message: Message
    client: Person | None = None
    ticket_id: TicketId | None = None
    thread: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        return f"tg:1:{self.number}"


@dataclass(slots=True, kw_only=True)
class Accepted:
    """What was acknowledged to Telegram: none of it may be lost."""

    keys: set[str]
    ignored: int = 0
    """Updates about topics that nobody knows (yet)."""


class Town:
    """All people, and Telegram's queue of updates for each chat."""

    def __init__(
        self,
        plan: Plan,
        *,
        world: World,
        telegram: SimulatedTelegram,
        weather: Weather,
        trace: Trace,
        fleet: Fleet,
        roster: tuple[Technician, ...],
        group: TaskGroup,
    ) -> None:
        self._plan = plan
        self._world = world
        self._telegram = telegram
        self._weather = weather
        self._trace = trace
        self._fleet = fleet
        self._roster = roster
        self._group = group
        self._update = count(1)
        self._queues: dict[int, deque[Update]] = {}
        self._filled: dict[int, anyio.Event] = {}
        self._busy = 0
        self.accepted = Accepted(keys=set())

    @property
    def is_quiet(self) -> bool:
        """Whether everything that was done has been told to the bot."""
        return not self._busy and not any(self._queues.values())

    async def live(self) -> None:
        """Everybody acts until cancelled."""
        async with anyio.create_task_group() as people:
            for number in range(self._plan.clients):
                people.start_soon(self._client, number + 1)
            people.start_soon(self._staff)
            for technician in self._roster:
                people.start_soon(self._technician, technician)

    # --- minds ------------------------------------------------------------------------------

    async def _acts(
        self, rng: random.Random, others: int, act: Callable[[], Awaitable[None]]
    ) -> None:
        """Acts again and again; ``others`` of the kind do as well."""
        while True:
            await anyio.sleep(rng.expovariate(1 / (self._plan.thinking_s * others)))
            now = anyio.current_time()
            begins = self._plan.quiet_until(now)
            if begins == inf:
                return
            if begins > now:
                await anyio.sleep(begins - now)
            else:
                await act()

    async def _client(self, number: int) -> None:
        rng = self._plan.rng(f"client {number}")
        person = Person(id=UserId(number), name=f"Client {number}", language="en")

        async def act() -> None:
            row = self._latest(person)
            survey = None if row is None or row.state is None else row.state.survey
            if row is not None and survey is not None and rng.random() < 0.5:  # noqa: PLR2004
                self._answer_survey(rng, person, row, survey.stage)
                return
            if self._plan.has(FaultKind.TELEGRAM) and rng.random() < self._plan.rate:
                self._telegram.blocked.add(number)
                self._trace.note(person.name, "blocks the bot")
                return
            if self._waits_for(person.id, row):
                return
            times = rng.randint(4, BURST_MAX) if rng.random() < self._plan.burst else 1
            self._telegram.blocked.discard(number)
            for _ in range(times):
                self._client_writes(rng, person)

        await self._acts(rng, self._plan.clients, act)

    async def _staff(self) -> None:
        rng = self._plan.rng("staff")
        chat = self._world.configuration.main_chat_id

        async def act() -> None:
            threads = self._telegram.threads(chat)
            if not threads or self._waits_for(chat, None):
                return
            thread = rng.choice(threads[-8:]).number
            topic = self._world.topics.find("thread", (chat, thread))
            deed = rng.random()
            if topic is None or deed < 0.3:  # noqa: PLR2004
                words = self._words(rng, STAFF.name)
                posted = self._telegram.post(chat, words, thread=thread)
                content = content_of(chat, posted.number, words)
                wrote = StaffWrote(author=STAFF, content=content)
                self.tell(chat, Update(number=0, message=wrote, thread=(chat, thread)))
            elif deed < 0.6:  # noqa: PLR2004
                self._assign(rng, topic.ticket_id, chat)
            elif deed < 0.9:  # noqa: PLR2004
                press = Press(callback_id=f"close {next(self._update)}", by=STAFF)
                close = CloseRequested(by=STAFF, place=MAIN, press=press)
                self.tell(chat, Update(number=0, message=close, ticket_id=topic.ticket_id))
            elif self._plan.has(FaultKind.TOPICS) and not self._weather.calm:
                self._telegram.topics[chat][thread].is_deleted = True
                self._trace.note(STAFF.name, f"deletes topic {thread}", topic.ticket_id)

        await self._acts(rng, STAFF_SHARE, act)

    async def _technician(self, technician: Technician) -> None:
        rng = self._plan.rng(f"technician {technician.id}")
        chat = technician.chat_id
        person = Person(id=UserId(1000 + technician.id), name=technician.name)

        async def act() -> None:
            threads = self._telegram.threads(chat)
            if not threads or self._waits_for(chat, None):
                return
            thread = rng.choice(threads[-5:]).number
            words = self._words(rng, technician.name)
            posted = self._telegram.post(chat, words, thread=thread)
            content = content_of(chat, posted.number, words)
            wrote = TechnicianWrote(author=person, technician_id=technician.id, content=content)
            self.tell(chat, Update(number=0, message=wrote, thread=(chat, thread)))

        await self._acts(rng, TECHNICIANS_SHARE, act)

    def _waits_for(self, chat: int, row: TicketRow | None) -> bool:
        """Whether too much of what was said in that chat has not arrived yet."""
        if len(self._queues.get(chat, ())) > BACKLOG_MAX:
            return True
        if row is None:
            return False
        waiting = len(self._world.outbox.group("waiting_ticket", row.id))
        return waiting + len(self._world.inbox.group("waits_for", row.id)) > BACKLOG_MAX

    # --- deeds ------------------------------------------------------------------------------

    def _latest(self, person: Person) -> TicketRow | None:
        rows = self._world.tickets.group("client", person.id)
        return rows[-1] if rows else None

    def _client_writes(self, rng: random.Random, person: Person) -> None:
        words = self._words(rng, person.name)
        posted = self._telegram.post(person.id, words)
        content = content_of(person.id, posted.number, words)
        wrote = ClientWrote(author=person, content=content)
        self.tell(person.id, Update(number=0, message=wrote, client=person))

    def _words(self, rng: random.Random, name: str) -> str:
        kind = ""
        if self._plan.has(FaultKind.POISON) and rng.random() < self._plan.rate * 2:
            kind = rng.choice((POISON, FLAKY, FLAKY, FINAL)) + " "
        return f"{kind}{name} says {next(self._update)}"

    def _assign(self, rng: random.Random, ticket_id: TicketId, chat: int) -> None:
        row = self._world.tickets[ticket_id]
        if row.handled_seq > LONG:
            close = CloseRequested(by=STAFF, place=MAIN)
            self.tell(chat, Update(number=0, message=close, ticket_id=ticket_id))
            return
        known = 0 if row.state is None else row.state.generation
        asked = AssignRequested(
            press=Press(callback_id=f"assign {next(self._update)}", by=STAFF),
            technician=rng.choice(self._roster),
            generation=max(0, known - rng.choice((0, 0, 0, 1))),
        )
        self.tell(chat, Update(number=0, message=asked, ticket_id=ticket_id))

    def _answer_survey(
        self, rng: random.Random, person: Person, row: TicketRow, stage: SurveyStage
    ) -> None:
        press = Press(callback_id=f"survey {next(self._update)}", by=person)
        message: Message
        match stage:
            case SurveyStage.ASKING:
                assert row.state is not None
                assert row.state.survey is not None
                score = rng.choice((3, 5, 5, 5))
                question = min(3, row.state.survey.question)
                message = ScoreGiven(press=press, question=question, score=score)
            case SurveyStage.COMMENT_OFFERED:
                message = CommentOffered(press=press)
            case SurveyStage.COMMENT_ASKED:
                if rng.random() < 0.5:  # noqa: PLR2004
                    self._client_writes(rng, person)
                    return
                message = CommentSkipped(press=press)
            case SurveyStage.ENDED:
                self._client_writes(rng, person)
                return
        self.tell(person.id, Update(number=0, message=message, ticket_id=row.id))

    # --- Telegram's updates -----------------------------------------------------------------

    def tell(self, chat: int, update: Update) -> None:
        """Queues an update; a chat's updates come in their order."""
        numbered = Update(
            number=next(self._update),
            message=update.message,
            client=update.client,
            ticket_id=update.ticket_id,
            thread=update.thread,
        )
        if chat not in self._queues:
            self._queues[chat] = deque()
            self._filled[chat] = anyio.Event()
            self._group.start_soon(self._push, chat, name=f"updates of {chat}")
        self._queues[chat].append(numbered)
        self._filled[chat].set()

    async def _push(self, chat: int) -> None:
        rng = self._plan.rng(f"updates of {chat}")
        queue = self._queues[chat]
        while True:
            while not queue:
                self._filled[chat] = anyio.Event()
                await self._filled[chat].wait()
            batch = [queue[n] for n in range(min(len(queue), rng.randint(1, TOGETHER_MAX)))]
            if self._hits(rng, FaultKind.LATE):
                await anyio.sleep(LATE_S * rng.random())
                rng.shuffle(batch)
            self._busy += 1
            try:
                taken = await self._told(rng, batch)
            finally:
                self._busy -= 1
            if not taken:
                await anyio.sleep(AGAIN_S)
                continue
            if self._hits(rng, FaultKind.REPEATS):
                self._trace.note("telegram", f"repeats {batch[0].key}")
                continue
            for each in batch:
                queue.remove(each)
            if self._hits(rng, FaultKind.LATE):
                self._group.start_soon(self._once_more, rng, batch)

    async def _once_more(self, rng: random.Random, batch: list[Update]) -> None:
        """Tells updates again that were taken long ago."""
        await anyio.sleep(2 * LATE_S * rng.random())
        if not self._weather.calm:
            self._trace.note("telegram", f"repeats {batch[0].key} late")
            await self._told(rng, batch)

    def _hits(self, rng: random.Random, kind: FaultKind) -> bool:
        if self._weather.calm or not self._plan.has(kind):
            return False
        return rng.random() < self._plan.rate * 3

    async def _told(self, rng: random.Random, batch: list[Update]) -> bool:
        """Whether a node has taken the updates in, by its own word."""
        serving = self._fleet.serving()
        if not serving:
            return False
        machine = rng.choice(serving)
        with anyio.move_on_after(ACCEPT_S):
            try:
                incoming = [each for update in batch if (each := await self._read(machine, update))]
                stored = await machine.accept(incoming) if incoming else []
            except Transient:
                return False
            self.accepted.ignored += len(batch) - len(incoming)
            self.accepted.keys.update(each.key for each in stored)
            return True
        return False

    async def _read(self, machine: Machine, update: Update) -> Incoming | None:
        """The update as a message for a ticket; ``None`` when its topic belongs to none."""
        route: Route
        if update.client is not None:
            route = ToClient(client=update.client, is_text=True)
        elif update.ticket_id is not None:
            route = ToTicket(ticket_id=update.ticket_id)
        else:
            assert update.thread is not None
            chat, thread = update.thread
            topic = await machine.topics.find_topic(ChatId(chat), ThreadId(thread))
            if topic is None:
                return None
            route = ToTicket(ticket_id=topic.ticket_id)
        return Incoming(key=update.key, route=route, message=update.message)


def content_of(chat: int, number: int, words: str) -> Content:
    return Content(
        chat_id=ChatId(chat),
        message_id=MessageId(number),
        kind=ContentKind.TEXT,
        text=words,
    )
