"""People who write all the time: clients, the staff and technicians, each message with a number."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from lab.chaos.history import History, Place, Said, word
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
    """A new client writes while everything is broken: its ticket is opened then."""
    newcomer_messages: int = 3
    burst: int = 5
    """Messages of each client in a burst."""


@dataclass(slots=True, kw_only=True)
class _Person:
    """Somebody who writes in one chat of one ticket, and where the words must arrive."""

    who: str
    user: int
    chat: int
    thread: int | None
    ticket: int
    places: tuple[Place, ...]
    written: int = 0
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    """One message at a time: two on their way at once have no order."""


class Load:
    """Writes into the local Telegram, and writes down what was said in ``history``."""

    def __init__(self, lab: LabClient, history: History, options: LoadOptions, seed: int) -> None:
        self._lab = lab
        self._history = history
        self._options = options
        self._rng = random.Random(f"load {seed}")
        self._people: list[_Person] = []
        self._newcomers = 0
        self._over = anyio.Event()

    @property
    def client_ids(self) -> Sequence[int]:
        """Everybody who wrote as a client."""
        return [FIRST_CLIENT_ID + number for number in range(self._count)]

    @property
    def _count(self) -> int:
        return self._options.clients + self._newcomers

    async def open(self) -> None:
        """A ticket for each client, with its technician where it has one; all wait to write.

        Raises:
            TimeoutError: A ticket was not opened although nothing was broken.
        """
        clients = list(self.client_ids)
        for client in clients:
            await self._lab.add_user(f"Client {client}", id=client, is_client=True)
        hello = [{"user": id_, "chat": id_, "text": f"hello from {id_}"} for id_ in clients]
        await self._lab.send_many(hello)
        assigned = round(len(clients) * self._options.assigned_share)
        for number, client in enumerate(clients):
            thread = await self._opened(client)
            if number < assigned:
                await self._assigned(client, thread, *TECHNICIANS[number % len(TECHNICIANS)])
            else:
                self._people.append(_client(client, Place(MAIN_GROUP_ID, thread)))

    async def run(self) -> None:
        """Everybody writes until :meth:`finish`."""
        async with anyio.create_task_group() as tasks:
            for person in self._people:
                tasks.start_soon(self._writes, person)
            tasks.start_soon(self._newcomers_come)

    def finish(self) -> None:
        """Everybody ends what they have begun. Cancelling instead would leave words uncounted."""
        self._over.set()

    async def burst(self) -> int:
        """Every client writes several messages at once; returns how many."""
        clients = [person for person in self._people if person.user == person.ticket]
        for person in clients:
            await self._say(person, self._options.burst)
        return len(clients) * self._options.burst

    # --- how it begins ----------------------------------------------------------------------

    async def _opened(self, client: int) -> int:
        """The thread of the client's ticket in the main group."""
        found = await self._lab.wait_message(
            MAIN_GROUP_ID, _is_copy(f"hello from {client}"), timeout=OPEN_TIMEOUT_S
        )
        return int(found["thread_id"])

    async def _assigned(self, client: int, thread: int, name: str, user: int, group: int) -> None:
        messages = await self._lab.messages(MAIN_GROUP_ID, thread=thread)
        card = next(message for message in messages if message["buttons"])
        await self._lab.press(STAFF_ID, MAIN_GROUP_ID, card["message_id"], text=name)
        copied = await self._lab.wait_message(
            group, _is_copy(f"hello from {client}"), timeout=OPEN_TIMEOUT_S
        )
        main, mirror = Place(MAIN_GROUP_ID, thread), Place(group, copied["thread_id"])
        self._people += [
            _client(client, main, mirror),
            _Person(
                who=f"s{client}",
                user=STAFF_ID,
                chat=main.chat,
                thread=main.thread,
                ticket=client,
                places=(Place(client), mirror),
            ),
            _Person(
                who=f"t{client}",
                user=user,
                chat=mirror.chat,
                thread=mirror.thread,
                ticket=client,
                places=(Place(client), main),
            ),
        ]

    # --- how it goes on ---------------------------------------------------------------------

    async def _writes(self, person: _Person) -> None:
        mean_s = max(self._options.pause_min_s, len(self._people) / self._options.messages_per_s)
        while await self._pause(self._rng.uniform(0.2, 1.8) * mean_s):
            await self._say(person, 1)

    async def _newcomers_come(self) -> None:
        while await self._pause(self._rng.uniform(0.5, 1.5) * self._options.newcomer_every_s):
            client = FIRST_CLIENT_ID + self._count
            await self._lab.add_user(f"Client {client}", id=client, is_client=True)
            self._newcomers += 1
            newcomer = _client(client, Place(MAIN_GROUP_ID))
            await self._say(newcomer, self._options.newcomer_messages)

    async def _pause(self, seconds: float) -> bool:
        """Waits; ``False`` as soon as it is all over."""
        with anyio.move_on_after(seconds):
            await self._over.wait()
        return not self._over.is_set()

    async def _say(self, person: _Person, count: int) -> None:
        """Several messages at once."""
        async with person.lock:
            numbers = range(person.written + 1, person.written + count + 1)
            person.written += count
            sent = await self._lab.send_many(
                [
                    {
                        "user": person.user,
                        "chat": person.chat,
                        "text": word(person.who, number),
                        **({} if person.thread is None else {"thread": person.thread}),
                    }
                    for number in numbers
                ]
            )
        for number, message in zip(numbers, sent, strict=True):
            self._history.said.append(
                Said(
                    who=person.who,
                    number=number,
                    ticket=person.ticket,
                    at=message["at"],
                    places=person.places,
                )
            )


def _client(client: int, *places: Place) -> _Person:
    return _Person(
        who=f"c{client}", user=client, chat=client, thread=None, ticket=client, places=places
    )


def _is_copy(text: str) -> Callable[[Object], bool]:
    def fits(message: dict[str, Any]) -> bool:
        return bool(message["from"]["is_bot"]) and text in (message["text"] or "")

    return fits
