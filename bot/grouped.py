"""Many single requests, few transactions."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import anyio

from actors.errors import Transient
from supervisor.waits import set_within

PATIENCE_S = 0.02
"""So long a call under way is waited for: longer than a healthy one takes."""


class _Waiting[Item]:
    __slots__ = ("done", "error", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = anyio.Event()
        self.error: Exception | None = None


class Grouped[Item]:
    """Gathers items while a call is under way and hands them over together with the next.

    When nothing is under way, an item goes at once. A further call begins only when enough wait to
    fill it, or the one under way takes longer than ``patience_s``: large groups cost less, and what
    hangs holds up nobody else. An outage reaches everyone of the group; after any other error each
    item is tried alone, so that only the one at fault has it. Run :meth:`run` as often as there may
    be calls at once.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[None]],
        group_max: int,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._work = work
        self._group_max = group_max
        self._patience_s = patience_s
        self._calls = 0
        self._due = anyio.Event()
        """Set when a call has ended, and when enough wait for another."""
        self._pending: deque[_Waiting[Item]] = deque()
        self._filled = anyio.Event()
        self._is_closed = False

    async def __call__(self, item: Item) -> None:
        """Returns when the item is done, and only then; raises what its call raised.

        Raises:
            Transient: Also when the work was cut short: nothing is known of it.
        """
        if self._is_closed:
            raise anyio.ClosedResourceError
        waiting = _Waiting(item)
        self._pending.append(waiting)
        self._filled.set()
        if len(self._pending) >= self._group_max:
            self._due.set()
        await waiting.done.wait()
        if waiting.error is not None:
            raise waiting.error

    async def run(self) -> None:
        """Works until cancelled; a group that was begun is told even then."""
        while True:
            await self._filled.wait()
            if self._calls and len(self._pending) < self._group_max:
                await set_within(self._due, self._patience_s)
            group = self._take()
            if not group:
                continue  # another call has them
            self._calls += 1
            self._due = anyio.Event()
            try:
                await self._serve(group)
            finally:
                self._calls -= 1
                self._due.set()

    def _take(self) -> list[_Waiting[Item]]:
        pending = self._pending
        group = [pending.popleft() for _ in range(min(len(pending), self._group_max))]
        if group and not pending:  # else others wait on the one that is there
            self._filled = anyio.Event()
        return group

    async def _serve(self, group: list[_Waiting[Item]]) -> None:
        """Does a group's work; whatever happens, nobody is left waiting or told of a success."""
        told: Exception | None = Transient("stopped before it was done")
        try:
            try:
                await self._work([waiting.item for waiting in group])
                told = None
            except Exception as error:  # noqa: BLE001 — handed to those who asked
                if len(group) > 1 and not isinstance(error, Transient):
                    for waiting in group:
                        await self._serve([waiting])
                    return
                told = error
        finally:
            for waiting in group:
                if not waiting.done.is_set():
                    waiting.error = told
                    waiting.done.set()

    def close(self) -> None:
        self._is_closed = True
