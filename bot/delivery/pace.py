"""Telegram's limits as token buckets: for the bot, for each private chat, for each group."""

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
    group_burst: int = 20
    """Telegram counts groups by the minute, so a quiet minute may be spent at once."""
    buckets_max: int = 20_000
    """Chats remembered; a forgotten one starts with a full bucket, and 429 corrects it."""


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

    def take(self) -> None:
        if self._rate > 0:
            self._tokens -= 1.0

    @property
    def is_full(self) -> bool:
        return self._tokens >= self._burst


class Pace:
    """Says when a chat may be called. The clock is in seconds, of any origin."""

    def __init__(self, options: PaceOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._bot = Bucket(options.bot_per_s, options.bot_per_s, clock())
        self._chats: dict[ChatId, Bucket] = {}
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
            self._bot.take()
            chat.take()
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

    def _chat(self, chat_id: ChatId, now: float) -> Bucket:
        bucket = self._chats.get(chat_id)
        if bucket is None:
            if len(self._chats) >= self._options.buckets_max:
                self._forget(now)
            bucket = self._chats[chat_id] = self._new(chat_id, now)
        return bucket

    def _new(self, chat_id: ChatId, now: float) -> Bucket:
        options = self._options
        if chat_id > 0:
            return Bucket(options.private_per_s, options.private_burst, now)
        return Bucket(options.group_per_min / 60, options.group_burst, now)

    def _forget(self, now: float) -> None:
        """Drops the buckets that say nothing any more: full and open."""
        for chat_id, bucket in list(self._chats.items()):
            if bucket.wait(now) <= 0 and bucket.is_full:
                del self._chats[chat_id]
