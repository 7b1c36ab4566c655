"""A lane, and the lanes that share a budget."""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from actors.effects import OpenTopic
from actors.ids import ChatId, ThreadId, UserId
from actors.ports import OutboxRow, Settlement
from bot.delivery.priority import Priority


class Lane:
    """One chat or topic: its next rows, in order. Busy while a call of it is under way."""

    __slots__ = (
        *(
            "alone",
            "bot_id",
            "busy",
            "crowded_until",
            "deep",
            "failures",
            "grown_at",
            "last_id",
            "looked_for",
            "may_yield",
        ),
        *("more", "name", "owes", "priority", "queued", "rows", "since", "stale", "topics_lost"),
        *("turn", "unrecorded", "works_in"),
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: deque[OutboxRow] = deque()
        self.bot_id: UserId | None = None
        """Whose budget it waits for: a helper's, or the main bot's."""
        self.works_in: ChatId | None = None
        """The chat in which it counts as one that has something to send."""
        self.owes = 0
        """Calls that follow the opening of its topic: its card, its first message."""
        self.busy = False
        self.queued = False
        """Waits for its turn or for a time."""
        self.turn = 0
        """Which of its entries in the queues counts; the others are outdated."""
        self.since: float | None = None
        """When its next call could have gone out, had there been nobody else."""
        self.priority = Priority.COPY
        self.may_yield = False
        """It waits for nothing that further rows could not change."""
        self.crowded_until = 0.0
        """Until then its texts are joined: it has waited for the budget."""
        self.stale = False
        """There may be rows that were not there at the last reading."""
        self.more = False
        """The last reading was as long as a reading may be: there may be rows behind it."""
        self.deep = False
        """The next reading is to see all that could be joined."""
        self.looked_for = 0
        """The head for which newer rows were looked for already."""
        self.grown_at = 0.0
        """When a reading last showed more rows than the one before."""
        self.last_id = 0
        """The last row that a reading showed."""
        self.alone = 0
        """So many rows go out one by one: together they were refused."""
        self.unrecorded: tuple[Settlement, ...] = ()
        """What came of the last call, until it is on record: it must not be made again."""
        self.topics_lost = 0
        """Topics that were lost since the last row was sent; the row's own attempts say nothing of
        that, as Telegram may have failed before."""
        self.failures = 0
        """Bugs in a row, of ours or of Postgres's; they wait longer each time."""

    @property
    def is_new(self) -> bool:
        """Whether its topic is to be made."""
        return isinstance(self.rows[0].effect, OpenTopic)

    @property
    def chat_id(self) -> ChatId | None:
        address = self.rows[0].address
        return None if address is None else address.chat_id

    def found_topic(self, thread_id: ThreadId) -> None:
        """The topic has just been made: rows that were read before it was learn where it is."""
        self.rows = deque(
            row
            if row.address is None
            else replace(row, address=replace(row.address, thread_id=thread_id))
            for row in self.rows
        )

    def drop(self, rows: Iterable[OutboxRow]) -> None:
        """These are settled."""
        gone = {row.id for row in rows}
        self.rows = deque(row for row in self.rows if row.id not in gone)


class Queue:
    """The lanes of one budget that are ready; it may be shut until some of it is back."""

    __slots__ = ("crowded_until", "heap", "listed", "shut_until")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Lane]] = []
        self.shut_until = 0.0
        self.crowded_until = 0.0
        self.listed = 0

    def top(self) -> tuple[float, int, Lane] | None:
        """The lane that is next, outdated entries dropped."""
        while self.heap:
            _, turn, lane = self.heap[0]
            if lane.queued and lane.turn == turn:
                return self.heap[0]
            heapq.heappop(self.heap)
        return None
