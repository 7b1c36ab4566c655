"""What operators change by hand, as :mod:`storage.operations` does it, over one world."""

from dataclasses import replace

from actors.decision import Actor, Event
from actors.ids import Seq, TicketId
from lab.simulation.letters import Letter, post
from lab.simulation.rows import DeadRow, EventRow, TicketRow
from lab.simulation.world import Session, World

WHY = "an operator looks at it"

RETRIED = "dead_retried"


class MemoryOperations:
    """Every change is one transaction; what is not possible as things stand is left."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._world = session.world

    async def quarantine(self, ticket_id: TicketId) -> None:
        await self._session.run("quarantine", lambda: self._stop(ticket_id, WHY))

    async def release(self, ticket_id: TicketId) -> None:
        await self._session.run("release", lambda: self._stop(ticket_id, None))

    async def retry(self, dead_id: int) -> None:
        """Puts a dead letter behind everything in its ticket's inbox, once."""
        await self._session.run("retry", lambda: self._retry(dead_id))

    def _stop(self, ticket_id: TicketId, why: str | None) -> None:
        row = self._world.tickets[ticket_id]
        if (row.quarantined is None) == (why is None):
            return
        self._world.tickets.put(replace(row, quarantined=why, epoch=row.epoch + 1))
        self._log(row, "operator_released" if why is None else "operator_quarantined", {})

    def _retry(self, dead_id: int) -> None:
        dead = self._world.dead_letters.get(dead_id)
        if dead is None:
            return
        self._world.dead_letters.delete(dead_id)
        letter = Letter(key=f"retry:{dead_id}", ticket_id=dead.ticket_id, message=dead.message)
        post(self._world, [letter])
        self._log(self._world.tickets[dead.ticket_id], RETRIED, {"former": dead.key})

    def _log(self, row: TicketRow, action: str, payload: dict[str, str]) -> None:
        event = Event(actor=Actor.SYSTEM, action=action, payload=payload)
        self._world.events.add(
            EventRow(
                id=self._world.next_id("events"),
                ticket_id=row.id,
                seq=Seq(row.handled_seq),
                event=event,
            )
        )


def ever_dead(world: World, ticket_id: TicketId) -> set[str]:
    """Keys of the ticket's messages that were given up, also of those tried again since."""
    retried = {
        str(row.event.payload["former"])
        for row in world.events.group("ticket", ticket_id)
        if row.event.action == RETRIED
    }
    dead: list[DeadRow] = [row for row in world.dead_letters if row.ticket_id == ticket_id]
    return retried | {row.key for row in dead}
