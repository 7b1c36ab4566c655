"""Telegram's limits as one node keeps them: for the bot, each private chat and each group."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Protocol

from actors.ids import ChatId
from bot.delivery.buckets import Bucket, Budget, Learning, Ways, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """Calls per time; 0 means no limit. Start values of the Bot API's FAQ.

    A group's calls are shared by all its topics, edits, renames and new topics included.
    """

    bot_per_s: float = 30.0
    bot_burst_part: float = 0.8
    """Of a second's calls, that many at once: on their way they come closer together."""
    private_per_s: float = 1.0
    private_burst: int = 5
    """Calls to one private chat that may go out together after a pause."""
    group_per_min: float = 20.0
    """In any minute: a bucket that also refills would let twice as many out after a quiet one."""
    group_window_s: float = 61.0
    """That minute, and a second in which our calls may overtake each other on the way."""
    way_s: float = 1.0
    """That second: where calls have taken longer of late, the window is so much longer."""
    way_max_s: float = 6.0
    """Nothing counts as a longer way: a call without an answer says nothing of the others."""
    buckets_max: int = 20_000
    """Chats remembered; a forgotten one starts anew, and 429 corrects it."""
    learning: Learning = field(default_factory=Learning)
    group_lesson_s: float = 3.0
    """A group's own minute asks for a longer wait; a shorter one was the bot's, and teaches no
    group that its budget is smaller."""
    bot_alarm_chats: int = 4
    """A 429 does not say whose limit it was; from so many chats at once it was the bot's own."""
    bot_alarm_s: float = 3.0
    """How close together those are."""

    @property
    def is_unlimited(self) -> bool:
        """Whether there is nothing to count."""
        return self.bot_per_s <= 0 and self.private_per_s <= 0 and self.group_per_min <= 0

    @property
    def bot_burst(self) -> int:
        return max(1, round(self.bot_per_s * self.bot_burst_part))

    def teaches(self, chat_id: ChatId | None, seconds: float) -> bool:
        """Whether a 429 says anything about this budget, beyond that one must wait."""
        return chat_id is None or chat_id > 0 or seconds >= self.group_lesson_s

    def window(self, way_s: float = 0.0) -> tuple[int, float]:
        """A group's calls, and in how many seconds; the calls are 0 without a limit.

        ``way_s``: the longest that a call was on its way of late.
        """
        span_s = self.group_window_s + max(0.0, min(way_s, self.way_max_s) - self.way_s)
        if 0 < self.group_per_min < 1:
            return 1, span_s / self.group_per_min
        return int(self.group_per_min), span_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A call may not go out yet. ``of_bot``: nor may any other of the bot."""

    seconds: float
    of_bot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSight:
    """What one budget looks like now. ``chat_id`` 0 is the bot's own; a limit of 0 is none."""

    chat_id: int
    used: int
    limit: int
    window_s: float
    closed_for_s: float
    lost_s: float
    too_many: int


def added(bots: Sequence[Sequence[BudgetSight]]) -> Sequence[BudgetSight]:
    """The budgets of several bots as one each chat; closed is what is closed for all of them."""
    chats: dict[int, BudgetSight] = {}
    for sight in chain.from_iterable(bots):
        other = chats.get(sight.chat_id)
        chats[sight.chat_id] = sight if other is None else _sum(other, sight)
    return list(chats.values())


def _sum(one: BudgetSight, other: BudgetSight) -> BudgetSight:
    return replace(
        one,
        used=one.used + other.used,
        limit=one.limit + other.limit,
        closed_for_s=min(one.closed_for_s, other.closed_for_s),
        lost_s=one.lost_s + other.lost_s,
        too_many=one.too_many + other.too_many,
    )


class Pacing(Protocol):
    """Says when a chat may be called, and takes what the call costs."""

    @property
    def pauses(self) -> int:
        """How often Telegram asked for a pause (429)."""

    @property
    def paused_s(self) -> float:
        """For how long, in all."""

    @property
    def window(self) -> tuple[int, float]:
        """A group's calls, and in how many seconds; the calls are 0 without a limit."""

    def paused_chats(self) -> int: ...

    def left(self, chat_id: ChatId) -> float:
        """Calls that a group's budget still allows now, as far as this node knows; 0 unlimited."""

    def budgets(self) -> Sequence[BudgetSight]:
        """The bot's own first, then those of the groups; this node's calls alone count."""

    async def ask(self, chat_id: ChatId, cost: int = 1, keep: int = 0) -> Hold | None:
        """Takes ``cost`` of the bot's and the chat's budgets, both or none; ``None``: taken.

        ``keep`` must be left in the chat's budget for others. ``cost`` 0 is one call of the bot
        that the chat does not count (a reaction).
        """

    async def pause(self, chat_id: ChatId | None, seconds: float) -> None:
        """Telegram said 429: nothing goes to this chat (or at all) for so many seconds."""

    def answered(self, seconds: float) -> None:
        """A call was answered so long after its budgets were taken."""


