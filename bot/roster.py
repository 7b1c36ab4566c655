"""Who the technicians are, as the edge needs to know it."""

from typing import Protocol

from actors.messages import Technician


class Roster(Protocol):
    """The active technicians. Answers from memory or cache; may be some minutes old."""

    async def active(self) -> tuple[Technician, ...]: ...
