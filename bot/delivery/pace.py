"""Telegram's limits: buckets for the bot and each private chat, a window for each group."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from actors.ids import ChatId


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """Calls per time; 0 means no limit. Start values of the Bot API's FAQ.

    A group's calls are shared by all its topics, edits, renames and new topics included.
    """

    bot_per_s: float = 30.0
    private_per_s: float = 1.0
    private_burst: int = 5
    """Calls to one private chat that may go out together after a pause."""
    group_per_min: float = 20.0
    """In any minute: a bucket that also refills would let twice as many out after a quiet one."""
    group_window_s: float = 61.0
    """That minute, and a second in which our calls may overtake each other on the way."""
    buckets_max: int = 20_000
    """Chats remembered; a forgotten one starts anew, and 429 corrects it."""


class Bucket:
    """Tokens that come back with time; may be closed for a while."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens", "closed_until")

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        self._rate = rate_per_s
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at = now
        self.closed_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until a token is there; 0 when one is."""
        closed = max(0.0, self.closed_until - now)
        if self._rate <= 0:
            return closed
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        missing = 1.0 - self._tokens
        return max(closed, missing / self._rate if missing > 1e-9 else 0.0)  # noqa: PLR2004

    def take(self, now: float) -> None:
        """A call goes out; :meth:`wait` has said 0 for ``now``."""
        if self._rate > 0:
            self._at = now
            self._tokens -= 1.0

    @property
    def is_full(self) -> bool:
        """Whether it says nothing that a new one would not; asked after :meth:`wait`."""
        return self._tokens >= self._burst


class Window:
    """So many calls in any span of time; may be closed for a while. No limit when ``most`` is 0."""

    __slots__ = ("_most", "_span_s", "_taken", "closed_until")

    def __init__(self, most: int, span_s: float) -> None:
        self._most = most
        self._span_s = span_s
        self._taken: deque[float] = deque()
        self.closed_until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until there is room; 0 when there is."""
        while self._taken and self._taken[0] + self._span_s <= now:
            self._taken.popleft()
        closed = max(0.0, self.closed_until - now)
        if not self._most or len(self._taken) < self._most:
            return closed
        return max(closed, self._taken[0] + self._span_s - now)

    def take(self, now: float) -> None:
        if self._most:
            self._taken.append(now)

    @property
    def is_full(self) -> bool:
        """Whether it says nothing that a new one would not; asked after :meth:`wait`."""
        return not self._taken


class Pace:
    """Says when a chat may be called. The clock is in seconds, of any origin."""

    def __init__(self, options: PaceOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._bot = Bucket(options.bot_per_s, options.bot_per_s, clock())
        self._chats: dict[ChatId, Bucket | Window] = {}
        self.pauses = 0
        """How often Telegram asked for a pause (429)."""
        self.paused_s = 0.0
        """For how long, in all."""

    def reserve(self, chat_id: ChatId) -> float:
        """Takes a token of the bot and of the chat, or says how long to wait for both."""
        now = self._clock()
        chat = self._chat(chat_id, now)
        wait = max(self._bot.wait(now), chat.wait(now))
        if wait <= 0:
            self._bot.take(now)
            chat.take(now)
        return wait

    def pause(self, chat_id: ChatId | None, seconds: float) -> None:
        """Telegram said 429: nothing goes to this chat (or at all) for so many seconds."""
        now = self._clock()
        bucket = self._bot if chat_id is None else self._chat(chat_id, now)
        bucket.closed_until = max(bucket.closed_until, now + seconds)
        self.pauses += 1
        self.paused_s += seconds

    def paused_chats(self) -> int:
        now = self._clock()
        return sum(bucket.closed_until > now for bucket in self._chats.values())

    def _chat(self, chat_id: ChatId, now: float) -> Bucket | Window:
        bucket = self._chats.get(chat_id)
        if bucket is None:
            if len(self._chats) >= self._options.buckets_max:
                self._forget(now)
            bucket = self._chats[chat_id] = self._new(chat_id, now)
        return bucket

    def _new(self, chat_id: ChatId, now: float) -> Bucket | Window:
        options = self._options
        if chat_id > 0:
            return Bucket(options.private_per_s, options.private_burst, now)
        per_min = options.group_per_min
        if 0 < per_min < 1:
            return Window(1, options.group_window_s / per_min)
        return Window(int(per_min), options.group_window_s)

    def _forget(self, now: float) -> None:
        """Drops the buckets that say nothing any more: full and open."""
        for chat_id, bucket in list(self._chats.items()):
            if bucket.wait(now) <= 0 and bucket.is_full:
                del self._chats[chat_id]