class Pace:
    """The budgets of this node alone. The clock is in seconds, of any origin.

    ``share`` is the part of all budgets that is this node's: asked for at each call.
    """

    def __init__(
        self,
        options: PaceOptions,
        clock: Callable[[], float],
        share: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.options = options
        self._clock = clock
        self._share = share
        self._bot = self._bot_budget(clock())
        self._chats: dict[ChatId, Budget] = {}
        self._groups: dict[ChatId, Budget] = {}
        """Those of the chats that are groups: few, looked at by people, and never forgotten."""
        self._alarms: deque[tuple[float, ChatId]] = deque()
        self._ways = Ways(options.group_window_s)
        self.pauses = 0
        self.paused_s = 0.0

    @property
    def window(self) -> tuple[int, float]:
        return self.options.window(self._ways.longest(self._clock()))

    def answered(self, seconds: float) -> None:
        self._ways.note(self._clock(), seconds)

    async def ask(self, chat_id: ChatId, cost: int = 1, keep: int = 0) -> Hold | None:
        """As :class:`Pacing` has it; never waits."""
        return self.hold(chat_id, cost, keep)

    async def pause(self, chat_id: ChatId | None, seconds: float) -> None:
        self.close(chat_id, seconds)

    def hold(self, chat_id: ChatId, cost: int = 1, keep: int = 0) -> Hold | None:
        """Takes, or says what to wait for."""
        now, share = self._clock(), self._share()
        chat = self._chat(chat_id, now)
        of_bot = self._bot.wait(now, max(1, cost), 0, share)
        of_chat = chat.wait(now, cost, keep, share)
        if max(of_bot, of_chat) <= 0:
            self.take(chat_id, cost)
            return None
        return Hold(seconds=max(of_bot, of_chat), of_bot=of_bot >= of_chat)

    def closed(self, chat_id: ChatId) -> Hold | None:
        """What Telegram asked to wait for, whatever the budgets say."""
        now = self._clock()
        of_bot, of_chat = self._bot.closed_until - now, self._chat(chat_id, now).closed_until - now
        if max(of_bot, of_chat) <= 0:
            return None
        return Hold(seconds=max(of_bot, of_chat), of_bot=of_bot >= of_chat)

    def reserve(self, chat_id: ChatId, cost: int = 1, keep: int = 0) -> float:
        """As :meth:`hold`; seconds to wait, 0 when taken."""
        hold = self.hold(chat_id, cost, keep)
        return 0.0 if hold is None else hold.seconds

    def take(self, chat_id: ChatId, cost: int = 1) -> None:
        """A call goes out, whoever allowed it."""
        now = self._clock()
        self._bot.take(now, max(1, cost))
        self._chat(chat_id, now).take(now, cost)

    def close(self, chat_id: ChatId | None, seconds: float) -> bool:
        """Obeys a 429; says whether it is the bot that is closed."""
        now = self._clock()
        self.pauses += 1
        self.paused_s += seconds
        if chat_id is not None:
            teach = self.options.teaches(chat_id, seconds)
            self._chat(chat_id, now).close(now, seconds, teach=teach)
        of_bot = chat_id is None or self._is_alarming(chat_id, now)
        if of_bot:
            self._bot.close(now, seconds)
        return of_bot

    def left(self, chat_id: ChatId) -> float:
        now = self._clock()
        return self._chat(chat_id, now).left(now)

    def paused_chats(self) -> int:
        now = self._clock()
        return sum(budget.closed_until > now for budget in self._chats.values())

    def budgets(self) -> Sequence[BudgetSight]:
        groups = sorted(self._groups.items())
        bot = self._sight(0, self._bot, 1.0)
        return [bot, *(self._sight(chat, each, self.window[1]) for chat, each in groups)]

    def _sight(self, chat_id: int, budget: Budget, window_s: float) -> BudgetSight:
        now = self._clock()
        used, limit = budget.used(now)
        return BudgetSight(
            chat_id=chat_id,
            used=used,
            limit=limit,
            window_s=window_s,
            closed_for_s=max(0.0, budget.closed_until - now),
            lost_s=budget.lost_s,
            too_many=budget.too_many,
        )

    def _is_alarming(self, chat_id: ChatId, now: float) -> bool:
        self._alarms.append((now, chat_id))
        while self._alarms[0][0] < now - self.options.bot_alarm_s:
            self._alarms.popleft()
        return len({chat for _, chat in self._alarms}) >= self.options.bot_alarm_chats

    def _bot_budget(self, now: float) -> Budget:
        options = self.options
        if options.bot_per_s <= 0:
            return Budget(options.learning)
        return Bucket(options.bot_per_s, options.bot_burst, now, options.learning)

    def _chat(self, chat_id: ChatId, now: float) -> Budget:
        budget = self._chats.get(chat_id)
        if budget is None:
            if len(self._chats) >= self.options.buckets_max:
                self._forget(now)
            budget = self._groups.get(chat_id) or self._new(chat_id, now)
            self._chats[chat_id] = budget
            if chat_id < 0:
                self._groups[chat_id] = budget
        if isinstance(budget, Window):
            _, budget.span_s = self.window
        return budget

    def _new(self, chat_id: ChatId, now: float) -> Budget:
        options = self.options
        if chat_id > 0:
            if options.private_per_s <= 0:
                return Budget(options.learning)
            return Bucket(options.private_per_s, options.private_burst, now, options.learning)
        most, span_s = options.window()
        return Window(most, span_s, options.learning) if most else Budget(options.learning)

    def _forget(self, now: float) -> None:
        """Drops the budgets that say nothing any more: whole and open."""
        for chat_id, budget in list(self._chats.items()):
            if budget.is_idle(now):
                del self._chats[chat_id]
