"""Who is here: the node's actors by ticket, counted by status as they change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from actors.ids import TicketId
from supervisor.actor import ActorStatus, TicketActor
from supervisor.mailbox import Window
from supervisor.options import RuntimeOptions

_TROUBLE = frozenset({ActorStatus.BACKING_OFF, ActorStatus.QUARANTINED})


class Directory:
    """The actors of this node. Counting is kept up with each change, never by a scan.

    Of tickets that nobody needs now only the numbers are kept: a node may own a hundred thousand,
    and whatever looks at every actor, the garbage collector too, would stop the loop for them.
    """

    def __init__(self, options: RuntimeOptions) -> None:
        self._options = options
        self.window = Window(options.window_messages_max)
        self._actors: dict[TicketId, TicketActor] = {}
        self._asleep: set[TicketId] = set()
        self._counts: dict[ActorStatus, int] = dict.fromkeys(ActorStatus, 0)
        self._troubled: dict[TicketId, TicketActor] = {}

    def __len__(self) -> int:
        return len(self._actors) + len(self._asleep)

    def __contains__(self, ticket_id: TicketId) -> bool:
        return ticket_id in self._actors or ticket_id in self._asleep

    def __iter__(self) -> Iterator[TicketActor]:
        """Those that are awake."""
        return iter(self._actors.values())

    @property
    def counts(self) -> Mapping[ActorStatus, int]:
        """Of all, those asleep being idle."""
        idle = self._counts[ActorStatus.IDLE] + len(self._asleep)
        return self._counts | {ActorStatus.IDLE: idle}

    def find(self, ticket_id: TicketId) -> TicketActor | None:
        """The ticket's actor if it is awake."""
        return self._actors.get(ticket_id)

    def add_asleep(self, tickets: Iterable[TicketId]) -> None:
        """Tickets that came to this node and need nothing yet; those that are here stay."""
        self._asleep.update(ticket for ticket in tickets if ticket not in self._actors)

    def find_or_add(self, ticket_id: TicketId) -> TicketActor:
        """The ticket's actor, woken up or new."""
        actor = self._actors.get(ticket_id)
        if actor is None:
            self._asleep.discard(ticket_id)
            actor = self._actors[ticket_id] = TicketActor(ticket_id, self.window, self._options)
            self._counts[actor.status] += 1
        return actor

    def move(self, actor: TicketActor, status: ActorStatus) -> None:
        self._counts[actor.status] -= 1
        self._counts[status] += 1
        actor.status = status

    def trouble(self, actor: TicketActor) -> None:
        """Remembers an actor that failed, for those who look."""
        self._troubled[actor.ticket_id] = actor

    def troubled(self) -> Sequence[TicketActor]:
        """Actors that failed lately or stand still; those that are well again are forgotten."""
        for actor in list(self._troubled.values()):
            if actor.is_gone or not (actor.has_failed or actor.status in _TROUBLE):
                del self._troubled[actor.ticket_id]
        return list(self._troubled.values())

    def put_to_sleep(self, actor: TicketActor) -> None:
        """Keeps only the number of an idle actor without mail."""
        self.remove(actor)
        self._asleep.add(actor.ticket_id)

    def chill_idle(self, before: float) -> None:
        """Lets go of states that nobody has needed since then."""
        for actor in list(self._actors.values()):
            if actor.status is not ActorStatus.IDLE or actor.last_used >= before:
                continue
            if not actor.has_failed:
                self.put_to_sleep(actor)
            elif actor.loaded is not None:
                actor.chill()
                actor.mailbox.behind = False

    def forget_asleep(self, tickets: Iterable[TicketId] | None = None) -> None:
        """Forgets tickets that sleep, of these or of all; those awake stay."""
        if tickets is None:
            self._asleep.clear()
        else:
            self._asleep.difference_update(tickets)

    def remove(self, actor: TicketActor) -> None:
        """Forgets the actor; a later message makes a new one."""
        del self._actors[actor.ticket_id]
        actor.is_gone = True
        actor.mailbox.clear()
        self._counts[actor.status] -= 1
