"""What delivery puts on record, many rows in one transaction: starts, marks and outcomes."""

from collections.abc import Mapping, Sequence

import anyio

from actors.errors import Transient
from actors.ports import Made, Mailroom, Outbox, OutboxRow, Settlement
from bot.delivery.calling import SentMarks
from bot.delivery.options import DeliveryOptions
from bot.grouped import Grouped


class Records:
    """Each method returns when its rows are on record; ``recorders`` must run meanwhile."""

    def __init__(
        self, *, outbox: Outbox, marks: SentMarks, mailroom: Mailroom, options: DeliveryOptions
    ) -> None:
        self._outbox = outbox
        self._marks = marks
        self._mailroom = mailroom
        self._options = options
        self._started: set[int] = set()
        group = options.group_max
        self._starting: Grouped[tuple[OutboxRow, ...]] = Grouped(self._start, group)
        self._marking: Grouped[Mapping[str, Made]] = Grouped(self._mark, group)
        self._settling: Grouped[tuple[Settlement, ...]] = Grouped(self._settle, group)
        self.recorders = (self._starting, self._marking, self._settling)

    def close(self) -> None:
        """Lets go of whoever waits; also when the recorders never ran."""
        for recorder in self.recorders:
            recorder.close()

    async def start(self, rows: tuple[OutboxRow, ...]) -> Sequence[OutboxRow]:
        """Marks rows as about to be sent; returns those that may be.

        Raises:
            Transient: Postgres is away; none may be sent.
        """
        await self._starting(rows)
        started = [row for row in rows if row.id in self._started]
        self._started.difference_update(row.id for row in rows)
        return started

    async def mark(self, made: Mapping[str, Made]) -> None:
        """Remembers in Redis what calls made; never raises for its absence."""
        await self._marking(made)

    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        """Records outcomes; while Postgres is away they are kept, and no call is repeated."""
        await self._settling(settlements)

    async def _start(self, batches: Sequence[tuple[OutboxRow, ...]]) -> None:
        self._started.update(await self._outbox.starting([r for rows in batches for r in rows]))

    async def _mark(self, sent: Sequence[Mapping[str, Made]]) -> None:
        await self._marks.mark({mark: made for each in sent for mark, made in each.items()})

    async def _settle(self, outcomes: Sequence[tuple[Settlement, ...]]) -> None:
        settlements = [settlement for outcome in outcomes for settlement in outcome]
        while True:
            try:
                envelopes = await self._outbox.settle(settlements)
            except Transient:
                await anyio.sleep(self._options.transient_wait_s)
            else:
                self._mailroom.offer(envelopes)
                return
