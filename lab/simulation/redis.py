"""Redis's other parts: leases and marks, gone whenever Redis is."""

from collections.abc import Callable, Mapping, Sequence

import anyio

from actors.nodes import NodeIdentity
from actors.ports import Made
from lab.simulation.network import LATENCY_S, Life, Weather

type Leased = Callable[[NodeIdentity, str | None], object]
"""Hears who took or extended a lease, and whose valid lease it was before, by incarnation."""


class MemoryLeases:
    """Implements :class:`actors.nodes.Leases`; all nodes share ``held``.

    ``held`` maps a node's name to its incarnation and to when its lease ends. An empty incarnation
    stands for something under the key that is no lease.
    """

    def __init__(
        self,
        held: dict[str, tuple[str, float]],
        is_away: Callable[[], bool] = lambda: False,
        *,
        is_quiet: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = anyio.current_time,
        leased: Leased = lambda _node, _before: None,
        life: Life | None = None,
        careless: bool = False,
    ) -> None:
        self._held = held
        self._is_away = is_away
        self._is_quiet = is_quiet
        self._clock = clock
        self._leased = leased
        self._life = life
        self._careless = careless

    async def extend(self, node: NodeIdentity, ttl_s: float) -> bool | None:
        await self._travel("extend lease")
        if self._is_away():
            return None
        held = self._valid(node.name)
        if held and held != node.incarnation and not self._careless:
            return False
        self._held[node.name] = (node.incarnation, self._clock() + ttl_s)
        self._leased(node, held)
        return True

    async def expired(self, names: Sequence[str]) -> Sequence[str] | None:
        await self._travel("expired lease")
        if self._is_away():
            return None
        return [name for name in names if self._valid(name) is None]

    async def drop(self, node: NodeIdentity) -> None:
        await self._travel("drop lease")
        if not self._is_away() and self._valid(node.name) == node.incarnation:
            del self._held[node.name]

    async def _travel(self, what: str) -> None:
        life = self._life
        if self._is_quiet():
            if life is not None and life.is_over:
                await anyio.sleep_forever()
            return
        await anyio.sleep(LATENCY_S)
        if life is not None:
            await life.passes(f"before {what}")

    def _valid(self, name: str) -> str | None:
        incarnation, until = self._held.get(name, ("", 0.0))
        return incarnation if until > self._clock() else None


class MemoryMarks:
    """Implements :class:`bot.delivery.engine.SentMarks`; all nodes share ``kept``."""

    def __init__(self, kept: dict[str, Made], weather: Weather, life: Life) -> None:
        self._kept = kept
        self._weather = weather
        self._life = life

    async def mark(self, sent: Mapping[str, Made]) -> None:
        await anyio.sleep(LATENCY_S)
        await self._life.passes("before mark")
        if not self._weather.redis_away:
            self._kept.update(sent)
        await self._life.passes("after mark")

    async def find(self, mark: str) -> Made | None:
        await anyio.sleep(LATENCY_S)
        await self._life.passes("before find mark")
        return None if self._weather.redis_away else self._kept.get(mark)


class NoPresses:
    """Implements :class:`bot.delivery.engine.PressRelease`: no button is ever locked here."""

    async def release(self, callback_id: str) -> None: ...
