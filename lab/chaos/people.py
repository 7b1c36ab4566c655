"""Who writes in a chaos run, and how a word becomes part of its history."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from lab.chaos.history import History, Place, Said, Shown, word
from lab.telegram.client import LabClient


@dataclass(slots=True, kw_only=True)
class Person:
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


def client(id_: int, *places: Place) -> Person:
    return Person(who=f"c{id_}", user=id_, chat=id_, thread=None, ticket=id_, places=places)


class Voice:
    """Writes into the local Telegram, and writes down what was said."""

    def __init__(self, lab: LabClient, history: History) -> None:
        self._lab = lab
        self._history = history

    async def say(self, person: Person, count: int) -> None:
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
            self._owe(person, number, message["at"], person.places)

    def owe_all(self, person: Person, place: Place, at: float) -> None:
        """From ``at`` on, all that the person has written so far must arrive there as well."""
        for number in range(1, person.written + 1):
            self._owe(person, number, at, (place,))

    def _owe(self, person: Person, number: int, at: float, places: tuple[Place, ...]) -> None:
        self._history.said.append(
            Said(who=person.who, number=number, ticket=person.ticket, at=at, places=places)
        )


class Sight:
    """Finds words among what the chats show; looks at each message once."""

    def __init__(self, shown: Sequence[Shown]) -> None:
        self._shown = shown
        self._looked = 0
        self._first: dict[tuple[str, int, int], Shown] = {}

    def find(self, who: str, number: int, chat: int) -> Shown | None:
        """Where the word was first seen in that chat."""
        for shown in self._shown[self._looked :]:
            for name, count in shown.words:
                self._first.setdefault((name, count, shown.chat), shown)
        self._looked = len(self._shown)
        return self._first.get((who, number, chat))
