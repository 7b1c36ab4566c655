"""Which lane is next: chat by chat, by who waits and for how long; who must wait is set aside."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count

from actors.ids import ChatId, ThreadId
from actors.ports import OutboxRow, Settlement
from bot.delivery.pace import Hold
from bot.delivery.priority import SLACK_S, Priority, priority_of


class Lane:
    """One chat or topic: its next rows, in order. Busy while a call of it is under way."""

    __slots__ = (
        *(
            "alone",
            "busy",
            "crowded_until",
            "deep",
            "failures",
            "grown_at",
            "last_id",
            "looked_for",
            "may_yield",
        ),
        *("more", "name", "priority", "queued", "rows", "since", "stale", "topics_lost", "turn"),
        "unrecorded",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: deque[OutboxRow] = deque()
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


class _Queue:
    """The lanes of one chat that are ready; the chat may be shut until its budget allows."""

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


class Lanes:
    """All lanes with something to do. Not thread-safe; never waits."""

    def __init__(self, clock: Callable[[], float], *, crowded_s: float) -> None:
        self._clock = clock
        self._crowded_s = crowded_s
        self._lanes: dict[str, Lane] = {}
        self._presses: deque[Lane] = deque()
        self._queues: dict[ChatId, _Queue] = {}
        self._open: list[tuple[float, int, ChatId]] = []
        self._later: list[tuple[float, int, Lane | ChatId]] = []
        self._shut_until = 0.0
        self._turn = count(1)
        self._awoken = False
        self._ended: set[str] = set()
        """Lanes that ended a call since the reading began, those without further rows too."""

    def __len__(self) -> int:
        return len(self._lanes)

    # --- reading ----------------------------------------------------------------------------

    def announce(self, names: Iterable[str]) -> None:
        """These lanes have rows that have not been read."""
        for name in names:
            lane = self._find(name)
            lane.stale = True
            if lane.queued and lane.may_yield:
                # What came may be more urgent than what it waits with.
                lane.queued = False
                lane.rows.clear()

    def to_read(self, limit: int, *, deep: bool) -> list[str]:
        """Lanes to read now: announced, empty, not busy and not set aside."""
        wanted = (
            lane.name
            for lane in self._lanes.values()
            if lane.stale
            and lane.deep == deep
            and not lane.busy
            and not lane.queued
            and not lane.rows
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
                if (
                    lane.busy
                    or lane.queued
                    or lane.rows
                    or lane.stale  # it is to be read for itself, and further
                    or lane.name in self._ended
                ):
                    lane.stale = True
                    passed.add(row.lane)
                    lane = None
                else:
                    taken[row.lane] = lane
            if lane is not None:
                lane.rows.append(row)
        for lane in taken.values():
            lane.more = len(lane.rows) >= per_lane
            if lane.rows[-1].id > lane.last_id:
                lane.last_id, lane.grown_at = lane.rows[-1].id, self._clock()
            lane.deep = False
            self.ready(lane)
        for name in names:
            self._drop_if_empty(self._find(name))

    def look_again(self, lane: Lane, *, deep: bool = False) -> bool:
        """Whether the lane is read again before its head goes out; at most once for each head.

        Once only: a lane that is written to faster than it is read would never get on.
        """
        head = lane.rows[0].id
        if not (lane.stale or lane.more) or lane.looked_for == head:
            return False
        lane.looked_for = head
        lane.rows.clear()
        lane.stale, lane.deep = True, deep
        return True

    # --- turns ------------------------------------------------------------------------------

    def ready(self, lane: Lane) -> None:
        """Queues the lane in its chat, by the most urgent of its rows and by how long it waits."""
        lane.turn = next(self._turn)
        lane.queued = True
        lane.since = self._clock() if lane.since is None else lane.since
        lane.priority = min(priority_of(row) for row in lane.rows)
        lane.may_yield = lane.priority >= Priority.CARD and not lane.unrecorded
        chat_id = lane.chat_id
        if chat_id is None:
            self._presses.append(lane)
            return
        queue = self._queues.setdefault(chat_id, _Queue())
        key = lane.since + SLACK_S[lane.priority]
        heapq.heappush(queue.heap, (key, lane.turn, lane))
        self._list(chat_id, queue)

    def share(self, lane: Lane, until: float, *, may_yield: bool) -> None:
        """The lane waits because it has had its share; its chat is open for others."""
        lane.crowded_until = until + self._crowded_s
        self.set_aside(lane, until, may_yield=may_yield)

    def set_aside(self, lane: Lane, until: float, *, may_yield: bool = False) -> None:
        """The lane waits; its rows, if any, stay. Further rows end the wait if it may yield."""
        lane.queued = True
        lane.looked_for = 0
        lane.may_yield = may_yield
        lane.turn = next(self._turn)
        heapq.heappush(self._later, (until, lane.turn, lane))

    def hold(self, lane: Lane, hold: Hold) -> None:
        """The budget does not allow the lane's call: the lane, its chat or all chats wait."""
        until = self._clock() + hold.seconds
        lane.looked_for = 0  # what comes meanwhile may go with it
        chat_id = lane.chat_id
        assert chat_id is not None, lane.name
        if hold.of_bot:
            self._shut_until = until
        else:
            queue = self._queues.setdefault(chat_id, _Queue())
            queue.shut_until, queue.listed = until, 0
            queue.crowded_until = until + self._crowded_s
            heapq.heappush(self._later, (until, next(self._turn), chat_id))
        self.ready(lane)

    def is_crowded(self, lane: Lane) -> bool:
        """Whether the lane or its chat waited for the budget, now or a little while ago."""
        if lane.crowded_until > self._clock():
            return True
        chat_id = lane.chat_id
        queue = None if chat_id is None else self._queues.get(chat_id)
        return queue is not None and queue.crowded_until > self._clock()

    def pop(self, *, presses_only: bool = False) -> Lane | None:
        """The next lane with a row to send; it leaves the queue."""
        now = self._clock()
        self._wake(now)
        if self._presses:
            lane = self._presses.popleft()
            lane.queued = False
            return lane
        if presses_only or now < self._shut_until:
            return None
        while self._open:
            _, listed, chat_id = heapq.heappop(self._open)
            queue = self._queues.get(chat_id)
            if queue is None or queue.listed != listed:
                continue
            queue.listed = 0
            if queue.top() is None:
                continue
            _, _, lane = heapq.heappop(queue.heap)
            lane.queued = False
            self._list(chat_id, queue)
            return lane
        return None

    def take_awoken(self) -> bool:
        """Whether lanes that had been set aside are to be read since this was last asked."""
        awoken, self._awoken = self._awoken, False
        return awoken

    def next_at(self) -> float | None:
        """When the first of those that wait may go on."""
        times = [self._later[0][0]] if self._later else []
        if self._open and self._shut_until > self._clock():
            times.append(self._shut_until)
        return min(times, default=None)

    def done(self, lane: Lane, *, wait_until: float | None = None) -> None:
        """A call of the lane has ended; ``wait_until`` sets it aside, to be read anew.

        A lane with an outcome that is not on record keeps its rows, for that to be tried again.
        """
        lane.busy = False
        lane.since = None
        self._ended.add(lane.name)
        if wait_until is not None:
            if not lane.unrecorded:
                lane.rows.clear()
            self.set_aside(lane, wait_until)
        elif lane.rows:
            self.ready(lane)
        else:
            lane.stale, lane.more = lane.stale or lane.more, False
            self._drop_if_empty(lane)

    # --- inside -----------------------------------------------------------------------------

    def _wake(self, now: float) -> None:
        """Those whose time has come go on: with their rows, or to be read."""
        while self._later and self._later[0][0] <= now:
            _, turn, item = heapq.heappop(self._later)
            if not isinstance(item, Lane):
                queue = self._queues.get(item)
                if queue is not None:
                    self._list(item, queue)
            elif item.queued and item.turn == turn:
                if item.rows:
                    self.ready(item)
                else:
                    item.queued, item.stale = False, True
                    self._awoken = True

    def _list(self, chat_id: ChatId, queue: _Queue) -> None:
        """Enters the chat among those that may go on, by its best lane; drops one that is over."""
        now = self._clock()
        top = queue.top()
        if top is None:
            if max(queue.shut_until, queue.crowded_until) <= now:
                self._queues.pop(chat_id, None)
            return
        if queue.shut_until <= now:
            queue.listed = next(self._turn)
            heapq.heappush(self._open, (top[0], queue.listed, chat_id))

    def _find(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        return lane

    def _drop_if_empty(self, lane: Lane) -> None:
        if not (lane.rows or lane.busy or lane.queued or lane.stale):
            del self._lanes[lane.name]
