"""Ports with somebody beside them who sees what passes: metrics, traces."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from aiogram.methods import TelegramMethod

from actors.ids import MessageId, TicketId
from actors.messages import Envelope
from actors.places import Place
from actors.ports import Inbox, Incoming, Outbox, OutboxRow, Settlement, Stored
from supervisor.observer import Observer


class EdgeObserver(Protocol):
    """Sees what comes in and goes out. Must not raise, and must not wait."""

    def storing(self, batch: Sequence[Incoming]) -> AbstractContextManager[Sequence[Incoming]]:
        """Around one transaction of the inbox; gives what to store, perhaps with another trace."""

    def starting(self, rows: Sequence[OutboxRow]) -> None:
        """These rows are marked: their calls are about to be made."""

    def settled(self, settlements: Sequence[Settlement]) -> None:
        """What came of rows is on record."""

    def calling(self) -> AbstractContextManager[object]:
        """Around one call of the Bot API."""


class WorkObserver(Observer, EdgeObserver, Protocol):
    """Sees all of a node's work."""


type Call = Callable[[TelegramMethod[Any]], Awaitable[Any]]


def observed_call(call: Call, observer: EdgeObserver) -> Call:
    async def observed(method: TelegramMethod[Any]) -> Any:
        with observer.calling():
            return await call(method)

    return observed


class ObservedInbox:
    """Implements :class:`actors.ports.Inbox` on another."""

    def __init__(self, inbox: Inbox, observer: EdgeObserver) -> None:
        self._inbox = inbox
        self._observer = observer

    async def put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        with self._observer.storing(batch) as observed:
            return await self._inbox.put(observed)


class ObservedOutbox:
    """Implements :class:`actors.ports.Outbox` on another."""

    def __init__(self, outbox: Outbox, observer: EdgeObserver) -> None:
        self._outbox = outbox
        self._observer = observer

    async def heads(
        self, lanes: Sequence[str] | None, per_lane: int, limit: int
    ) -> Sequence[OutboxRow]:
        return await self._outbox.heads(lanes, per_lane, limit)

    async def starting(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        started = await self._outbox.starting(rows)
        self._observer.starting([row for row in rows if row.id in started])
        return started

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        told = await self._outbox.settle(settlements)
        self._observer.settled(settlements)
        return told

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        return await self._outbox.tagged(ticket_id, place, tag)
