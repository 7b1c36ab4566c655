"""No topic takes the whole of its group's budget: a flood slows down while others may still come.

The first calls are free; after them a topic goes on step by step, joining what waits, and leaves
half of the budget untouched. Kept by the node that owns the ticket, so it is whole on any number.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from actors.ids import ChatId


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareOptions:
    """Of a group's budget, for one topic."""

    free_part: float = 0.25
    """What a topic may take at once: a case opens with three calls and a few messages."""
    free_min: int = 3
    """At least so many: a topic that is made, its card, and what was said."""
    kept_part: float = 0.5
    """What is left for the others by a topic that has taken more than that."""
    step_part: float = 0.05
    """Of the window, between two calls of such a topic: its flood goes on joined, every 3 s."""
    title_kept_part: float = 0.25
    """What titles, closings and cards leave for messages: a bot that renames may mute itself."""
    topics_max: int = 10_000
    """Topics remembered, far more than a minute's budget can serve."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """``keep`` calls must be left for others, and none goes out before ``not_before``."""

    keep: int = 0
    not_before: float = 0.0
    is_flood: bool = False


FREE = Terms()


class Shares:
    """``window`` is a group's calls and in how many seconds; no calls mean no limit.

    What is named a lane here is what one bot sends to a topic: its budget is what is shared.
    """

    def __init__(
        self, options: ShareOptions, window: tuple[int, float], clock: Callable[[], float]
    ) -> None:
        self._options = options
        self._most, self._span_s = window
        self._clock = clock
        self._taken: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def decoration(self) -> Terms:
        """On what terms a title goes out."""
        return Terms(keep=int(self._most * self._options.title_kept_part))

    def terms(self, lane: Hashable, chat_id: ChatId | None) -> Terms:
        """On what terms the lane's next call may go out."""
        taken = self._taken.get(lane)
        if not self._most or chat_id is None or chat_id > 0 or taken is None:
            return FREE
        now, options = self._clock(), self._options
        while taken and taken[0] + self._span_s <= now:
            taken.popleft()
        if len(taken) < max(options.free_min, int(self._most * options.free_part)):
            return FREE
        return Terms(
            keep=max(1, int(self._most * options.kept_part)),
            not_before=taken[-1] + self._span_s * options.step_part,
            is_flood=True,
        )

    def took(self, lane: Hashable, chat_id: ChatId, cost: int) -> None:
        """A call of the lane goes out."""
        if not self._most or chat_id > 0 or not cost:
            return
        self._taken.setdefault(lane, deque()).extend([self._clock()] * cost)
        self._taken.move_to_end(lane)
        if len(self._taken) > self._options.topics_max:
            self._taken.popitem(last=False)
