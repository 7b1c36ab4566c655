"""Telegram's sending limits: off until asked for, because most tests want none.

Per bot and group 20 in any minute (edits, renames and new topics included), per private chat one a
second after a short burst, per bot 30 a second. The numbers are those of the official FAQ.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lab.telegram.errors import too_many_requests

COUNTED = frozenset(
    {
        "sendmessage",
        "copymessage",
        "copymessages",
        "forwardmessage",
        "forwardmessages",
        "sendphoto",
        "sendvideo",
        "sendanimation",
        "senddocument",
        "sendaudio",
        "sendvoice",
        "sendvideonote",
        "sendsticker",
        "sendlocation",
        "sendvenue",
        "sendcontact",
        "sendpoll",
        "senddice",
        "sendmediagroup",
        "editmessagetext",
        "editmessagecaption",
        "editmessagereplymarkup",
        "editmessagemedia",
        "createforumtopic",
        "editforumtopic",
        "closeforumtopic",
        "reopenforumtopic",
        "deleteforumtopic",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRules:
    """``scale`` multiplies every budget (10.0: ten times as much); off when not ``enabled``."""

    enabled: bool = False
    scale: float = 1.0
    group_max: int = 20
    group_window_s: float = 60.0
    private_per_s: float = 1.0
    private_burst: int = 5
    bot_per_s: float = 30.0
    bot_burst: int = 30
    webhook_pause_s: float = 1.0
    """``setWebhook`` again sooner than this is refused."""


class _Bucket:
    """Refills steadily up to a burst."""

    __slots__ = ("_at", "_level")

    def __init__(self, level: float, now: float) -> None:
        self._level = level
        self._at = now

    def wait_s(self, now: float, rate: float, burst: float, cost: int) -> float:
        self._level = min(self._level + (now - self._at) * rate, burst)
        self._at = now
        return max(0.0, (min(cost, burst) - self._level) / rate)

    def take(self, cost: int) -> None:
        self._level -= cost


class Limits:
    """What each bot has sent where; refused calls cost nothing."""

    def __init__(
        self, rules: LimitRules | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rules = rules or LimitRules()
        self.refused = 0
        self._clock = clock
        self._bots: dict[int, _Bucket] = {}
        self._private: dict[tuple[int, int], _Bucket] = {}
        self._groups: dict[tuple[int, int], deque[float]] = {}
        self._webhooks: dict[int, float] = {}

    def set_rules(self, rules: LimitRules) -> None:
        """Begins anew with other rules."""
        self.rules = rules
        self._bots.clear()
        self._private.clear()
        self._groups.clear()

    def check(self, method: str, bot_id: int, chat_id: object, cost: int) -> None:
        """Counts a call, ``method`` in lower case.

        Raises:
            ApiError: 429 with ``retry_after``.
        """
        if not self.rules.enabled:
            return
        now = self._clock()
        rules = self.rules
        if method == "setwebhook":
            self._refuse(self._webhooks.get(bot_id, 0.0) + rules.webhook_pause_s - now)
            self._webhooks[bot_id] = now
        if method not in COUNTED or not isinstance(chat_id, int):
            return
        bot_rate, bot_burst = rules.bot_per_s * rules.scale, rules.bot_burst * rules.scale
        bot = self._bots.setdefault(bot_id, _Bucket(bot_burst, now))
        wait_s = bot.wait_s(now, bot_rate, bot_burst, cost)
        if chat_id > 0:
            rate, burst = rules.private_per_s * rules.scale, rules.private_burst * rules.scale
            chat = self._private.setdefault((bot_id, chat_id), _Bucket(burst, now))
            wait_s = max(wait_s, chat.wait_s(now, rate, burst, cost))
            self._refuse(wait_s)
            chat.take(cost)
        else:
            window = self._groups.setdefault((bot_id, chat_id), deque())
            wait_s = max(wait_s, self._group_wait_s(window, now, cost))
            self._refuse(wait_s)
            window.extend([now] * cost)
        bot.take(cost)

    def _group_wait_s(self, window: deque[float], now: float, cost: int) -> float:
        span = self.rules.group_window_s
        while window and window[0] <= now - span:
            window.popleft()
        room = max(int(self.rules.group_max * self.rules.scale), 1)
        over = len(window) + min(cost, room) - room
        return window[over - 1] + span - now if over > 0 else 0.0

    def _refuse(self, wait_s: float) -> None:
        if wait_s > 0:
            self.refused += 1
            raise too_many_requests(max(1, math.ceil(wait_s)))
