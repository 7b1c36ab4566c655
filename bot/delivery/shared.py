"""Telegram's limits as all nodes keep them together, in Redis; alone while it is away."""

from collections.abc import Sequence
from math import inf
from typing import Protocol

from actors.ids import ChatId
from bot.delivery.pace import BudgetSight, Hold, Pace
from storage.pacing import Answer, Ask

BOT = "bot"


class Buckets(Protocol):
    async def take(self, asks: Sequence[Ask]) -> Answer | None: ...

    async def left(
        self, names: Sequence[str], *, most: int, span_s: float
    ) -> Sequence[float] | None: ...

    async def close(self, names: Sequence[str], seconds: float, *, teach: bool) -> None: ...


class SharedPace:
    """Implements :class:`bot.delivery.pace.Pacing` for all nodes of a bot.

    The node's own budgets count along, so that they hold as soon as Redis does not answer: then
    each node keeps to its share. A 429 is obeyed at once here, and through Redis everywhere.
    """

    def __init__(self, own: Pace, buckets: Buckets) -> None:
        self._own = own
        self._buckets = buckets

    @property
    def pauses(self) -> int:
        return self._own.pauses

    @property
    def paused_s(self) -> float:
        return self._own.paused_s

    @property
    def window(self) -> tuple[int, float]:
        return self._own.window

    def budgets(self) -> Sequence[BudgetSight]:
        return self._own.budgets()

    def paused_chats(self) -> int:
        return self._own.paused_chats()

    def left(self, chat_id: ChatId) -> float:
        return self._own.left(chat_id)

    async def rooms(self, chats: Sequence[ChatId]) -> Sequence[float]:
        """How many calls each group's budget still allows, as all nodes know it."""
        most, span_s = self.window
        if not most:
            return [inf] * len(chats)
        names = [_name(chat_id) for chat_id in chats]
        left = await self._buckets.left(names, most=most, span_s=span_s)
        return [self._own.left(chat_id) for chat_id in chats] if left is None else left

    async def ask(self, chat_id: ChatId, cost: int = 1, keep: int = 0) -> Hold | None:
        if self._own.options.is_unlimited:
            return self._own.hold(chat_id, cost, keep)
        closed = self._own.closed(chat_id)
        if closed is not None:
            return closed  # Redis may have been away when Telegram asked for the pause
        answer = await self._buckets.take(self._asks(chat_id, cost, keep))
        if answer is None:
            return self._own.hold(chat_id, cost, keep)
        if answer.wait_s > 0:
            return Hold(seconds=answer.wait_s, of_bot=answer.name == BOT)
        self._own.take(chat_id, cost)
        return None

    async def pause(self, chat_id: ChatId | None, seconds: float) -> None:
        of_bot = self._own.close(chat_id, seconds)
        if chat_id is not None:
            teach = self._own.options.teaches(chat_id, seconds)
            await self._buckets.close([_name(chat_id)], seconds, teach=teach)
        if of_bot:
            await self._buckets.close([BOT], seconds, teach=True)

    def answered(self, seconds: float) -> None:
        self._own.answered(seconds)

    def _asks(self, chat_id: ChatId, cost: int, keep: int) -> list[Ask]:
        options = self._own.options
        per_s = options.bot_per_s
        bot = Ask(name=BOT, kind="none")
        if per_s > 0:
            bot = Ask(
                name=BOT,
                kind="bucket",
                most=options.bot_burst,
                span_s=1 / per_s,
                cost=max(1, cost),
            )
        name = _name(chat_id)
        chat = Ask(name=name, kind="none")
        if chat_id > 0 and options.private_per_s > 0:
            each_s, burst = 1 / options.private_per_s, options.private_burst
            chat = Ask(name=name, kind="bucket", most=burst, span_s=each_s, cost=cost, keep=keep)
        elif chat_id < 0 and options.group_per_min > 0:
            most, span_s = self.window
            chat = Ask(name=name, kind="window", most=most, span_s=span_s, cost=cost, keep=keep)
        return [bot, chat]


def _name(chat_id: ChatId) -> str:
    return f"chat:{chat_id}"
