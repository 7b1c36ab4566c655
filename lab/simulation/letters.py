"""Giving messages their place in tickets' inboxes, by the rules of ``storage.lanes``.

All of it works inside one transaction of the world, so nothing here locks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from actors.ids import Seq, TicketId, UserId
from actors.messages import Envelope, Message, Person
from lab.simulation.bugs import Bug
from lab.simulation.rows import InboxRow, LaneRow, TicketRow, UserRow
from lab.simulation.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message on its way into a ticket's inbox, or, without a ticket, to the desk."""

    key: str
    ticket_id: TicketId | None
    message: Message | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """Where a client's messages go now, and the client's latest ticket."""

    row: TicketRow
    latest_id: TicketId
    moves_on: bool

    @property
    def takes_all(self) -> bool:
        return self.row.is_open or self.moves_on


def note_client(world: World, client: Person) -> None:
    world.users.put(UserRow(person=client, last_seen=world.now))


def knows(world: World, key: str) -> bool:
    """Whether a message with that key is stored."""
    return world.inbox.find("key", key) is not None


def current_ticket(world: World, client: UserId, after: TicketId | None = None) -> Current | None:
    """A closed ticket in which messages of the client wait comes first, the oldest of them.

    They will all move on, so that none overtakes another. Then comes the client's latest ticket.
    """
    rows = [row for row in world.tickets.group("client", client) if row.id > (after or 0)]
    if not rows:
        return None
    latest = max(row.id for row in rows)
    for row in sorted(rows, key=lambda row: row.id):
        waits = any(letter.is_from_client for letter in world.inbox.group("waits_for", row.id))
        if waits and not row.is_open:
            return Current(row=row, latest_id=latest, moves_on=True)
    return Current(row=world.tickets[latest], latest_id=latest, moves_on=False)


def make_ticket(world: World, client: UserId, former: TicketId | None) -> TicketId:
    ticket_id = TicketId(world.next_id("tickets"))
    world.tickets.add(
        TicketRow(
            id=ticket_id,
            client_id=client,
            main_chat_id=world.configuration.main_chat_id,
            former_ticket_id=former,
            created_at=world.now,
        )
    )
    world.lanes.add(LaneRow(ticket_id=ticket_id))
    return ticket_id


def post(world: World, letters: Sequence[Letter]) -> dict[str, Envelope | None]:
    """Puts letters into their inboxes in order, each key once; returns what was new, by key."""
    fresh: dict[str, Envelope | None] = {}
    for letter in letters:
        if Bug.NO_UNIQUE_KEY not in world.bugs and knows(world, letter.key):
            continue
        if letter.ticket_id is None:
            _insert(world, letter, None)
            fresh[letter.key] = None
            continue
        lane = world.lanes[letter.ticket_id]
        row = _insert(world, letter, lane.next_seq)
        world.lanes.put(replace(lane, next_seq=lane.next_seq + 1))
        fresh[letter.key] = envelope(world, row)
    return fresh


def envelope(world: World, row: InboxRow) -> Envelope | None:
    """The row as its ticket will read it; ``None`` for the desk."""
    if row.ticket_id is None or row.seq is None or row.message is None:
        return None
    return Envelope(
        ticket_id=row.ticket_id,
        seq=Seq(row.seq),
        key=row.key,
        received_at=world.time_of(row.received_at),
        message=row.message,
        owner=world.tickets[row.ticket_id].owner,
    )


def _insert(world: World, letter: Letter, seq: int | None) -> InboxRow:
    row = InboxRow(
        id=world.next_id("inbox"),
        key=letter.key,
        ticket_id=letter.ticket_id,
        seq=seq,
        message=letter.message,
        received_at=world.now,
    )
    return world.inbox.add(row)
