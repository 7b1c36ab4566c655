"""People who do what a scenario says, one thing after another, on a stage of their own."""

from collections.abc import Callable
from itertools import count

import anyio

from actors.ids import ChatId, TicketId, UserId
from actors.messages import (
    AssignRequested,
    ClientWrote,
    CloseRequested,
    CommentOffered,
    CommentSkipped,
    Message,
    Person,
    Press,
    ScoreGiven,
    StaffWrote,
    TechnicianWrote,
)
from actors.places import MAIN
from lab.simulation.people import STAFF, Update, content_of
from lab.simulation.replay import unsettled
from lab.simulation.stage import MAIN_CHAT, Stage

LOOK_S = 0.02
"""How often it is looked whether all has been done."""

SETTLES_S = 90.0
"""Two leases and the longest back-offs; what has not been done by then never will be."""

RESTART_S = 0.2
"""A process that ended is started again so soon."""

CLIENT = Person(id=UserId(1), name="Client 1", language="en")


class Stuck(Exception):
    """Something still waits although nothing is wrong any more."""


class Script:
    """Deeds and waits. A deed returns at once; :meth:`settle` waits for all that follows."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.down: set[str] = set()
        """Nodes that stay down when they have ended."""
        self._press = count(1)

    # --- nodes ------------------------------------------------------------------------------

    async def start(self, name: str) -> None:
        """Starts a node and waits until it serves."""
        machine = self.stage.fleet.start(name)
        while not machine.serves:  # noqa: ASYNC110 - a node has no event for it
            await anyio.sleep(LOOK_S)

    async def keep_up(self) -> None:
        """Starts again what has ended, until cancelled."""
        fleet = self.stage.fleet
        while True:
            await anyio.sleep(RESTART_S)
            for name, machine in list(fleet.machines.items()):
                if machine.life.is_over and name not in self.down:
                    fleet.start(name)

    # --- deeds ------------------------------------------------------------------------------

    @property
    def ticket(self) -> TicketId:
        """The client's latest ticket."""
        return max(row.id for row in self.stage.world.tickets)

    def client_writes(self, words: str) -> None:
        posted = self.stage.telegram.post(CLIENT.id, words)
        wrote = ClientWrote(author=CLIENT, content=content_of(CLIENT.id, posted.number, words))
        self.stage.town.tell(CLIENT.id, Update(number=0, message=wrote, client=CLIENT))

    def staff_write(self, words: str) -> None:
        thread = self._thread(f"main:{self.ticket}")
        posted = self.stage.telegram.post(MAIN_CHAT, words, thread=thread)
        wrote = StaffWrote(author=STAFF, content=content_of(MAIN_CHAT, posted.number, words))
        self._in_topic(MAIN_CHAT, thread, wrote)

    def technician_writes(self, number: int, words: str) -> None:
        technician = self.stage.around.roster[number - 1]
        chat = technician.chat_id
        thread = self._thread(f"mirror:{self.ticket}:{technician.id}")
        posted = self.stage.telegram.post(chat, words, thread=thread)
        wrote = TechnicianWrote(
            author=Person(id=UserId(1000 + number), name=technician.name),
            technician_id=technician.id,
            content=content_of(chat, posted.number, words),
        )
        self._in_topic(chat, thread, wrote)

    def assign(self, number: int, generation: int | None = None) -> None:
        """A button of the card is pressed, by default one that is up to date."""
        row = self.stage.world.tickets[self.ticket]
        known = 0 if row.state is None else row.state.generation
        asked = AssignRequested(
            press=self._pressed(STAFF),
            technician=self.stage.around.roster[number - 1],
            generation=known if generation is None else generation,
        )
        self._on_ticket(MAIN_CHAT, asked)

    def close(self, told_with: int = MAIN_CHAT) -> None:
        """``told_with`` is the chat whose updates it comes among."""
        order = CloseRequested(by=STAFF, place=MAIN, press=self._pressed(STAFF))
        self._on_ticket(told_with, order)

    def score(self, question: int, score: int) -> None:
        given = ScoreGiven(press=self._pressed(CLIENT), question=question, score=score)
        self._on_ticket(CLIENT.id, given)

    def offer_comment(self) -> None:
        self._on_ticket(CLIENT.id, CommentOffered(press=self._pressed(CLIENT)))

    def skip_comment(self) -> None:
        self._on_ticket(CLIENT.id, CommentSkipped(press=self._pressed(CLIENT)))

    def client_blocks(self) -> None:
        self.stage.telegram.blocked.add(CLIENT.id)

    def delete_topic(self) -> None:
        """Somebody deletes the ticket's topic in the main group."""
        thread = self._thread(f"main:{self.ticket}")
        self.stage.telegram.topics[MAIN_CHAT][thread].is_deleted = True

    # --- waits ------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Waits until everything has been told, handled and sent.

        Raises:
            Stuck: It takes too long.
        """
        await self._until(lambda: self._is_settled)

    async def settle_with_timers(self) -> None:
        """The same, after the last timer has fired; raises :class:`Stuck`."""
        timers = self.stage.world.timers
        await self._until(lambda: self._is_settled and not timers.groups("armed"))

    async def told(self) -> None:
        """Waits until some node has stored what people did; raises :class:`Stuck`."""
        await self._until(lambda: self.stage.town.is_quiet)

    @property
    def _is_settled(self) -> bool:
        return self.stage.town.is_quiet and not any(unsettled(self.stage.world))

    async def _until(self, holds: Callable[[], bool]) -> None:
        with anyio.move_on_after(SETTLES_S) as limit:
            while not holds():  # noqa: ASYNC110 - it is looked at
                await anyio.sleep(LOOK_S)
        if limit.cancelled_caught:
            raise Stuck(", ".join(what for what, _ in unsettled(self.stage.world)) or "not told")

    # --- parts ------------------------------------------------------------------------------

    def _thread(self, lane: str) -> int:
        return self.stage.world.topics[lane].thread_id

    def _pressed(self, by: Person) -> Press:
        return Press(callback_id=f"press {next(self._press)}", by=by)

    def _on_ticket(self, chat: int, message: Message) -> None:
        self.stage.town.tell(chat, Update(number=0, message=message, ticket_id=self.ticket))

    def _in_topic(self, chat: ChatId, thread: int, message: Message) -> None:
        self.stage.town.tell(chat, Update(number=0, message=message, thread=(chat, thread)))
