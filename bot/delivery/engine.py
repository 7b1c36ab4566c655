"""Delivery: takes rows from the outbox, makes their calls, records what came of each."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import structlog
from aiogram.methods import TelegramMethod
from anyio.abc import TaskGroup, TaskStatus

from actors.effects import AnswerPress, OpenTopic, RenameTopic
from actors.errors import Transient
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
from bot.delivery.grouped import Grouped
from bot.delivery.lanes import Lane, Lanes
from bot.delivery.options import DeliveryOptions
from bot.delivery.pace import Pace
from bot.failures import Failure, Verdict, classify

log = structlog.get_logger(__name__)


class SentMarks(Protocol):
    """Remembers for two hours which rows were sent, should their record be lost in a crash.

    Never raises: without Redis it remembers nothing, and an uncertain row is sent once more.
    """

    async def mark(self, sent: Mapping[int, Made]) -> None: ...

    async def find(self, outbox_id: int) -> Made | None: ...


class PressRelease(Protocol):
    async def release(self, callback_id: str) -> None:
        """The press has been answered; the same button may be pressed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStats:
    """Counts since the start; ``last_sent_at`` on delivery's clock."""

    sent: int
    superseded: int
    undeliverable: int
    retries: int
    possible_doubles: int
    recovered: int
    """Uncertain rows that were found to have arrived."""
    topics_lost: int
    lanes: int
    in_flight: int
    pauses: int
    paused_s: float
    paused_chats: int
    last_sent_at: float | None


@dataclass(slots=True)
class _Counters:
    sent: int = 0
    superseded: int = 0
    undeliverable: int = 0
    retries: int = 0
    possible_doubles: int = 0
    recovered: int = 0
    topics_lost: int = 0
    in_flight: int = 0
    last_sent_at: float | None = None


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
        pace: Pace,
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
        self._counters = _Counters()
        self._work = anyio.Event()
        self._read = anyio.Event()
        self._draining = False
        group = self._options.group_max
        self._starting: Grouped[OutboxRow] = Grouped(self._outbox.starting, group)
        self._marking: Grouped[tuple[int, Made]] = Grouped(self._mark, group)
        self._settling: Grouped[Settlement] = Grouped(self._settle, group)

    # --- from outside -----------------------------------------------------------------------

    def wake(self, lanes: Sequence[str]) -> None:
        self._lanes.announce(lanes)
        self._read.set()

    def drain(self) -> None:
        """Begins no further call; :meth:`run` returns when those under way are recorded."""
        self._draining = True
        self._work.set()

    def stats(self) -> DeliveryStats:
        counters = self._counters
        return DeliveryStats(
            sent=counters.sent,
            superseded=counters.superseded,
            undeliverable=counters.undeliverable,
            retries=counters.retries,
            possible_doubles=counters.possible_doubles,
            recovered=counters.recovered,
            topics_lost=counters.topics_lost,
            lanes=len(self._lanes),
            in_flight=counters.in_flight,
            pauses=self._pace.pauses,
            paused_s=self._pace.paused_s,
            paused_chats=self._pace.paused_chats(),
            last_sent_at=counters.last_sent_at,
        )

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
                services.cancel_scope.cancel()
        finally:
            for recorder in recorders:
                recorder.close()

    # --- what is next -----------------------------------------------------------------------

    async def _read_announced(self) -> None:
        """Reads announced lanes at once, and all of them now and then: a hint may be lost."""
        options = self._options
        next_poll = self._clock()
        while True:
            now = self._clock()
            names = self._lanes.to_read(options.rows_max // options.rows_per_lane)
            everything = now >= next_poll
            if names or everything:
                self._lanes.begin_reading()
                wanted = None if everything else names
                try:
                    rows = await self._outbox.heads(wanted, options.rows_per_lane, options.rows_max)
                except Transient:
                    await anyio.sleep(options.transient_wait_s)
                    continue
                self._lanes.fill(names, rows, per_lane=options.rows_per_lane)
                self._work.set()
                if everything:
                    next_poll = self._clock() + options.poll_interval_s
                continue
            self._read = anyio.Event()
            with anyio.move_on_after(max(0.0, next_poll - now)):
                await self._read.wait()

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
            row = lane.rows[0]
            if isinstance(row.effect, RenameTopic) and self._lanes.look_again(lane):
                self._read.set()  # a newer title may be among what was announced
                continue
            wait = 0.0 if row.address is None else self._pace.reserve(row.address.chat_id)
            if wait > 0:
                self._lanes.set_aside(lane, self._clock() + wait)
                continue
            lane.busy = True
            self._counters.in_flight += 1
            calls.start_soon(self._serve, lane, name=f"lane {lane.name}")

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
        try:
            settlement = await self._deliver(lane)
            await self._settling(settlement)
            lane.rows.popleft()
            if isinstance(settlement, Sent) and settlement.thread_id is not None:
                lane.found_topic(settlement.thread_id)
            if isinstance(settlement, Postponed | TopicLost):
                after = settlement.after_s if isinstance(settlement, Postponed) else 0.0
                wait_until = self._clock() + after
        except Transient:
            wait_until = self._clock() + self._options.transient_wait_s
        finally:
            self._counters.in_flight -= 1
            self._lanes.done(lane, wait_until=wait_until)
            self._work.set()
            self._read.set()

    async def _deliver(self, lane: Lane) -> Settlement:
        """Makes the call of the lane's head and says what came of it.

        Raises:
            Transient: The row could not be marked, so no call was made.
        """
        row = lane.rows[0]
        if _is_superseded(lane):
            self._counters.superseded += 1
            return Superseded(row=row)
        if row.uncertain:
            found = await self._marks.find(row.id)
            if found is not None:
                self._counters.recovered += 1
                return Sent(row=row, message_id=found.message_id, thread_id=found.thread_id)
            self._counters.possible_doubles += 1
            log.warning("resending_uncertain", outbox_id=row.id, ticket_id=row.ticket_id)
        if _lacks_topic(row):
            return self._undeliverable(row, FailureReason.CHAT_GONE, "the topic does not exist")
        await self._starting(row)
        return await self._attempt(row)

    async def _attempt(self, row: OutboxRow) -> Settlement:
        try:
            method = await self._calls.render(row)
            answer = None if method is None else await self._call(method)
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 — classified, and recorded with the row
            return self._failed(row, classify(error, row))
        finally:
            if isinstance(row.effect, AnswerPress):
                await self._presses.release(row.effect.callback_id)
        result = made(answer)
        if method is not None and not isinstance(row.effect, AnswerPress):
            await self._marking((row.id, result))
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

    def _failed(self, row: OutboxRow, failure: Failure) -> Settlement:
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
                self._pace.pause(chat_id, failure.wait_s)
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

    async def _mark(self, sent: Sequence[tuple[int, Made]]) -> None:
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
