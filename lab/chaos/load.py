"""People who write all the time: clients, the staff and technicians, each message with a number."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

from lab.chaos.history import History, Place
from lab.chaos.newcomers import NewcomerOptions, Newcomers
from lab.chaos.people import Person, Sight, Voice, client
from lab.telegram.client import LabClient, Object
from lab.telegram.scene import ALICE_GROUP_ID, ALICE_ID, BOB_GROUP_ID, BOB_ID, MAIN_GROUP_ID
from lab.telegram.scene import MARIA_ID as STAFF_ID

FIRST_CLIENT_ID: Final = 7_000_000_000

OPEN_TIMEOUT_S: Final = 60.0
"""For a ticket to be opened while nothing is broken."""

TECHNICIANS: Final = (("alice", ALICE_ID, ALICE_GROUP_ID), ("bob", BOB_ID, BOB_GROUP_ID))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How much is said. Times in seconds."""

    clients: int = 20
    messages_per_s: float = 25.0
    """Of all people together; each becomes one to two copies."""
    pause_min_s: float = 0.4
    """Nobody writes faster, however few there are."""
    assigned_share: float = 0.4
    """Of the clients, those who have a technician; there the staff writes, too."""
    newcomer_every_s: float = 4.0
    """A new client comes while everything is broken: the ticket is opened and closed then."""
    behind_max: int | None = None
    """Whoever has so many words on their way waits for them; only while a watch looks."""
    burst: int = 5
    """Messages of each client in a burst."""


class Load:
    """Writes into the local Telegram, and writes down what was said in ``history``."""

    def __init__(self, lab: LabClient, history: History, options: LoadOptions, seed: int) -> None:
        self._lab = lab
        self._history = history
        self._options = options
        self._rng = random.Random(f"load {seed}")
        self._people: list[Person] = []
        self._voice = Voice(lab, history)
        self._sight = Sight(history.shown)
        self._over = anyio.Event()
        coming = random.Random(f"newcomers {seed}")
        newcomers = NewcomerOptions(every_s=options.newcomer_every_s)
        self._newcomers = Newcomers(lab, history, newcomers, coming, self._pause)

    @property
    def client_ids(self) -> Sequence[int]:
        """Everybody who wrote as a client."""
        first = [FIRST_CLIENT_ID + number for number in range(self._options.clients)]
        return first + self._newcomers.client_ids

    async def open(self) -> None:
        """A ticket for each client, with its technician where it has one; all wait to write.

        Raises:
            TimeoutError: A ticket was not opened although nothing was broken.
        """
        ids = list(self.client_ids)
        for id_ in ids:
            await self._lab.add_user(f"Client {id_}", id=id_, is_client=True)
        hello = [{"user": id_, "chat": id_, "text": f"hello from {id_}"} for id_ in ids]
        await self._lab.send_many(hello)
        assigned = round(len(ids) * self._options.assigned_share)
        for number, id_ in enumerate(ids):
            thread = await self._opened(id_)
            if number < assigned:
                await self._assigned(id_, thread, *TECHNICIANS[number % len(TECHNICIANS)])
            else:
                self._people.append(client(id_, Place(MAIN_GROUP_ID, thread)))

    async def run(self) -> None:
        """Everybody writes until :meth:`finish`."""
        async with anyio.create_task_group() as tasks:
            for person in self._people:
                tasks.start_soon(self._writes, person)
            tasks.start_soon(self._newcomers.come)

    def finish(self) -> None:
        """Everybody ends what they have begun. Cancelling instead would leave words uncounted."""
        self._over.set()

    async def burst(self) -> int:
        """Every client writes several messages at once; returns how many."""
        clients = [person for person in self._people if person.user == person.ticket]
        for person in clients:
            await self._voice.say(person, self._options.burst)
        return len(clients) * self._options.burst

    # --- how it begins ----------------------------------------------------------------------

    async def _opened(self, id_: int) -> int:
        """The thread of the client's ticket in the main group."""
        found = await self._lab.wait_message(
            MAIN_GROUP_ID, _is_copy(f"hello from {id_}"), timeout=OPEN_TIMEOUT_S
        )
        return int(found["thread_id"])

    async def _assigned(self, id_: int, thread: int, name: str, user: int, group: int) -> None:
        messages = await self._lab.messages(MAIN_GROUP_ID, thread=thread)
        card = next(message for message in messages if message["buttons"])
        await self._lab.press(STAFF_ID, MAIN_GROUP_ID, card["message_id"], text=name)
        copied = await self._lab.wait_message(
            group, _is_copy(f"hello from {id_}"), timeout=OPEN_TIMEOUT_S
        )
        main, mirror = Place(MAIN_GROUP_ID, thread), Place(group, copied["thread_id"])
        self._people += [
            client(id_, main, mirror),
            Person(
                who=f"s{id_}",
                user=STAFF_ID,
                chat=main.chat,
                thread=main.thread,
                ticket=id_,
                places=(Place(id_), mirror),
            ),
            Person(
                who=f"t{id_}",
                user=user,
                chat=mirror.chat,
                thread=mirror.thread,
                ticket=id_,
                places=(Place(id_), main),
            ),
        ]

    # --- how it goes on ---------------------------------------------------------------------

    async def _writes(self, person: Person) -> None:
        mean_s = max(self._options.pause_min_s, len(self._people) / self._options.messages_per_s)
        while await self._pause(self._rng.uniform(0.2, 1.8) * mean_s):
            if not self._is_behind(person):
                await self._voice.say(person, 1)

    def _is_behind(self, person: Person) -> bool:
        if self._options.behind_max is None or person.written < self._options.behind_max:
            return False
        number = person.written + 1 - self._options.behind_max
        return self._sight.find(person.who, number, person.places[0].chat) is None

    async def _pause(self, seconds: float) -> bool:
        """Waits; ``False`` as soon as it is all over."""
        with anyio.move_on_after(seconds):
            await self._over.wait()
        return not self._over.is_set()


def _is_copy(text: str) -> Callable[[Object], bool]:
    def fits(message: dict[str, Any]) -> bool:
        return bool(message["from"]["is_bot"]) and text in (message["text"] or "")

    return fits
