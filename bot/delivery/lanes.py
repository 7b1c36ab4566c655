"""Which lane is next: by priority, then by turns; lanes that must wait are set aside."""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import IntEnum
from itertools import count

from actors.effects import (
    AnswerPress,
    CloseTopic,
    Edit,
    React,
    RenameTopic,
    ReopenTopic,
    ShowCard,
)
from actors.ids import ThreadId
from actors.ports import OutboxRow, Settlement


class Priority(IntEnum):
    """Who waits for it; smaller goes first when the budget is short."""

    PRESS = 0
    """Somebody's button turns until it is answered."""
    CLIENT = 1
    """A client waits."""
    COPY = 2
    """The staff and the technician read along."""
    CARD = 3
    """Cards, buttons, reactions."""
    DECORATION = 4
    """Titles, opening and closing of topics."""


def priority_of(row: OutboxRow) -> Priority:
    match row.effect:
        case AnswerPress():
            return Priority.PRESS
        case _ if row.address is not None and row.address.chat_id > 0:
            return Priority.CLIENT
        case ShowCard() | Edit() | React():
            return Priority.CARD
        case RenameTopic() | CloseTopic() | ReopenTopic():
            return Priority.DECORATION
        case _:
            return Priority.COPY


class Lane:
    """One chat or topic: its next rows, in order. Busy while a call of it is under way."""

    __slots__ = (
        *("busy", "failures", "looked_for", "more", "name", "queued", "rows", "stale"),
        *("topics_lost", "unrecorded"),
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: deque[OutboxRow] = deque()
        self.busy = False
        self.queued = False
        self.stale = False
        """New rows were announced since the last reading."""
        self.more = False
        """The last reading was as long as a reading may be: there may be rows behind it."""
        self.looked_for = 0
        """The title for which a newer one was looked for already."""
        self.unrecorded: Settlement | None = None
        """What came of the head's call, until it is on record: it must not be called again."""
        self.topics_lost = 0
        """Topics that were lost since the last row was sent; the row's own attempts say nothing of
        that, as Telegram may have failed before."""
        self.failures = 0
        """Bugs in a row, of ours or of Postgres's; they wait longer each time."""

    def found_topic(self, thread_id: ThreadId) -> None:
        """The topic has just been made: rows that were read before it was learn where it is."""
        self.rows = deque(
            row
            if row.address is None
            else replace(row, address=replace(row.address, thread_id=thread_id))
            for row in self.rows
        )


class Lanes:
    """All lanes with something to do. Not thread-safe; never waits."""

    def __init__(self) -> None:
        self._lanes: dict[str, Lane] = {}
        self._ready: list[tuple[int, int, Lane]] = []
        self._later: list[tuple[float, int, Lane]] = []
        self._turn = count()
        self._ended: set[str] = set()
        """Lanes that ended a call since the reading began, those without further rows too."""

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def busy(self) -> int:
        return sum(lane.busy for lane in self._lanes.values())

    def announce(self, names: Iterable[str]) -> None:
        """These lanes have rows that have not been read."""
        for name in names:
            self._find(name).stale = True

    def to_read(self, limit: int) -> list[str]:
        """Lanes to read now: announced, empty, not busy and not set aside."""
        wanted = (
            lane.name
            for lane in self._lanes.values()
            if lane.stale and not lane.busy and not lane.queued and not lane.rows
        )
        return [name for name, _ in zip(wanted, range(limit), strict=False)]

    def begin_reading(self) -> None:
        """From here to :meth:`fill`, lanes that end a call are noted. One reading at a time."""
        self._ended.clear()

    def fill(self, names: Sequence[str], rows: Iterable[OutboxRow], *, per_lane: int) -> None:
        """Takes what was read of these lanes, and of others whose rows came along.

        A lane that has rows, is busy, or ended a call since the reading began keeps what it has:
        the reading may show rows that have been sent meanwhile. It is read again instead.
        """
        for name in names:
            self._find(name).stale = False
        taken: dict[str, Lane] = {}
        passed: set[str] = set()
        for row in rows:
            lane = taken.get(row.lane)
            if lane is None and row.lane not in passed:
                lane = self._find(row.lane)
                if lane.busy or lane.queued or lane.rows or lane.name in self._ended:
                    lane.stale = True
                    passed.add(row.lane)
                    lane = None
                else:
                    taken[row.lane] = lane
            if lane is not None:
                lane.rows.append(row)
        for lane in taken.values():
            lane.more = len(lane.rows) >= per_lane
            self.ready(lane)
        for name in names:
            self._drop_if_empty(self._find(name))

    def ready(self, lane: Lane) -> None:
        """Queues the lane behind those of its head's priority."""
        lane.queued = True
        heapq.heappush(self._ready, (priority_of(lane.rows[0]), next(self._turn), lane))

    def set_aside(self, lane: Lane, until: float) -> None:
        """The lane waits; its rows, if any, stay."""
        lane.queued = True
        heapq.heappush(self._later, (until, next(self._turn), lane))

    def pop(self, now: float) -> Lane | None:
        """The next lane with a row to send; it leaves the queue."""
        while self._later and self._later[0][0] <= now:
            _, _, lane = heapq.heappop(self._later)
            if lane.rows:
                self.ready(lane)
            else:
                lane.queued = False
                lane.stale = True
        if not self._ready:
            return None
        _, _, lane = heapq.heappop(self._ready)
        lane.queued = False
        return lane

    def next_at(self) -> float | None:
        """When the first of those set aside may go on."""
        return self._later[0][0] if self._later else None

    def done(self, lane: Lane, *, wait_until: float | None = None) -> None:
        """A call of the lane has ended; ``wait_until`` sets it aside, to be read anew.

        A lane with an outcome that is not on record keeps its rows, for that to be tried again.
        """
        lane.busy = False
        self._ended.add(lane.name)
        if wait_until is not None:
            if lane.unrecorded is None:
                lane.rows.clear()
            self.set_aside(lane, wait_until)
        elif lane.rows:
            self.ready(lane)
        else:
            lane.stale, lane.more = lane.stale or lane.more, False
            self._drop_if_empty(lane)

    def look_again(self, lane: Lane) -> bool:
        """Whether the lane is read again before its head goes out; at most once for each head.

        Once only: a lane that is written to faster than it is read would never get on.
        """
        head = lane.rows[0].id
        if not (lane.stale or lane.more) or lane.looked_for == head:
            return False
        lane.looked_for = head
        lane.rows.clear()
        lane.stale = True
        return True

    def _find(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        return lane

    def _drop_if_empty(self, lane: Lane) -> None:
        if not (lane.rows or lane.busy or lane.queued or lane.stale):
            del self._lanes[lane.name]
