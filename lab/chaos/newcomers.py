"""New clients who come while everything is broken: their tickets are opened, assigned and closed.

Where the others only write, here the state of tickets changes under every fault there is.
"""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import anyio

from lab.chaos.history import Deed, History, Place
from lab.chaos.people import Person, Sight, Voice, client
from lab.telegram.client import LabClient, LabError
from lab.telegram.scene import ALICE_GROUP_ID, BOB_GROUP_ID, MAIN_GROUP_ID
from lab.telegram.scene import MARIA_ID as STAFF_ID

FIRST_ID: Final = 7_500_000_000

LOOK_S: Final = 0.5
"""Between two looks for what must happen before the next step."""

GROUPS: Final = (("alice", ALICE_GROUP_ID), ("bob", BOB_GROUP_ID))

CLOSE: Final = "Закрыть"
"""On the button that closes a ticket, in the desk's language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcomerOptions:
    """Times in seconds."""

    every_s: float = 4.0
    messages: int = 3
    """At once, to begin with: ten first messages must make one ticket."""
    more: int = 2
    """After the ticket was assigned, and after it was closed."""


class _Over(Exception):
    """The run ended before the next step could be done."""


class Newcomers:
    """Run :meth:`come`; it ends when ``pause`` says so, and no step is left half done."""

    def __init__(
        self,
        lab: LabClient,
        history: History,
        options: NewcomerOptions,
        rng: random.Random,
        pause: Callable[[float], Awaitable[bool]],
    ) -> None:
        self._lab = lab
        self._history = history
        self._options = options
        self._rng = rng
        self._pause = pause
        self._voice = Voice(lab, history)
        self._sight = Sight(history.shown)
        self.client_ids: list[int] = []

    async def come(self) -> None:
        """One after the other, each to live through all of it."""
        async with anyio.create_task_group() as tasks:
            while await self._pause(self._rng.uniform(0.5, 1.5) * self._options.every_s):
                id_ = FIRST_ID + len(self.client_ids)
                await self._lab.add_user(f"Client {id_}", id=id_, is_client=True)
                self.client_ids.append(id_)
                tasks.start_soon(self._lives, client(id_, Place(MAIN_GROUP_ID)))

    async def _lives(self, person: Person) -> None:
        name, group = GROUPS[person.user % len(GROUPS)]
        try:
            await self._voice.say(person, self._options.messages)
            main = await self._arrived(person, MAIN_GROUP_ID)
            await self._press(main, name)
            self._history.deeds.append(
                Deed(what="assigned", ticket=person.ticket, chat=main.chat, thread=main.thread)
            )
            self._voice.owe_all(person, Place(group), time.time())
            person.places = (Place(MAIN_GROUP_ID), Place(group))
            await self._voice.say(person, self._options.more)
            # Two topics have no order between them: what follows goes to the next ticket's.
            await self._arrived(person, MAIN_GROUP_ID)
            await self._arrived(person, group)
            await self._press(main, CLOSE)
            self._history.deeds.append(
                Deed(what="closed", ticket=person.ticket, chat=main.chat, thread=main.thread)
            )
            person.places = (Place(MAIN_GROUP_ID),)
            await self._voice.say(person, self._options.more)
        except _Over:
            return

    async def _arrived(self, person: Person, chat: int) -> Place:
        """Where the person's last word arrived in that group."""
        while True:
            seen = self._sight.find(person.who, person.written, chat)
            if seen is not None:
                return Place(seen.chat, seen.thread)
            if not await self._pause(LOOK_S):
                raise _Over

    async def _press(self, place: Place, label: str) -> None:
        """The staff presses the button as soon as there is one."""
        while True:
            for message in await self._lab.messages(place.chat, thread=place.thread):
                for button in (b for row in message["buttons"] or () for b in row):
                    if label not in button["text"]:
                        continue
                    try:
                        number = message["message_id"]
                        await self._lab.press(STAFF_ID, place.chat, number, text=button["text"])
                    except LabError:
                        break  # the card has just changed: look again
                    return
            if not await self._pause(LOOK_S):
                raise _Over
