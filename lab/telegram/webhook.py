"""Webhook delivery with Telegram's queue rules.

One update in flight per queue; the next only after a 2xx. A failure blocks its queue: again at
once, then after 2, 4, 8 … seconds. ``Retry-After`` of a 503 is honoured. A long series of 410
removes the webhook. At most ``max_connections`` requests run at a time.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import anyio.abc

from lab.telegram.updates import Update, UpdateFeed

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
_OK = range(200, 300)
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRules:
    """Telegram's patience. ``time_scale`` multiplies every wait, so that tests need none."""

    answer_timeout_s: float = 60.0
    backoff_first_s: float = 2.0
    backoff_max_s: float = 60.0
    retry_after_max_s: float = 3600.0
    gone_after_s: float = 23 * 3600.0
    keep_s: float = 24 * 3600.0
    time_scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """What ``setWebhook`` was told."""

    url: str
    secret: str | None = None
    max_connections: int = 40


@dataclass(slots=True, eq=False)
class _Lane:
    queue: deque[Update] = field(default_factory=deque)
    failures: int = 0
    busy: bool = False
    """In flight, ready to go, or waiting for its next try."""


class WebhookPush:
    """Pushes one bot's updates; made by ``setWebhook``, closed by ``deleteWebhook``."""

    def __init__(
        self,
        *,
        feed: UpdateFeed,
        target: WebhookTarget,
        rules: WebhookRules,
        session: aiohttp.ClientSession,
        tasks: anyio.abc.TaskGroup,
        on_gone: Callable[[], None],
    ) -> None:
        self.target = target
        self.in_flight = 0
        self.last_error: tuple[int, str] | None = None
        self._feed = feed
        self._rules = rules
        self._session = session
        self._tasks = tasks
        self._on_gone = on_gone
        self._gone_since: float | None = None
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._ready: asyncio.Queue[_Lane] = asyncio.Queue()
        self._idle = 0
        self._scopes: set[anyio.CancelScope] = set()
        self._closed = False
        self._headers = {"Content-Type": "application/json"}
        if target.secret:
            self._headers[SECRET_HEADER] = target.secret

    def offer(self, update: Update) -> None:
        lane = self._lanes.get(update.lane)
        if lane is None:
            lane = self._lanes[update.lane] = _Lane()
        lane.queue.append(update)
        if not lane.busy:
            self._make_ready(lane)

    def close(self) -> None:
        """Stops at once; a request in flight is cut, its update stays pending."""
        self._closed = True
        for scope in self._scopes:
            scope.cancel()

    @property
    def blocked(self) -> int:
        """Queues whose head has failed at least once."""
        return sum(1 for lane in self._lanes.values() if lane.failures)

    def _make_ready(self, lane: _Lane) -> None:
        lane.busy = True
        self._enqueue(lane)

    def _enqueue(self, lane: _Lane) -> None:
        if self._closed:
            return
        self._ready.put_nowait(lane)
        # An idle worker wakes a little later: count what is queued, not only who is idle.
        starved = self._ready.qsize() > self._idle
        if starved and len(self._scopes) < self.target.max_connections:
            scope = anyio.CancelScope()
            self._scopes.add(scope)
            self._tasks.start_soon(self._work, scope)

    async def _work(self, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                self._idle += 1
                try:
                    lane = await self._ready.get()
                finally:
                    self._idle -= 1
                wait_s = await self._deliver(lane)
                if wait_s > 0:
                    asyncio.get_running_loop().call_later(wait_s, self._enqueue, lane)
                elif lane.queue:
                    self._enqueue(lane)
                else:
                    lane.busy = False

    async def _deliver(self, lane: _Lane) -> float:
        """Tries the head of a queue; returns how many seconds the queue must wait."""
        update = lane.queue[0]
        now = time.monotonic()
        if update.due_at > now:
            return update.due_at - now
        too_old = now - update.made_at > self._rules.keep_s * self._rules.time_scale
        if too_old or update.expired(now, self._feed.callback_life_s):
            lane.queue.popleft()
            lane.failures = 0
            self._feed.expire(update)
            return 0.0
        status, retry_after_s = await self._post(update)
        if status in _OK:
            lane.queue.popleft()
            lane.failures = 0
            self._gone_since = None
            self._feed.taken(update)
            return 0.0
        self._note_gone(status)
        lane.failures += 1
        return pause_s(self._rules, lane.failures, retry_after_s) * self._rules.time_scale

    async def _post(self, update: Update) -> tuple[int, float | None]:
        """Returns the status (0: no answer) and the ``Retry-After`` of a 503."""
        self.in_flight += 1
        try:
            async with self._session.post(
                self.target.url, data=update.body, headers=self._headers, allow_redirects=False
            ) as response:
                await response.read()
                if response.status not in _OK:
                    self._failed(f"Wrong response from the webhook: {response.status}")
                return response.status, _retry_after(response)
        except TimeoutError:
            self._failed("Read timeout expired")
        except aiohttp.ClientConnectorError:
            self._failed("Connection refused")
        except aiohttp.ClientError as error:
            self._failed(f"Connection failed: {type(error).__name__}")
        finally:
            self.in_flight -= 1
        return 0, None

    def _failed(self, text: str) -> None:
        self.last_error = (int(time.time()), text)
        self._feed.stats.failed += 1

    def _note_gone(self, status: int) -> None:
        if status != _GONE:
            self._gone_since = None
            return
        now = time.monotonic()
        self._gone_since = self._gone_since or now
        if now - self._gone_since >= self._rules.gone_after_s * self._rules.time_scale:
            self._on_gone()


def pause_s(rules: WebhookRules, failures: int, retry_after_s: float | None = None) -> float:
    """How long a queue waits after its head failed for the ``failures``-th time, unscaled."""
    if retry_after_s is not None:
        return min(retry_after_s, rules.retry_after_max_s)
    if failures <= 1:
        return 0.0
    return min(rules.backoff_first_s * 2.0 ** min(failures - 2, 16), rules.backoff_max_s)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("Retry-After", "")
    unavailable = 503
    return float(text) if response.status == unavailable and text.isdecimal() else None
