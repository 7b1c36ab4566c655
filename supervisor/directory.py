"""Who is here: the node's actors by ticket, counted by status as they change."""

from collections.abc import Iterator, Mapping

from actors.ids import TicketId
from supervisor.actor import ActorStatus, TicketActor
from supervisor.mailbox import Window
from supervisor.options import RuntimeOptions


class Directory:
    """The actors of this node. Counting is kept up with each change, never by a scan."""

    def __init__(self, options: RuntimeOptions) -> None:
        self._options = options
        self.window = Window(options.window_messages_max)
        self._actors: dict[TicketId, TicketActor] = {}
        self._counts: dict[ActorStatus, int] = dict.fromkeys(ActorStatus, 0)

    def __len__(self) -> int:
        return len(self._actors)

    def __iter__(self) -> Iterator[TicketActor]:
        return iter(self._actors.values())

    @property
    def counts(self) -> Mapping[ActorStatus, int]:
        return self._counts

    def find(self, ticket_id: TicketId) -> TicketActor | None:
        return self._actors.get(ticket_id)

    def find_or_add(self, ticket_id: TicketId) -> TicketActor:
        actor = self._actors.get(ticket_id)
        if actor is None:
            actor = self._actors[ticket_id] = TicketActor(ticket_id, self.window, self._options)
            self._counts[actor.status] += 1
        return actor

    def move(self, actor: TicketActor, status: ActorStatus) -> None:
        self._counts[actor.status] -= 1
        self._counts[status] += 1
        actor.status = status

    def remove(self, actor: TicketActor) -> None:
        """Forgets the actor; a later message makes a new one."""
        del self._actors[actor.ticket_id]
        actor.is_gone = True
        actor.mailbox.clear()
        self._counts[actor.status] -= 1
