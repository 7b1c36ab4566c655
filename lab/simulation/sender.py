"""Delivery for a node among others: it drops rows that could not be marked as its own."""

from collections.abc import Collection, Sequence
from typing import Any

from aiogram.methods import TelegramMethod

from actors.errors import Transient
from actors.ids import MessageId, TicketId
from actors.messages import Envelope
from actors.places import Place
from actors.ports import Outbox, OutboxRow, Settlement
from bot.delivery import Delivery


class NotedOutbox:
    """An outbox that remembers which starts were refused, until they are asked for."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._refused: set[int] = set()

    def was_refused(self, row: OutboxRow) -> bool:
        refused = row.id in self._refused
        self._refused.discard(row.id)
        return refused

    async def heads(
        self, lanes: Sequence[str] | None, per_lane: int, limit: int
    ) -> Sequence[OutboxRow]:
        return await self._outbox.heads(lanes, per_lane, limit)

    async def starting(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        marked = await self._outbox.starting(rows)
        self._refused |= {row.id for row in rows} - set(marked)
        return marked

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        return await self._outbox.settle(settlements)

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        return await self._outbox.tagged(ticket_id, place, tag)


class OwnersDelivery(Delivery):
    """Sends only what its run could mark."""

    def __init__(self, *, outbox: NotedOutbox, **rest: Any) -> None:
        super().__init__(outbox=outbox, **rest)
        self._noted = outbox

    @property
    def busy(self) -> Collection[TicketId]:
        """Tickets of which a call is under way."""
        return {
            lane.rows[0].ticket_id
            for lane in self._lanes._lanes.values()  # noqa: SLF001 - until it tells by itself
            if lane.busy and lane.rows
        }

    def look(self) -> None:
        """There may be rows in any lane; the next poll finds them."""
        self._read.set()

    async def _attempt(self, row: OutboxRow, method: TelegramMethod[Any]) -> Any:
        if self._noted.was_refused(row):
            raise Transient("somebody else's row")
        return await super()._attempt(row, method)
