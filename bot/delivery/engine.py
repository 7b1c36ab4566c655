"""Delivery: takes rows from the outbox, makes their calls, records what came of each."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import anyio
import structlog
from aiogram.methods import TelegramMethod
from anyio.abc import TaskGroup, TaskStatus

from actors.effects import AnswerPress, OpenTopic, RenameTopic
from actors.errors import Transient
from actors.ids import TicketId
from actors.messages import FailureReason
from actors.ports import (
    Made,
    Mailroom,
    Outbox,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    Superseded,
    TopicLost,
    Undeliverable,
)
from bot.calls import Calls, made
from bot.delivery.lanes import Lane, Lanes
from bot.delivery.options import DeliveryOptions
from bot.delivery.pace import Pacing
from bot.delivery.stats import Counters, DeliveryStats, snapshot
from bot.failures import Failure, Verdict, classify
from bot.grouped import Grouped

log = structlog.get_logger(__name__)


class SentMarks(Protocol):
    """Remembers for two hours which rows were sent, should their record be lost in a crash.

    Never raises: without Redis it remembers nothing, and an uncertain row is sent once more.
    """

    async def mark(self, sent: Mapping[str, Made]) -> None: ...

    async def find(self, mark: str) -> Made | None: ...


class PressRelease(Protocol):
    async def release(self, callback_id: str) -> None:
        """The press has been answered; the same button may be pressed again."""


class _NotOurs(Exception):
    """Another run owns the ticket now, or has started this row: it is not sent from here."""


class Delivery:
    """Implements :class:`actors.ports.DeliveryHints`; run :meth:`run` in a task group.

    Inside a lane one row at a time, each recorded before the next begins; between lanes as much at
    once as the pace allows. A row is marked before its call, so after a crash exactly those rows
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
        options: DeliveryOptions | None = None,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._options = options or DeliveryOptions()
        self._outbox = outbox
        self._call = call
        self._calls = calls
        self._pace = pace
        self._marks = marks
        self._presses = presses
        self._mailroom = mailroom
        self._clock = clock
        self._lanes = Lanes()
        self._counters = Counters()
        self._work = anyio.Event()
        self._read = anyio.Event()
        self._draining = False
        self._next_look = clock()
        self._serving: dict[str, TicketId] = {}
        self._not_ours: set[int] = set()
        group = self._options.group_max
        self._starting: Grouped[OutboxRow] = Grouped(self._start, group)
        self._marking: Grouped[tuple[str, Made]] = Grouped(self._mark, group)
        self._settling: Grouped[Settlement] = Grouped(self._settle, group)

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

    def stats(self) -> DeliveryStats:
        return snapshot(self._counters, self._pace, lanes=len(self._lanes))

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Delivers until cancelled or drained.

        A cancel tears calls that are under way; their rows are uncertain at the next start.
        """
        recorders = (self._starting, self._marking, self._settling)
        try:
            async with anyio.create_task_group() as services:
                for recorder in recorders:
                    services.start_soon(recorder.run)
                    services.start_soon(recorder.run)
                services.start_soon(self._read_announced, name="outbox reader")
                async with anyio.create_task_group() as calls:
                    task_status.started()
                    await self._dispatch(calls)
                    deadline = anyio.current_time() + self._options.drain_timeout_s
                    calls.cancel_scope.deadline = deadline
                services.cancel_scope.cancel()
        finally:
            for recorder in recorders:
                recorder.close()

    # --- what is next -----------------------------------------------------------------------

    async def _read_announced(self) -> None:
        """Reads announced lanes at once, and all of them now and then: a hint may be lost."""
        options = self._options
        while True:
            self._read = anyio.Event()
            try:
                if self._clock() >= self._next_look:
                    self._next_look = self._clock() + options.poll_interval_s
                    await self._look(None, 1, options.lanes_max)
                names = self._lanes.to_read(options.rows_max // options.rows_per_lane)
                if names:
                    await self._look(names, options.rows_per_lane, options.rows_max)
                    continue
            except Transient:
                await anyio.sleep(options.transient_wait_s)
                continue
            except Exception:
                log.exception("outbox_unreadable")
                await anyio.sleep(options.poll_interval_s)
                continue
            with anyio.move_on_after(max(0.0, self._next_look - self._clock())):
                await self._read.wait()

    async def _look(self, names: Sequence[str] | None, per_lane: int, limit: int) -> None:
        """Reads lanes (all for ``None``), unless a call of theirs ends meanwhile."""
        self._lanes.begin_reading()
        rows = await self._outbox.heads(names, per_lane, limit)
        self._lanes.fill(names or (), rows, per_lane=per_lane)
        self._work.set()

    async def _dispatch(self, calls: TaskGroup) -> None:
        """Starts the call of the lane that is next, as soon as pace and bound allow."""
        while not self._draining:
            self._work = anyio.Event()
            lane = None
            if self._counters.in_flight < self._options.in_flight_max:
                lane = self._lanes.pop(self._clock())
            if lane is None:
                await self._wait_for_work()
                continue
            if _may_be_outdated(lane) and self._lanes.look_again(lane):
                self._read.set()  # a newer title may be among what was announced
                continue
            wait = await self._reserve(lane)
            if wait > 0:
                self._lanes.set_aside(lane, self._clock() + wait)
                continue
            lane.busy = True
            self._counters.in_flight += 1
            calls.start_soon(self._serve, lane, name=f"lane {lane.name}")

    async def _reserve(self, lane: Lane) -> float:
        """Takes what the head costs of the budgets, or says how long to wait. Seconds."""
        address = lane.rows[0].address
        if address is None or lane.unrecorded is not None or _is_superseded(lane):
            return 0.0
        hold = await self._pace.ask(address.chat_id)
        return 0.0 if hold is None else hold.seconds

    async def _wait_for_work(self) -> None:
        next_at = self._lanes.next_at()
        if next_at is None:
            await self._work.wait()
            return
        with anyio.move_on_after(max(0.0, next_at - self._clock())):
            await self._work.wait()

    # --- one row ----------------------------------------------------------------------------

    async def _serve(self, lane: Lane) -> None:
        """The head of a lane: marked, called, recorded; then the lane may go on."""
        wait_until: float | None = None
        self._serving[lane.name] = lane.rows[0].ticket_id
        try:
            settlement = lane.unrecorded or await self._deliver(lane)
            lane.unrecorded = settlement
            await self._settling(settlement)
            lane.unrecorded, lane.failures = None, 0
            lane.rows.popleft()
            if isinstance(settlement, Sent) and settlement.thread_id is not None:
                lane.found_topic(settlement.thread_id)
            if isinstance(settlement, Postponed | TopicLost):
                after = settlement.after_s if isinstance(settlement, Postponed) else 0.0
                wait_until = self._clock() + after
        except Transient:
            wait_until = self._clock() + self._options.transient_wait_s
        except _NotOurs:
            wait_until = self._clock()  # read anew, if anything there is for us
        except Exception:
            log.exception("row_not_recorded", lane=lane.name, outbox_id=lane.rows[0].id)
            wait_until = self._clock() + self._held_s(lane)
        finally:
            del self._serving[lane.name]
            self._counters.in_flight -= 1
            self._lanes.done(lane, wait_until=wait_until)
            self._work.set()
            self._read.set()

    async def _deliver(self, lane: Lane) -> Settlement:
        """Makes the call of the lane's head and says what came of it.

        Raises:
            Transient: The row could not be marked, so no call was made.
            _NotOurs: Nor was one, because another run sends it.
        """
        row = lane.rows[0]
        if _is_superseded(lane):
            self._counters.superseded += 1
            return Superseded(row=row)
        if row.uncertain:
            found = await self._marks.find(row.mark)
            if found is not None:
                self._counters.recovered += 1
                return Sent(row=row, message_id=found.message_id, thread_id=found.thread_id)
        if _lacks_topic(row):
            return self._undeliverable(row, FailureReason.CHAT_GONE, "the topic does not exist")
        try:
            method = await self._calls.render(row)  # before the row is marked: this may fail, too
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 — classified, and recorded with the row
            return await self._failed(row, classify(error, row))
        if method is None:
            return Sent(row=row)
        if row.uncertain:
            self._counters.possible_doubles += 1
            log.warning("resending_uncertain", outbox_id=row.id, ticket_id=row.ticket_id)
        await self._starting(row)
        if row.id in self._not_ours:
            self._not_ours.discard(row.id)
            log.info("row_not_ours", outbox_id=row.id, ticket_id=row.ticket_id)
            raise _NotOurs
        return await self._attempt(row, method)

    async def _attempt(self, row: OutboxRow, method: TelegramMethod[Any]) -> Settlement:
        try:
            answer = await self._call(method)
        except Exception as error:  # noqa: BLE001 — classified, and recorded with the row
            return await self._failed(row, classify(error, row))
        finally:
            if isinstance(row.effect, AnswerPress):
                await self._presses.release(row.effect.callback_id)
        result = made(answer)
        if not isinstance(row.effect, AnswerPress):
            await self._marking((row.mark, result))
        self._counters.sent += 1
        self._counters.last_sent_at = self._clock()
        log.info(
            "effect_sent",
            ticket_id=row.ticket_id,
            outbox_id=row.id,
            effect=type(row.effect).__name__,
            lane=row.lane,
        )
        return Sent(row=row, message_id=result.message_id, thread_id=result.thread_id)

    async def _failed(self, row: OutboxRow, failure: Failure) -> Settlement:
        """The outcome of a call that raised; nothing ends as a log line only."""
        options = self._options
        facts = {
            "ticket_id": row.ticket_id,
            "outbox_id": row.id,
            "effect": type(row.effect).__name__,
            "attempt": row.attempts + 1,
            "detail": failure.detail,
        }
        match failure.verdict:
            case Verdict.REACHED:
                log.info("effect_needless", **facts)
                return Sent(row=row)
            case Verdict.PAUSE:
                chat_id = None if row.address is None else row.address.chat_id
                await self._pace.pause(chat_id, failure.wait_s)
                log.warning("telegram_asked_for_pause", wait_s=failure.wait_s, **facts)
                return self._postponed(row, failure, failure.wait_s)
            case Verdict.RETRY | Verdict.UNCERTAIN:
                wait = _backoff(options.retry_base_s, options.retry_max_s, row.attempts)
                log.warning("call_failed", verdict=str(failure.verdict), wait_s=wait, **facts)
                return self._postponed(row, failure, wait)
            case Verdict.TOPIC_LOST if row.attempts < options.topic_attempts_max:
                self._counters.topics_lost += 1
                log.warning("topic_lost", lane=row.lane, **facts)
                return TopicLost(row=row)
            case Verdict.TOPIC_LOST | Verdict.CLOSED:
                wait = _backoff(options.closed_base_s, options.closed_max_s, row.attempts)
                log.error("chat_closed_to_bot", lane=row.lane, wait_s=wait, **facts)
                return self._postponed(row, failure, wait)
            case Verdict.FINAL:
                log.error("effect_undeliverable", reason=str(failure.reason), **facts)
                return self._undeliverable(row, failure.reason, failure.detail)

    def _held_s(self, lane: Lane) -> float:
        """How long a lane is left alone after a bug."""
        lane.failures += 1
        return _backoff(self._options.retry_base_s, self._options.unrecorded_max_s, lane.failures)

    def _postponed(self, row: OutboxRow, failure: Failure, wait_s: float) -> Postponed:
        self._counters.retries += 1
        return Postponed(
            row=row,
            after_s=wait_s,
            error=failure.detail,
            uncertain=failure.verdict is Verdict.UNCERTAIN,
        )

    def _undeliverable(self, row: OutboxRow, reason: FailureReason, detail: str) -> Undeliverable:
        self._counters.undeliverable += 1
        return Undeliverable(row=row, reason=reason, detail=detail)

    # --- records ----------------------------------------------------------------------------

    async def _start(self, rows: Sequence[OutboxRow]) -> None:
        started = await self._outbox.starting(rows)
        self._not_ours.update(row.id for row in rows if row.id not in started)

    async def _mark(self, sent: Sequence[tuple[str, Made]]) -> None:
        await self._marks.mark(dict(sent))

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        """Records outcomes; while Postgres is away they are kept, and no call is repeated."""
        while True:
            try:
                envelopes = await self._outbox.settle(settlements)
            except Transient:
                await anyio.sleep(self._options.transient_wait_s)
            else:
                self._mailroom.offer(envelopes)
                return


def _may_be_outdated(lane: Lane) -> bool:
    """Whether a newer row would make the head needless."""
    return isinstance(lane.rows[0].effect, RenameTopic) and lane.unrecorded is None


def _is_superseded(lane: Lane) -> bool:
    """Whether a newer title of the topic waits right in this lane."""
    first, *rest = lane.rows
    return isinstance(first.effect, RenameTopic) and any(
        isinstance(row.effect, RenameTopic) for row in rest
    )


def _lacks_topic(row: OutboxRow) -> bool:
    """A row for a topic that was never made (its opening was refused for good)."""
    if row.address is None or isinstance(row.effect, OpenTopic):
        return False
    return row.address.chat_id < 0 and row.address.thread_id is None


def _backoff(base_s: float, limit_s: float, attempts: int) -> float:
    return min(limit_s, base_s * 2.0 ** min(attempts, 20))
