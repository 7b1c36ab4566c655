"""Many single requests, few transactions."""

import math
from collections.abc import Awaitable, Callable, Sequence

import anyio


class _Waiting[Item]:
    __slots__ = ("done", "error", "item")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = anyio.Event()
        self.error: Exception | None = None


class Grouped[Item]:
    """Gathers items while a call is under way and hands them over together with the next.

    No timer: when nothing is under way, an item goes at once. An error reaches everyone of the
    group. Run :meth:`run` as often as there may be calls at once.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Awaitable[None]], group_max: int) -> None:
        self._work = work
        self._group_max = group_max
        self._send, self._receive = anyio.create_memory_object_stream[_Waiting[Item]](math.inf)

    async def __call__(self, item: Item) -> None:
        """Returns when the item's group is done; raises what the group's call raised."""
        waiting = _Waiting(item)
        self._send.send_nowait(waiting)
        await waiting.done.wait()
        if waiting.error is not None:
            raise waiting.error

    async def run(self) -> None:
        """Works until cancelled; a group that was begun is told even then."""
        async with self._receive.clone() as receive:
            while True:
                group = [await receive.receive()]
                while len(group) < self._group_max:
                    try:
                        group.append(receive.receive_nowait())
                    except anyio.WouldBlock:
                        break
                await self._serve(group)

    async def _serve(self, group: list[_Waiting[Item]]) -> None:
        try:
            await self._work([waiting.item for waiting in group])
        except Exception as error:  # noqa: BLE001 — handed to those who asked
            for waiting in group:
                waiting.error = error
        finally:
            for waiting in group:
                waiting.done.set()

    def close(self) -> None:
        self._send.close()
        self._receive.close()
