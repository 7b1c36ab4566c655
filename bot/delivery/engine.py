"""Delivery: takes rows from the outbox, lane by lane, as fast as Telegram's budgets allow."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Any

import anyio
import structlog
from aiogram.methods import TelegramMethod
from anyio.abc import TaskGroup, TaskStatus

from actors.effects import RenameTopic
from actors.errors import Transient
from actors.ids import ChatId, TicketId, UserId
from actors.ports import (
    Mailroom,
    Outbox,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    TopicLost,
)
from bot.calls import Calls
from bot.delivery.assigning import assigned, writer_of
from bot.delivery.batches import Batch, choose
from bot.delivery.calling import Caller, NotOurs, PressRelease, SentMarks, backoff
from bot.delivery.crew import Crew, Sender
from bot.delivery.lane import Lane
from bot.delivery.lanes import Lanes
from bot.delivery.options import DeliveryOptions
from bot.delivery.pace import BudgetSight, Pacing, added
from bot.delivery.priority import Priority
from bot.delivery.records import Records
from bot.delivery.shares import Shares
from bot.delivery.stats import Counters, DeliveryStats, snapshot
from supervisor import waits

log = structlog.get_logger(__name__)

NOBODY = UserId(0)
"""The main bot where nobody else writes, and nobody asks who did."""


class Delivery:
    """Implements :class:`actors.ports.DeliveryHints`; run :meth:`run` in a task group.

    Inside a lane one call at a time, recorded before the next begins; between lanes as much at
    once as the pace allows. Rows are marked before their call, so after a crash exactly those rows
    are uncertain whose call was under way.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        call: Callable[[TelegramMethod[Any]], Awaitable[Any]],
        calls: Calls,
        pace: Pacing,
        marks: SentMarks,
        presses: PressRelease,
        mailroom: Mailroom,
        bot_id: UserId = NOBODY,
        helpers: Sequence[Sender] = (),
        options: DeliveryOptions | None = None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        """``call`` and ``pace`` are the main bot's, of that id; ``helpers`` share its texts."""
        self._options = options or DeliveryOptions()
        self._outbox = outbox
        self._calls = calls
        self._clock = clock
        self.crew = Crew(Sender(bot_id=bot_id, call=call, pace=pace), helpers, clock)
        self._lanes = Lanes(
            clock, crowded_s=self._options.crowded_s, writer=partial(writer_of, self.crew)
        )
        self._shares = Shares(self._options.shares, pace.window, clock)
        self._titled: OrderedDict[str, float] = OrderedDict()
        self._counters = Counters()
        self._work = anyio.Event()
        self._read = anyio.Event()
        self._draining = False
        self._calling: anyio.CancelScope | None = None
        self._ended = anyio.Event()
        self._next_look = clock()
        self._serving: dict[str, TicketId] = {}
        self._records = Records(
            outbox=outbox, marks=marks, mailroom=mailroom, options=self._options
        )
        self._caller = Caller(
            crew=self.crew,
            calls=calls,
            marks=marks,
            presses=presses,
            start=self._records.start,
            mark=self._records.mark,
            options=self._options,
            counters=self._counters,
            clock=clock,
        )

    # --- from outside -----------------------------------------------------------------------

    def wake(self, lanes: Sequence[str]) -> None:
        self._lanes.announce(lanes)
        self._read.set()

    def look(self) -> None:
        self._next_look = self._clock()
        self._read.set()

    @property
    def busy(self) -> Collection[TicketId]:
        """Tickets of which a call is under way or not yet recorded."""
        return set(self._serving.values())

    def drain(self) -> None:
        """Begins no further call; :meth:`run` returns when those under way are recorded.

        At the latest after ``drain_timeout_s``; what is torn then is uncertain at the next start.
        """
        self._draining = True
        self._work.set()

    async def stop(self) -> None:
        """Cuts off the calls under way; returns when :meth:`run` has ended.

        Whoever owns their tickets next finds their rows uncertain.
        """
        self.drain()
        if self._calling is not None:
            self._calling.cancel()
            await self._ended.wait()

    def stats(self) -> DeliveryStats:
        return snapshot(self._counters, self.crew.paces, lanes=len(self._lanes))

    def budgets(self) -> Sequence[BudgetSight]:
        """What Telegram lets this node send by all its bots: theirs first, then chat by chat."""
        return added([pace.budgets() for pace in self.crew.paces])

    @property
    def in_flight_max(self) -> int:
        return self._options.in_flight_max

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Delivers until cancelled or drained.

        A cancel tears calls that are under way; their rows are uncertain at the next start.
        """
        try:
            async with anyio.create_task_group() as services:
                for recorder in self._records.recorders:
                    services.start_soon(recorder.run)
                    services.start_soon(recorder.run)
                services.start_soon(self._read_announced, name="outbox reader")
                async with anyio.create_task_group() as calls:
                    self._calling = calls.cancel_scope
                    task_status.started()
                    await self._dispatch(calls)
                    deadline = anyio.current_time() + self._options.drain_timeout_s
                    calls.cancel_scope.deadline = deadline
                services.cancel_scope.cancel()
        finally:
            self._ended.set()
            self.close()

    def close(self) -> None:
        """Lets go of the recorders; also for a delivery whose :meth:`run` never began."""
        self._records.close()

    # --- reading ----------------------------------------------------------------------------

    async def _read_announced(self) -> None:
        """Reads announced lanes at once, and all of them now and then: a hint may be lost."""
        options = self._options
        while True:
            self._read = anyio.Event()
            try:
                if self._clock() >= self._next_look:
                    self._next_look = self._clock() + options.poll_interval_s
                    await self._look(None, 1, options.lanes_max)
                if await self._look_at_named():
                    continue
            except Transient:
                await anyio.sleep(options.transient_wait_s)
                continue
            except Exception:
                log.exception("outbox_unreadable")
                await anyio.sleep(options.poll_interval_s)
                continue
            await waits.set_within(self._read, self._next_look - self._clock())

    async def _look_at_named(self) -> bool:
        """Reads lanes that asked for it, if any: most of them a little, crowded ones far."""
        found = False
        options = self._options
        for per_lane, deep in ((options.rows_per_lane, False), (options.joined_max, True)):
            limit = max(1, options.rows_max // per_lane)
            names = self._lanes.to_read(limit, deep=deep)
            if names:
                await self._look(names, per_lane, options.rows_max)
                found = True
        return found

    async def _look(self, names: Sequence[str] | None, per_lane: int, limit: int) -> None:
        """Reads lanes (all for ``None``), unless a call of theirs ends meanwhile."""
        self._lanes.begin_reading()
        rows = await self._outbox.heads(names, per_lane, limit)
        self._lanes.fill(names or (), rows, per_lane=per_lane)
        if rows:
            self._work.set()

    # --- what is next -----------------------------------------------------------------------

    async def _dispatch(self, calls: TaskGroup) -> None:
        """Starts the call of the lane that is next, as soon as pace and bound allow."""
        most = self._options.in_flight_max
        while not self._draining:
            self._work = anyio.Event()
            if self._counters.in_flight >= most + self._options.press_reserve:
                await self._work.wait()  # for a call to end, whatever lane's time has come
                continue
            lane = self._lanes.pop(presses_only=self._counters.in_flight >= most)
            if self._lanes.take_awoken():
                self._read.set()
            if lane is None:
                await self._wait_for_work()
                continue
            batch = await self._allowed(lane)
            if batch is None:
                continue
            lane.busy = True
            self._counters.in_flight += 1
            calls.start_soon(self._serve, lane, batch, name=f"lane {lane.name}")

    async def _allowed(self, lane: Lane) -> Batch | None:
        """What the lane sends now, budgets taken; ``None`` when it waits or is read again."""
        chat_id = lane.chat_id
        if lane.unrecorded or chat_id is None:
            return Batch(rows=(lane.rows[0],))
        terms = self._shares.terms((lane.name, lane.bot_id), chat_id)
        join = terms.is_flood or self._lanes.is_crowded(lane) or self._is_scarce(lane, chat_id)
        batch = choose(tuple(lane.rows), join=join, alone=lane.alone > 0)
        if batch.may_grow and self._lanes.look_again(lane, deep=not batch.is_title):
            self._read.set()
            return None
        if batch.needless:
            return batch
        now = self._clock()
        not_before = max(terms.not_before, self._not_before(lane, batch, join=join))
        if not_before > now:
            self._lanes.set_aside(lane, not_before, may_yield=not terms.is_flood)
            return None
        keep = terms.keep
        if lane.priority >= Priority.DECORATION:
            keep = max(keep, self._shares.decoration().keep)
        promised = self._lanes.owed(chat_id) if lane.is_new else 0
        try:
            batch = await assigned(batch, self.crew, self._calls)
        except Transient:
            self._lanes.set_aside(lane, now + self._options.transient_wait_s)
            return None
        pace = self.crew.sender(batch.bot_id).pace
        hold = await pace.ask(chat_id, batch.cost, max(keep, promised))
        if hold is None:
            self._shares.took((lane.name, batch.bot_id), chat_id, batch.cost)
            owes = self._begins(chat_id) if lane.is_new else max(0, lane.owes - batch.cost)
            self._lanes.owe(lane, owes)
            return batch
        if keep and not hold.of_bot:
            until = self._clock() + hold.seconds
            self._lanes.share(lane, until, may_yield=not terms.is_flood)
        else:
            self._lanes.hold(lane, hold, batch.bot_id)
        return None

    def _begins(self, chat_id: ChatId) -> int:
        """Calls of the same budget that a new topic is owed: no other one begins at their cost.

        Else a rush would spend a minute on topics, the next on cards, and show the first message in
        the third; so the first clients are served whole, as many of them as the budget allows.
        """
        return 1 if self.crew.has_help(chat_id) else 2  # the card, and the first message

    def _own_left(self, lane: Lane) -> float:
        """Calls that the lane's bot may make in its group now."""
        assert lane.chat_id is not None, lane.name
        return self.crew.sender(lane.bot_id).pace.left(lane.chat_id)

    def _is_scarce(self, lane: Lane, chat_id: ChatId) -> bool:
        """Whether the group's budget has no more than a call for each of its topics that wait.

        A text that went alone then would cost the call that another one needs.
        """
        most, _ = self.crew.main.pace.window
        if chat_id > 0 or not most:
            return False
        return self._own_left(lane) <= 1 or self._lanes.in_chat(chat_id) >= self.crew.left(chat_id)

    def _not_before(self, lane: Lane, batch: Batch, *, join: bool) -> float:
        """Titles of a topic are spaced, an album waits for its rest.

        So does, in a jam, what somebody begins with: each further text would cost a call.
        """
        options = self._options
        if batch.is_title and lane.name in self._titled:
            return self._titled[lane.name] + options.title_gap_s
        if batch.is_album and batch.may_grow:
            return lane.grown_at + options.album_wait_s
        if join and lane.owes and batch.may_grow and not batch.is_title:
            if self._own_left(lane) <= 1:
                return 0.0  # whoever waited could lose the last call to somebody else
            assert lane.since is not None, lane.name
            return min(lane.grown_at + options.first_wait_s, lane.since + options.first_wait_max_s)
        return 0.0

    async def _wait_for_work(self) -> None:
        next_at = self._lanes.next_at()
        if next_at is None:
            await self._work.wait()
            return
        await waits.set_within(self._work, next_at - self._clock())

    # --- one call ---------------------------------------------------------------------------

    async def _serve(self, lane: Lane, batch: Batch) -> None:
        """One call of a lane: marked, made, recorded; then the lane may go on."""
        wait_until: float | None = None
        self._serving[lane.name] = batch.head.ticket_id
        try:
            if not lane.unrecorded:
                began = self._clock()
                outcome = await self._caller.deliver(batch, lane.topics_lost)
                self.crew.sender(batch.bot_id).pace.answered(self._clock() - began)
                lane.unrecorded = outcome.settlements
                lane.alone = len(batch.rows) if outcome.is_split else max(0, lane.alone - 1)
                lane.topics_lost = 0 if outcome.is_closed else lane.topics_lost
            settlements = lane.unrecorded
            await self._records.settle(settlements)
            lane.unrecorded, lane.failures = (), 0
            wait_until = self._settled(lane, settlements)
        except Transient:
            wait_until = self._clock() + self._options.transient_wait_s
        except NotOurs:
            wait_until = self._clock()  # read anew, if anything there is for us
        except Exception:
            log.exception("row_not_recorded", lane=lane.name, outbox_id=batch.head.id)
            wait_until = self._clock() + self._held_s(lane)
        finally:
            del self._serving[lane.name]
            self._counters.in_flight -= 1
            self._lanes.done(lane, wait_until=wait_until)
            self._work.set()
            self._read.set()

    def _settled(self, lane: Lane, settlements: Sequence[Settlement]) -> float | None:
        """The lane after its outcome is on record; when it may be read again, if it must be."""
        lane.drop(settlement.row for settlement in settlements)
        waits = []
        lane.topics_lost += any(isinstance(settlement, TopicLost) for settlement in settlements)
        for settlement in settlements:
            if isinstance(settlement, Postponed | TopicLost):
                waits.append(self._wait_s(settlement))
            elif isinstance(settlement, Sent) and settlement.thread_id is not None:
                lane.found_topic(settlement.thread_id)
            elif isinstance(settlement, Sent):
                lane.topics_lost = 0
            if isinstance(settlement, Sent) and _is_title(settlement.row):
                self._titled[lane.name] = self._clock()
                self._titled.move_to_end(lane.name)
                if len(self._titled) > self._options.shares.topics_max:
                    self._titled.popitem(last=False)
        return self._clock() + max(waits) if waits else None

    def _wait_s(self, settlement: Postponed | TopicLost) -> float:
        """When to read the row again; what is refused may be wanted elsewhere at once."""
        if isinstance(settlement, TopicLost):
            return 0.0
        after_s = settlement.after_s
        return after_s if settlement.refusal is None else min(after_s, self._options.refused_s)

    def _held_s(self, lane: Lane) -> float:
        """How long a lane is left alone after a bug."""
        lane.failures += 1
        return backoff(self._options.retry_base_s, self._options.unrecorded_max_s, lane.failures)


def _is_title(row: OutboxRow) -> bool:
    return isinstance(row.effect, RenameTopic)
