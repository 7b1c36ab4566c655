"""One call: marked before, made, and what came of it, for every row that it carries."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import structlog
from aiogram.exceptions import TelegramMigrateToChat
from aiogram.methods import GetChat, TelegramMethod

from actors.effects import AnswerPress, OpenTopic
from actors.errors import Transient
from actors.messages import FailureReason
from actors.ports import (
    Made,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    Superseded,
    TopicLost,
    Undeliverable,
)
from bot.calls import Calls, made
from bot.delivery.batches import Batch
from bot.delivery.crew import Crew
from bot.delivery.helping import Trouble, for_helper, trouble_of
from bot.delivery.options import DeliveryOptions
from bot.delivery.stats import Counters
from bot.failures import Failure, Verdict, classify, may_be_the_source

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


class NotOurs(Exception):
    """Another run owns the ticket now, or has started this row: it is not sent from here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a batch."""

    settlements: tuple[Settlement, ...]
    is_split: bool = False
    """Its rows were refused together and go one by one."""
    is_closed: bool = False
    """The chat lets the bot do nothing; its topic is made anew again after the wait."""


class Caller:
    """Makes the call of a batch. ``start`` marks its rows and returns those that may be sent."""

    def __init__(
        self,
        *,
        crew: Crew,
        calls: Calls,
        marks: SentMarks,
        presses: PressRelease,
        start: Callable[[tuple[OutboxRow, ...]], Awaitable[Sequence[OutboxRow]]],
        mark: Callable[[Mapping[str, Made]], Awaitable[None]],
        options: DeliveryOptions,
        counters: Counters,
        clock: Callable[[], float],
    ) -> None:
        self._crew = crew
        self._calls = calls
        self._marks = marks
        self._presses = presses
        self._start = start
        self._mark = mark
        self._options = options
        self._counters = counters
        self._clock = clock

    async def deliver(self, batch: Batch, topics_lost: int) -> Outcome:
        """Makes the call and says what came of it.

        Args:
            batch: The rows that go out together.
            topics_lost: Topics of the lane that were lost since a row of it was sent last.

        Raises:
            Transient: The rows could not be marked, so no call was made.
            NotOurs: Nor was one, because another run sends them.
        """
        rows = batch.rows
        if batch.needless:
            self._counters.superseded += len(rows)
            return _outcome(Superseded(row=row) for row in rows)
        found = await self._recovered(rows)
        if found:
            return _outcome(found)
        if _lacks_topic(batch.head):
            gone = FailureReason.CHAT_GONE
            return _outcome(
                self._undeliverable(row, gone, "the topic does not exist") for row in rows
            )
        try:
            method = await self._render(batch)  # before the rows are marked: this may fail, too
        except Transient:
            raise
        except Exception as error:  # noqa: BLE001 — classified, and recorded with the rows
            return await self._failed(batch, error, topics_lost)
        if method is None:
            return _outcome(Sent(row=row) for row in rows)
        for row in rows:
            if row.uncertain:
                self._counters.possible_doubles += 1
                log.warning("resending_uncertain", outbox_id=row.id, ticket_id=row.ticket_id)
        started = await self._start(rows)
        if not started:
            log.info("row_not_ours", outbox_id=batch.head.id, ticket_id=batch.head.ticket_id)
            raise NotOurs
        if len(started) < len(rows):
            # Some have become another run's: the others were marked in vain.
            return _outcome(Postponed(row=row, after_s=0, error="not sent") for row in started)
        return await self._attempt(batch, method, topics_lost)

    async def _recovered(self, rows: Sequence[OutboxRow]) -> list[Settlement]:
        """Uncertain rows that did arrive, by their marks."""
        found: list[Settlement] = []
        for row in rows:
            made_before = await self._marks.find(row.mark) if row.uncertain else None
            if made_before is not None:
                self._counters.recovered += 1
                message_id, thread_id = made_before.message_id, made_before.thread_id
                bot_id = made_before.bot_id
                found.append(
                    Sent(row=row, message_id=message_id, thread_id=thread_id, bot_id=bot_id)
                )
        return found

    async def _render(self, batch: Batch) -> TelegramMethod[Any] | None:
        if batch.foreign:
            return await self._calls.render(batch.head, foreign=True)
        if len(batch.rows) == 1:
            return await self._calls.render(batch.head)
        if batch.is_album:
            return await self._calls.album(batch.rows)
        return self._calls.join(batch.rows)

    async def _attempt(
        self, batch: Batch, method: TelegramMethod[Any], topics_lost: int
    ) -> Outcome:
        rows, effect = batch.rows, batch.head.effect
        sender, bot_id = self._crew.sender(batch.bot_id), batch.bot_id
        if bot_id is not None:
            helped = for_helper(method, batch.head)
            if helped is None:  # of a kind that only the main bot can send
                self._crew.refuse(rows)
                return _outcome(Postponed(row=row, after_s=0, error="not a text") for row in rows)
            method = helped
        try:
            answer = await sender.call(method)
        except Exception as error:  # noqa: BLE001 — classified, and recorded with the rows
            return await self._failed(batch, error, topics_lost)
        finally:
            if isinstance(effect, AnswerPress):
                await self._presses.release(effect.callback_id)
        if isinstance(answer, list):
            results = [made(each) for each in answer]
        else:
            results = [made(answer)] * len(rows)
        if not isinstance(effect, AnswerPress) and len(results) == len(rows):
            pairs = zip(rows, results, strict=True)
            author = self._crew.author(bot_id)
            await self._mark({row.mark: replace(each, bot_id=author) for row, each in pairs})
        self._counters.sent += len(rows)
        self._counters.joined += len(rows) if batch.is_joined else 0
        self._counters.last_sent_at = self._clock()
        log.info(
            "effect_sent",
            ticket_id=batch.head.ticket_id,
            outbox_id=batch.head.id,
            effect=type(effect).__name__,
            lane=batch.head.lane,
            rows=len(rows),
        )
        if len(results) != len(rows):
            return self._incomplete(rows, len(results))
        sent = (
            Sent(row=row, message_id=result.message_id, thread_id=result.thread_id)
            for row, result in zip(rows, results, strict=True)
        )
        return _outcome(self._crew.signed(each, bot_id) for each in sent)

    def _incomplete(self, rows: Sequence[OutboxRow], arrived: int) -> Outcome:
        """Telegram skips what it cannot copy and does not say which: no part can be linked."""
        detail = f"{len(rows) - arrived} of the album's {len(rows)} parts could not be copied"
        log.warning("album_incomplete", outbox_id=rows[0].id, detail=detail)
        lost = self._undeliverable(rows[-1], FailureReason.UNCOPYABLE, detail)
        return _outcome([*(Sent(row=row) for row in rows[:-1]), lost])

    async def _failed(self, batch: Batch, error: Exception, topics_lost: int) -> Outcome:
        """The outcome of a call that raised; nothing ends as a log line only."""
        rows, head = batch.rows, batch.head
        failure = classify(error, head)
        is_main = batch.bot_id is None
        if is_main and may_be_the_source(failure, head) and await self._knows_the_chat_of(head):
            # No waiting brings it back, and everything behind it in this lane would wait as well.
            reason = FailureReason.SOURCE_GONE
            failure = replace(failure, verdict=Verdict.FINAL, reason=reason)
        if failure.verdict is Verdict.TOPIC_LOST and topics_lost >= self._options.topics_lost_max:
            failure = replace(failure, verdict=Verdict.CLOSED)
        if failure.verdict is Verdict.PAUSE and head.address is not None:
            # A press has no chat: it waits alone, for buttons count apart from messages.
            await self._crew.sender(batch.bot_id).pace.pause(head.address.chat_id, failure.wait_s)
        if batch.bot_id is not None and self._is_helpers(batch, error, failure):
            log.warning("helper_failed", bot=batch.bot_id, outbox_id=head.id, detail=failure.detail)
            return _outcome(self._postponed(row, failure, 0.0) for row in rows)
        if len(rows) > 1 and failure.verdict is Verdict.FINAL:
            log.warning("batch_refused", outbox_id=head.id, detail=failure.detail, rows=len(rows))
            again = (Postponed(row=row, after_s=0, error=failure.detail) for row in rows)
            return Outcome(settlements=tuple(again), is_split=True)
        settlements = tuple(self._settlement(row, failure) for row in rows)
        return Outcome(settlements=settlements, is_closed=failure.verdict is Verdict.CLOSED)

    def _is_helpers(self, batch: Batch, error: Exception, failure: Failure) -> bool:
        """Whether the main bot is to try, because a helper could not; the call had no effect."""
        bot_id, address = batch.bot_id, batch.head.address
        assert bot_id is not None, batch
        assert address is not None, batch
        if failure.verdict is Verdict.PAUSE:
            return self._crew.limited(bot_id, address.chat_id, failure.wait_s)
        if failure.verdict not in {Verdict.CLOSED, Verdict.FINAL}:
            return False
        trouble = trouble_of(error)
        if trouble is not None:
            chat_id = None if trouble is Trouble.UNKNOWN else address.chat_id
            self._crew.note(bot_id, chat_id, trouble)
            return True
        if isinstance(error, TelegramMigrateToChat) or len(batch.rows) > 1:
            return False  # followed, or sent one by one
        self._crew.refuse(batch.rows)
        return True

    async def _knows_the_chat_of(self, row: OutboxRow) -> bool:
        """Whether Telegram knows where the row goes to; what cannot be found out counts as no."""
        if row.address is None:
            return False
        try:
            await self._crew.main.call(GetChat(chat_id=row.address.chat_id))
        except Exception as error:  # noqa: BLE001 — the row waits then, as it would without asking
            log.info("chat_not_known", chat=row.address.chat_id, error=type(error).__name__)
            return False
        return True

    def _settlement(self, row: OutboxRow, failure: Failure) -> Settlement:
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
                log.warning("telegram_asked_for_pause", wait_s=failure.wait_s, **facts)
                return self._postponed(row, failure, failure.wait_s)
            case Verdict.RETRY | Verdict.UNCERTAIN:
                wait = backoff(options.retry_base_s, options.retry_max_s, row.attempts)
                log.warning("call_failed", verdict=str(failure.verdict), wait_s=wait, **facts)
                return self._postponed(row, failure, wait)
            case Verdict.TOPIC_LOST:
                self._counters.topics_lost += 1
                log.warning("topic_lost", lane=row.lane, **facts)
                return TopicLost(row=row)
            case Verdict.CLOSED:
                wait = backoff(options.closed_base_s, options.closed_max_s, row.attempts)
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
            refusal=failure.refusal,
        )

    def _undeliverable(self, row: OutboxRow, reason: FailureReason, detail: str) -> Undeliverable:
        self._counters.undeliverable += 1
        return Undeliverable(row=row, reason=reason, detail=detail)


def _outcome(settlements: Any) -> Outcome:
    return Outcome(settlements=tuple(settlements))


def _lacks_topic(row: OutboxRow) -> bool:
    """A row for a topic that was never made (its opening was refused for good)."""
    if row.address is None or isinstance(row.effect, OpenTopic):
        return False
    return row.address.chat_id < 0 and row.address.thread_id is None


def backoff(base_s: float, limit_s: float, attempts: int) -> float:
    return min(limit_s, base_s * 2.0 ** min(attempts, 20))
