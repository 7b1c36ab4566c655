"""Budgets of one chat or bot: what may go out now, what Telegram closed, what it taught us."""

import math
from collections import deque
from dataclasses import dataclass

_DUST = 1e-9
"""Of a token: sums of floats are never quite whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """How a 429 shrinks a budget, and how it grows back. The true limits are not published."""

    cut: float = 0.8
    """What a 429 leaves of the budget that was in force."""
    least: float = 0.25
    """Of the full budget; less would be slower than obeying ``retry_after`` alone."""
    recovery_s: float = 1800.0
    """From nothing to the full budget: slowly, or every minute would end in another 429."""


class Budget:
    """May be closed for a while (429), which also shrinks it for longer."""

    __slots__ = ("_factor", "_learning", "_learnt_at", "closed_until", "lost_s", "too_many")

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._factor = 1.0
        self._learnt_at = 0.0
        self.closed_until = 0.0
        self.too_many = 0
        """How often Telegram asked to wait."""
        self.lost_s = 0.0
        """How long it was closed for that, spans that overlap counted once."""

    def used(self, now: float) -> tuple[int, int]:
        """Calls that count now, and how many there may be; 0 without a limit."""
        del now
        return 0, 0

    def factor(self, now: float) -> float:
        """The part of the full budget that is in force."""
        return min(1.0, self._factor + (now - self._learnt_at) / self._learning.recovery_s)

    def close(self, now: float, seconds: float, *, teach: bool = True) -> None:
        """Nothing goes out for so long. Calls that were under way together teach once."""
        if teach and self.closed_until <= now:
            learning = self._learning
            self._factor = max(learning.least, self.factor(now) * learning.cut)
            self._learnt_at = now
        self.too_many += 1
        self.lost_s += max(0.0, now + seconds - max(now, self.closed_until))
        self.closed_until = max(self.closed_until, now + seconds)

    def wait(self, now: float, cost: int = 1, keep: int = 0, share: float = 1.0) -> float:
        """Seconds until ``cost`` may go out with ``keep`` left for others; 0 when it may.

        ``share`` is the part of the budget that is ours. No limit: only what is closed waits.
        """
        del cost, keep, share
        return max(0.0, self.closed_until - now)

    def left(self, now: float) -> float:
        """How many calls may still go out now; 0 where none are counted."""
        del now
        return 0.0

    def take(self, now: float, cost: int = 1) -> None:
        """So much goes out."""

    def is_idle(self, now: float) -> bool:
        """Whether it says nothing that a new one would not."""
        return self.closed_until <= now and self.factor(now) >= 1.0


class Bucket(Budget):
    """Tokens that come back with time, up to a burst."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate_per_s: float, burst: float, now: float, learning: Learning) -> None:
        super().__init__(learning)
        self._rate = rate_per_s
        self._burst = max(1.0, burst)
        self._tokens = self._burst
        self._at = now

    def wait(self, now: float, cost: int = 1, keep: int = 0, share: float = 1.0) -> float:
        part = self.factor(now) * share
        rate, burst = self._rate * part, max(1.0, self._burst * part)
        self._tokens = min(burst, self._tokens + max(0.0, now - self._at) * rate)
        self._at = now
        missing = min(float(cost + keep), burst) - self._tokens
        return max(super().wait(now), missing / rate if missing > _DUST else 0.0)

    def take(self, now: float, cost: int = 1) -> None:
        """May go below zero: what costs more than the burst is paid for afterwards."""
        self.wait(now)
        self._tokens -= cost

    def used(self, now: float) -> tuple[int, int]:
        self.wait(now)
        return max(0, round(self._burst - self._tokens)), round(self._burst)

    def is_idle(self, now: float) -> bool:
        self.wait(now)
        return super().is_idle(now) and self._tokens >= self._burst


class Window(Budget):
    """So many in any span of time. ``span_s`` may change; calls that are out count on."""

    __slots__ = ("_most", "_taken", "span_s")

    def __init__(self, most: int, span_s: float, learning: Learning) -> None:
        super().__init__(learning)
        self._most = most
        self.span_s = span_s
        self._taken: deque[float] = deque()

    def wait(self, now: float, cost: int = 1, keep: int = 0, share: float = 1.0) -> float:
        self._forget(now)
        most = max(1, int(self._most * self.factor(now) * share + _DUST))
        over = len(self._taken) + min(cost + keep, most) - most
        closed = super().wait(now)
        if over <= 0:
            return closed
        return max(closed, self._taken[over - 1] + self.span_s - now)

    def left(self, now: float) -> float:
        self._forget(now)
        most = 0.0 if self.closed_until > now else self._most * self.factor(now)
        return most - len(self._taken)

    def take(self, now: float, cost: int = 1) -> None:
        self._forget(now)
        self._taken.extend([now] * cost)

    def used(self, now: float) -> tuple[int, int]:
        self._forget(now)
        return len(self._taken), self._most

    def is_idle(self, now: float) -> bool:
        self._forget(now)
        return super().is_idle(now) and not self._taken

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0] + self.span_s <= now:
            self._taken.popleft()


class Ways:
    """The longest way of late: from a budget taken until the answer was there. Seconds.

    Telegram counted the call at some instant between the two.
    """

    __slots__ = ("_before", "_kept_s", "_longest", "_since")

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._since = -math.inf
        self._longest = self._before = 0.0

    def note(self, now: float, seconds: float) -> None:
        self._turn(now)
        self._longest = max(self._longest, seconds)

    def longest(self, now: float) -> float:
        """Of the last ``kept_s``, or of up to twice that."""
        self._turn(now)
        return max(self._longest, self._before)

    def _turn(self, now: float) -> None:
        age_s = now - self._since
        if age_s >= self._kept_s:
            self._before = self._longest if age_s < 2 * self._kept_s else 0.0
            self._longest, self._since = 0.0, now
