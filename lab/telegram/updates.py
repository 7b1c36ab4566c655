"""Updates of one bot: kept until confirmed, given out by ``getUpdates`` or pushed by webhook."""

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from lab.telegram.errors import conflict
from lab.telegram.faults import Faults

NOT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Update types that come only to those who name them in ``allowed_updates``."""

POLL_TIMEOUT_S_MAX = 50
POLL_LIMIT_MAX = 100
CALLBACK_LIFE_S = 150.0
"""Telegram forgets a press after this long, delivered or not."""


@dataclass(slots=True, kw_only=True, eq=False)
class Update:
    """One update as bytes. ``lane`` is the queue that it stands in when it is pushed."""

    id: int
    kind: str
    lane: tuple[str, int]
    body: bytes
    made_at: float
    due_at: float
    repeats: int = 0
    """How often it comes once more after it was taken (an injected duplicate)."""

    def expired(self, now: float, life_s: float) -> bool:
        return self.kind == "callback_query" and now - self.made_at > life_s


class Push(Protocol):
    """What carries updates to a webhook."""

    def offer(self, update: Update) -> None: ...


@dataclass(slots=True)
class FeedStats:
    emitted: int = 0
    delivered: int = 0
    failed: int = 0
    expired: int = 0
    repeated: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class UpdateFeed:
    """The updates of one bot, oldest first. Times are ``time.monotonic()``."""

    bot_id: int
    rng: random.Random
    faults: Faults
    allowed: frozenset[str] | None = None
    callback_life_s: float = CALLBACK_LIFE_S
    next_id: int = 0
    pending: OrderedDict[int, Update] = field(default_factory=OrderedDict)
    push: Push | None = None
    stats: FeedStats = field(default_factory=FeedStats)
    _again: deque[Update] = field(default_factory=deque)
    _poll: int = 0
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def __post_init__(self) -> None:
        self.next_id = self.next_id or self.rng.randrange(100_000_000, 900_000_000)

    def wants(self, kind: str) -> bool:
        return kind not in NOT_BY_DEFAULT if self.allowed is None else kind in self.allowed

    def allow(self, kinds: Sequence[str] | None) -> None:
        """Sets ``allowed_updates``: ``None`` changes nothing, an empty list means the default."""
        if kinds is not None:
            self.allowed = frozenset(kinds) or None

    def emit(self, kind: str, lane: tuple[str, int], payload: dict[str, object]) -> None:
        """Queues an update unless the bot does not want its kind."""
        if not self.wants(kind):
            return
        now = time.monotonic()
        update = Update(
            id=self.next_id,
            kind=kind,
            lane=lane,
            body=orjson.dumps({"update_id": self.next_id, kind: payload}),
            made_at=now,
            due_at=now,
        )
        self.next_id += 1
        fault = self.faults.for_update(kind)
        if fault is not None:
            update.repeats = fault.times if fault.kind == "duplicate" else 0
            update.due_at += fault.seconds if fault.kind == "late" else 0.0
        self.pending[update.id] = update
        self.stats.emitted += 1
        if self.push is not None:
            self.push.offer(update)
        else:
            self._woken.set()

    def taken(self, update: Update) -> None:
        """The receiver has it; an injected duplicate stays for another round."""
        self.stats.delivered += 1
        if self.pending.pop(update.id, None) is None or not update.repeats:
            return
        update.repeats -= 1
        self.stats.repeated += 1
        if self.push is not None:
            self.pending[update.id] = update
            self.push.offer(update)
        else:
            self._again.append(update)

    def expire(self, update: Update) -> None:
        self.stats.expired += 1
        self.pending.pop(update.id, None)

    def drop_pending(self) -> None:
        self.pending.clear()
        self._again.clear()

    def interrupt(self) -> None:
        """Ends a running long poll: a webhook was set, or another poll began."""
        self._poll += 1
        self._woken.set()

    def close(self) -> None:
        self._closed = True
        self._woken.set()

    async def get_updates(self, offset: int, limit: int, timeout_s: float) -> list[bytes]:
        """``getUpdates``: confirms all before ``offset`` and waits for something to give.

        Raises:
            ApiError: 409 when a webhook is set, or another poll took over.
        """
        if self.push is not None:
            raise conflict(
                "can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first"
            )
        self.interrupt()
        mine = self._poll
        self._confirm(offset)
        deadline = time.monotonic() + min(timeout_s, POLL_TIMEOUT_S_MAX)
        while True:
            self._check_turn(mine)
            found, next_due = self._ready(min(max(limit, 1), POLL_LIMIT_MAX))
            left = deadline - time.monotonic()
            if found or left <= 0 or self._closed:
                return found
            self._woken.clear()
            try:
                async with asyncio.timeout(min(left, next_due)):
                    await self._woken.wait()
            except TimeoutError:
                continue  # the deadline, or a late update, is there: look again

    def _check_turn(self, mine: int) -> None:
        if self._poll == mine:
            return
        raise conflict(
            "terminated by setWebhook request"
            if self.push is not None
            else "terminated by other getUpdates request; "
            "make sure that only one bot instance is running"
        )

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self.pending) > -offset:
                self.pending.popitem(last=False)
            return
        while self.pending:
            update = next(iter(self.pending.values()))
            if update.id >= offset:
                return
            self.taken(update)

    def _ready(self, limit: int) -> tuple[list[bytes], float]:
        """What may go out now, and seconds until the next late one is due."""
        now = time.monotonic()
        found = [self._again.popleft().body for _ in range(min(limit, len(self._again)))]
        gone: list[Update] = []
        next_due = float(POLL_TIMEOUT_S_MAX)
        for update in self.pending.values():
            if len(found) == limit:
                break
            if update.expired(now, self.callback_life_s):
                gone.append(update)
            elif update.due_at > now:
                next_due = update.due_at - now
                break
            else:
                found.append(update.body)
        for update in gone:
            self.expire(update)
        return found, next_due
