"""Which lane is next: budget by budget, by who waits and how long; who must wait is set aside."""

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count

from actors.ids import ChatId, UserId
from actors.ports import OutboxRow
from bot.delivery.lane import Lane, Queue
from bot.delivery.pace import Hold
from bot.delivery.priority import SLACK_S, Priority, priority_of

type Purse = tuple[UserId | None, ChatId, bool]
"""What one bot may send to one chat; ``None`` is the main bot. New topics (``True``) apart: they
also wait for what begun ones still need.
"""

_FIRST = 0.0
"""Before all that waits: a topic that was begun is shown whole, and only then the next."""


class _Side:
    """The chats of one bot that may go on, by their best lanes; the bot itself may be shut."""

    __slots__ = ("open", "shut_until")

    def __init__(self) -> None:
        self.open: list[tuple[float, int, Purse]] = []
        self.shut_until = 0.0


class Lanes:
    """All lanes with something to do. Not thread-safe; never waits."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        crowded_s: float,
        writer: Callable[[Sequence[OutboxRow]], UserId | None] = lambda _: None,
    ) -> None:
        """``writer`` says which bot is to send the next of a lane's rows."""
        self._clock = clock
        self._writer = writer
        self._crowded_s = crowded_s
        self._lanes: dict[str, Lane] = {}
        self._presses: deque[Lane] = deque()
        self._queues: dict[Purse, Queue] = {}
        self._sides: dict[UserId | None, _Side] = {None: _Side()}
        self._in_chat: Counter[ChatId] = Counter()
        self._owed: Counter[ChatId] = Counter()
        self._later: list[tuple[float, int, Lane | Purse]] = []
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
        """Queues the lane, by the most urgent of its rows and by how long it waits."""
        if lane.chat_id is not None:
            lane.bot_id = self._writer(lane.rows)
        self._queue(lane)

    def _queue(self, lane: Lane) -> None:
        lane.turn = next(self._turn)
        lane.queued = True
        lane.since = self._clock() if lane.since is None else lane.since
        lane.priority = min(priority_of(row) for row in lane.rows)
        lane.may_yield = lane.priority >= Priority.CARD and not lane.unrecorded
        chat_id = lane.chat_id
        self._enter(lane, chat_id if lane.priority < Priority.DECORATION else None)
        if chat_id is None:
            self._presses.append(lane)
            return
        purse = lane.bot_id, chat_id, lane.is_new
        queue = self._queues.setdefault(purse, Queue())
        key = _FIRST if lane.owes else lane.since + SLACK_S[lane.priority]
        heapq.heappush(queue.heap, (key, lane.turn, lane))
        self._list(purse, queue)

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

    def hold(self, lane: Lane, hold: Hold, bot_id: UserId | None = None) -> None:
        """The budget does not allow the lane's call: the lane, its chat or all of the bot waits."""
        until = self._clock() + hold.seconds
        lane.looked_for = 0  # what comes meanwhile may go with it
        chat_id = lane.chat_id
        assert chat_id is not None, lane.name
        if hold.of_bot:
            self._side(bot_id).shut_until = until
        else:
            purse = bot_id, chat_id, lane.is_new
            queue = self._queues.setdefault(purse, Queue())
            queue.shut_until, queue.listed = until, 0
            queue.crowded_until = until + self._crowded_s
            heapq.heappush(self._later, (until, next(self._turn), purse))
        lane.bot_id = bot_id  # of all that it could wait for, that is what it lacks
        self._queue(lane)

    def is_crowded(self, lane: Lane) -> bool:
        """Whether the lane or its chat waited for a budget, now or a little while ago.

        Of whatever bot: what has piled up behind the main bot's card is joined by the helper.
        """
        now, chat_id = self._clock(), lane.chat_id
        if lane.crowded_until > now or chat_id is None:
            return lane.crowded_until > now
        purses = ((bot_id, chat_id, is_new) for bot_id in self._sides for is_new in (False, True))
        queues = map(self._queues.get, purses)
        return any(queue is not None and queue.crowded_until > now for queue in queues)

    def in_chat(self, chat_id: ChatId) -> int:
        """How many lanes of the chat have something to send that somebody is to read."""
        return self._in_chat[chat_id]

    def owed(self, chat_id: ChatId) -> int:
        """Calls that new topics of the chat still need until their first message is seen."""
        return self._owed[chat_id]

    def owe(self, lane: Lane, calls: int) -> None:
        """So many calls of the lane are yet to come before its new topic is of use to anybody."""
        if lane.works_in is not None and lane.owes != calls:
            self._owed[lane.works_in] += calls - lane.owes
            lane.owes = calls

    def pop(self, *, presses_only: bool = False) -> Lane | None:
        """The next lane with a row to send; it leaves the queue."""
        now = self._clock()
        self._wake(now)
        if self._presses:
            lane = self._presses.popleft()
            lane.queued = False
            return lane
        if presses_only:
            return None
        tops = [
            side.open[0]
            for side in self._sides.values()
            if side.shut_until <= now and self._clean(side)
        ]
        if not tops:
            return None
        purse = min(tops)[2]
        heapq.heappop(self._side(purse[0]).open)
        queue = self._queues[purse]
        queue.listed = 0
        _, _, lane = heapq.heappop(queue.heap)
        lane.queued = False
        self._list(purse, queue)
        return lane

    def _clean(self, side: _Side) -> bool:
        """Drops outdated entries; says whether any is left."""
        while side.open:
            _, listed, purse = side.open[0]
            queue = self._queues.get(purse)
            if queue is not None and queue.listed == listed:
                if queue.top() is not None:
                    return True
                queue.listed = 0
            heapq.heappop(side.open)
        return False

    def take_awoken(self) -> bool:
        """Whether lanes that had been set aside are to be read since this was last asked."""
        awoken, self._awoken = self._awoken, False
        return awoken

    def next_at(self) -> float | None:
        """When the first of those that wait may go on."""
        times = [self._later[0][0]] if self._later else []
        now = self._clock()
        times += [s.shut_until for s in self._sides.values() if s.open and s.shut_until > now]
        return min(times, default=None)

    def done(self, lane: Lane, *, wait_until: float | None = None) -> None:
        """A call of the lane has ended; ``wait_until`` sets it aside, to be read anew.

        A lane with an outcome that is not on record keeps its rows, for that to be tried again.
        """
        lane.busy = False
        lane.since = None
        self._ended.add(lane.name)
        if wait_until is not None:
            self._enter(lane, None)
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

    def _list(self, purse: Purse, queue: Queue) -> None:
        """Enters the chat among those that may go on, by its best lane; drops one that is over."""
        now = self._clock()
        top = queue.top()
        if top is None:
            if max(queue.shut_until, queue.crowded_until) <= now:
                self._queues.pop(purse, None)
            return
        if queue.shut_until <= now:
            queue.listed = next(self._turn)
            heapq.heappush(self._side(purse[0]).open, (top[0], queue.listed, purse))

    def _absolve(self, lane: Lane) -> None:
        """The lane's calls will not come: the topics that waited for them may begin."""
        chat_id = lane.works_in
        assert chat_id is not None, lane.name
        self.owe(lane, 0)
        for bot_id in self._sides:
            purse = bot_id, chat_id, True
            queue = self._queues.get(purse)
            if queue is not None:
                queue.shut_until = 0.0
                self._list(purse, queue)

    def _side(self, bot_id: UserId | None) -> _Side:
        return self._sides.setdefault(bot_id, _Side())

    def _find(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name)
        return lane

    def _drop_if_empty(self, lane: Lane) -> None:
        if not (lane.rows or lane.busy or lane.queued or lane.stale):
            self._enter(lane, None)
            del self._lanes[lane.name]

    def _enter(self, lane: Lane, chat_id: ChatId | None) -> None:
        """The lane has something to send in this chat, and in no other any more."""
        if lane.works_in == chat_id:
            return
        if lane.owes:
            self._absolve(lane)
        if chat_id is not None:
            self._in_chat[chat_id] += 1
        left, lane.works_in = lane.works_in, chat_id
        if left is not None:
            self._in_chat[left] -= 1
            if not self._in_chat[left]:
                del self._in_chat[left], self._owed[left]
