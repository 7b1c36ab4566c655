"""What a node drives, as it sees it: the runtime, and delivery."""

from collections.abc import Collection, Sequence
from typing import Protocol

from actors.ids import TicketId


class Worker(Protocol):
    """The runtime, as its node sees it."""

    @property
    def busy(self) -> Collection[TicketId]: ...
    @property
    def progress(self) -> int: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    async def turns_ended(self) -> None: ...
    async def stop_turns(self) -> None: ...
    def forget(self, tickets: Sequence[TicketId]) -> None: ...
    def forget_all(self) -> None: ...
    def look(self, tickets: Sequence[TicketId]) -> None: ...
    def look_for_orphans(self) -> None: ...


class Sender(Protocol):
    """Delivery, as its node sees it."""

    @property
    def busy(self) -> Collection[TicketId]:
        """Tickets of which a call is under way."""

    def drain(self) -> None:
        """Begins no further call."""

    async def stop(self) -> None:
        """Cuts off the calls under way and waits for their end."""
