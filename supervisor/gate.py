"""Turns under way, and whether further ones may begin."""

from collections.abc import Awaitable, Callable, Collection

import anyio

from actors.ids import TicketId
from supervisor.actor import TicketActor


class Gate:
    """Open, it lets turns begin; closed, it holds the workers back. It knows who is inside."""

    def __init__(self) -> None:
        self._opened = anyio.Event()
        self._opened.set()
        self._inside: dict[TicketActor, anyio.CancelScope] = {}
        self._left = anyio.Event()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    @property
    def busy(self) -> Collection[TicketId]:
        """Tickets whose turn is under way."""
        return {actor.ticket_id for actor in self._inside}

    def __contains__(self, actor: TicketActor) -> bool:
        return actor in self._inside

    def close(self) -> None:
        if self.is_open:
            self._opened = anyio.Event()

    def open(self) -> None:
        self._opened.set()

    async def opened(self) -> None:
        """Returns once it is open, or was for a moment."""
        await self._opened.wait()

    async def through(
        self, actor: TicketActor, turn: Callable[[TicketActor], Awaitable[None]]
    ) -> bool:
        """Takes the turn; ``False`` when :meth:`stop` cut it off."""
        with anyio.CancelScope() as scope:
            self._inside[actor] = scope
            try:
                await turn(actor)
            finally:
                del self._inside[actor]
                self._left.set()
        return not scope.cancelled_caught

    async def empty(self) -> None:
        """Waits until nobody is inside. Sensible while closed."""
        while self._inside:
            self._left = anyio.Event()
            await self._left.wait()

    async def stop(self) -> None:
        """Cancels the turns under way and waits for their end."""
        for scope in self._inside.values():
            scope.cancel()
        await self.empty()
