"""What operators change by hand, correct beside running nodes: each change is one transaction.

Whatever takes a ticket from the run that works on it raises the epoch, as every change of owner
does: a turn that runs at that moment is fenced and leaves no trace. Each change is written to the
ticket's log with who did it.

Lock order as everywhere: users → ticket_lanes → tickets. A dead letter's row comes before them; no
one else locks one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.decision import Actor
from actors.errors import TopicdeskError
from actors.ids import TicketId
from actors.messages import Message, Unreadable
from actors.nodes import NodeStatus
from storage import lanes
from storage.codec import clean, decode_message, dumps
from storage.postgres import transaction, unit

LEASE_S: Final = 15.0
"""A node that has not been heard of for this long is not given tickets, although nobody has
declared it dead yet: there may be nobody left who could."""

_TICKET = text("""
    SELECT t.id, t.owner, t.epoch, t.quarantined, n.owner AS living
    FROM tickets t LEFT JOIN nodes n ON n.owner = t.owner AND n.status <> 'dead'
    WHERE t.id = :ticket FOR NO KEY UPDATE OF t
""")

_NODES = text("""
    SELECT name, owner, status,
        CAST(extract(epoch FROM now() - beat_at) AS double precision) AS beat_age_s
    FROM nodes ORDER BY beat_at DESC, name
""")

_LOADS = text(
    "SELECT owner, count(*) AS tickets FROM tickets WHERE owner = ANY(:owners) GROUP BY 1"
)

_CHANGE = text("""
    UPDATE tickets SET owner = :owner, quarantined = :quarantined, epoch = epoch + 1
    WHERE id = :ticket
""")

_AUDIT = text("""
    INSERT INTO events (ticket_id, seq, actor, action, payload)
    SELECT id, handled_seq, :actor, :action, CAST(:payload AS jsonb)
    FROM tickets WHERE id = :ticket
""")

_RECORD = text("""
    INSERT INTO audit (by, action, ticket_id, payload)
    VALUES (:by, :action, :ticket, CAST(:payload AS jsonb))
""")

_ASK_TO_DRAIN = text("UPDATE nodes SET drain_asked_by = :by WHERE owner = :owner")

_TAKE_DEAD = text("""
    DELETE FROM dead_letters WHERE id = :dead RETURNING id, ticket_id, seq, key, message
""").columns(message=JSONB)

_LOCK_CLIENT = text("""
    SELECT u.tg_id FROM users u JOIN tickets t ON t.client_tg_id = u.tg_id
    WHERE t.id = :ticket FOR NO KEY UPDATE OF u
""")

_ORIGINAL = text("SELECT message, raw FROM inbox WHERE key = :key").columns(
    message=JSONB, raw=JSONB
)


class OperationError(TopicdeskError):
    """It cannot be done as things stand, and nothing was; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was done, and who should hear of it.

    ``action`` is the log's; ``tell`` the run to send a hint to, ``None`` when no living run owns
    the ticket; ``quarantined`` says why the ticket is stopped now. Without a ticket it was the
    desk's.
    """

    action: str
    ticket_id: TicketId | None
    tell: str | None
    quarantined: str | None
    payload: Mapping[str, Any]


class Operations:
    """Every method raises ``OperationError``, and ``Transient`` while Postgres is away.

    After ``Transient`` it may or may not have been done; asking again is harmless.
    """

    def __init__(self, engine: AsyncEngine, *, by: str, lease_s: float = LEASE_S) -> None:
        self._engine = engine
        self._by = clean(by)
        self._lease_s = lease_s

    async def poke(self, ticket_id: TicketId) -> Change:
        """Names the run that should look at the ticket: its owner, else the liveliest node."""

        async def work(connection: AsyncConnection) -> Change:
            ticket = await _locked(connection, ticket_id)
            if ticket.quarantined is not None:
                raise OperationError(
                    f"ticket {ticket_id} is in quarantine and takes no hint; release it"
                )
            tell = ticket.living or await self._liveliest(connection)
            return await self._log(connection, "operator_poked", ticket, tell, {"owner": tell})

        return await self._do(work)

    async def move(self, ticket_id: TicketId, node: str | None) -> Change:
        """Gives the ticket to the newest run of that node, which must be up.

        Without a node: to one that has not got it, whichever owns the fewest tickets. The run that
        has it already keeps it undisturbed: then ``action`` is empty.
        """

        async def work(connection: AsyncConnection) -> Change:
            ticket = await _locked(connection, ticket_id)
            if node is None:
                owner = await self._idlest(connection, ticket)
            else:
                owner = await self._up(connection, node)
            if ticket.owner == owner:
                return Change(
                    action="",
                    ticket_id=ticket_id,
                    tell=owner,
                    quarantined=ticket.quarantined,
                    payload={"owner": owner},
                )
            await _change(connection, ticket, owner=owner)
            what = {"owner": owner, "former": ticket.owner}
            return await self._log(connection, "operator_moved", ticket, owner, what)

        return await self._do(work)

    async def quarantine(self, ticket_id: TicketId, why: str) -> Change:
        """Stops the ticket. Its mail waits; what it has decided already is still sent."""

        async def work(connection: AsyncConnection) -> Change:
            ticket = await _locked(connection, ticket_id)
            if ticket.quarantined is not None:
                raise OperationError(f"ticket {ticket_id} is in quarantine already")
            reason = clean(why)
            await _change(connection, ticket, quarantined=reason)
            action = "operator_quarantined"
            change = await self._log(connection, action, ticket, ticket.living, {"why": reason})
            return _with(change, reason)

        return await self._do(work)

    async def release(self, ticket_id: TicketId) -> Change:
        """Lets the ticket go on with its mail."""

        async def work(connection: AsyncConnection) -> Change:
            ticket = await _locked(connection, ticket_id)
            if ticket.quarantined is None:
                raise OperationError(f"ticket {ticket_id} is not in quarantine")
            await _change(connection, ticket, quarantined=None)
            what = {"why": ticket.quarantined}
            change = await self._log(connection, "operator_released", ticket, ticket.living, what)
            return _with(change, None)

        return await self._do(work)

    async def retry(self, dead_id: int) -> Change:
        """Puts the message again into the inbox it came from, behind all that is there, once."""

        async def work(connection: AsyncConnection) -> Change:
            dead = await _taken(connection, dead_id)
            letter = await _letter(connection, dead)
            await lanes.post(connection, [letter])
            what = _about(dead) | {"key": letter.key, "former": dead.key}
            return await self._log_dead(connection, "dead_retried", dead, what)

        return await self._do(work)

    async def drop(self, dead_id: int, why: str) -> Change:
        """Removes the dead letter; what came in stays in the inbox, as handled."""

        async def work(connection: AsyncConnection) -> Change:
            dead = await _taken(connection, dead_id)
            what = _about(dead) | {"key": dead.key, "why": clean(why)}
            return await self._log_dead(connection, "dead_dropped", dead, what)

        return await self._do(work)

    async def drain(self, node: str) -> Change:
        """Asks the newest run of that node, which must be up, to give all away and to end."""

        async def work(connection: AsyncConnection) -> Change:
            owner = await self._up(connection, node)
            await connection.execute(_ASK_TO_DRAIN, {"owner": owner, "by": self._by})
            what = {"by": self._by, "owner": owner}
            await self._record(connection, "operator_drained", None, what)
            return Change(
                action="operator_drained",
                ticket_id=None,
                tell=owner,
                quarantined=None,
                payload=what,
            )

        return await self._do(work)

    async def _do(self, work: Callable[[AsyncConnection], Awaitable[Change]]) -> Change:
        async def whole() -> Change:
            async with transaction(self._engine) as connection:
                return await work(connection)

        return await unit(whole)

    async def _up(self, connection: AsyncConnection, name: str) -> str:
        nodes = (await connection.execute(_NODES)).all()
        up = {n.name: str(n.owner) for n in nodes if self._is_up(n)}
        if name in up:
            return up[name]
        known = next((node for node in nodes if node.name == name), None)
        why = "there is no such node" if known is None else _why_not(known)
        others = f"up are: {', '.join(sorted(up))}" if up else "no node is up"
        raise OperationError(f"node {clean(name)} is not up ({why}); {others}")

    async def _idlest(self, connection: AsyncConnection, ticket: Any) -> str:
        nodes = (await connection.execute(_NODES)).all()
        owners = [str(n.owner) for n in nodes if self._is_up(n) and n.owner != ticket.owner]
        if not owners:
            keeps = f"{ticket.living} keeps it" if ticket.living else "nobody owns it"
            raise OperationError(f"no other node is up to take ticket {ticket.id}; {keeps}")
        rows = (await connection.execute(_LOADS, {"owners": owners})).all()
        loads = {str(row.owner): int(row.tickets) for row in rows}
        return min(owners, key=lambda owner: (loads.get(owner, 0), owner))

    async def _liveliest(self, connection: AsyncConnection) -> str | None:
        nodes = (await connection.execute(_NODES)).all()
        return next((str(node.owner) for node in nodes if self._is_up(node)), None)

    def _is_up(self, node: Any) -> bool:
        return bool(node.status == NodeStatus.UP and node.beat_age_s < self._lease_s)

    async def _log(
        self,
        connection: AsyncConnection,
        action: str,
        ticket: Any,
        tell: str | None,
        what: Mapping[str, Any],
    ) -> Change:
        payload = {"by": self._by, **what}
        values = {"ticket": ticket.id, "actor": str(Actor.SYSTEM), "action": action}
        await connection.execute(_AUDIT, {**values, "payload": dumps(payload)})
        await self._record(connection, action, ticket.id, payload)
        return Change(
            action=action,
            ticket_id=TicketId(ticket.id),
            tell=tell,
            quarantined=ticket.quarantined,
            payload=payload,
        )

    async def _record(
        self,
        connection: AsyncConnection,
        action: str,
        ticket_id: int | None,
        payload: Mapping[str, Any],
    ) -> None:
        values = {"by": self._by, "action": action, "ticket": ticket_id}
        await connection.execute(_RECORD, {**values, "payload": dumps(payload)})

    async def _log_dead(
        self, connection: AsyncConnection, action: str, dead: Any, what: Mapping[str, Any]
    ) -> Change:
        """The desk has no log of its own: what happens to its letters stands in the audit's."""
        if dead.ticket_id is None:
            payload = {"by": self._by, **what}
            await self._record(connection, action, None, payload)
            return Change(
                action=action, ticket_id=None, tell=None, quarantined=None, payload=payload
            )
        ticket = await _locked(connection, TicketId(dead.ticket_id))
        return await self._log(connection, action, ticket, ticket.living, what)


async def _locked(connection: AsyncConnection, ticket_id: TicketId) -> Any:
    ticket = (await connection.execute(_TICKET, {"ticket": ticket_id})).one_or_none()
    if ticket is None:
        raise OperationError(f"there is no ticket {ticket_id}")
    return ticket


async def _change(connection: AsyncConnection, ticket: Any, **new: str | None) -> None:
    values = {"owner": ticket.owner, "quarantined": ticket.quarantined, **new}
    await connection.execute(_CHANGE, {"ticket": ticket.id, **values})


async def _taken(connection: AsyncConnection, dead_id: int) -> Any:
    """Removes the dead letter and returns it. A second taker waits for the first, finds none."""
    dead = (await connection.execute(_TAKE_DEAD, {"dead": dead_id})).one_or_none()
    if dead is not None:
        return dead
    if await lanes.known_keys(connection, [_retry_key(dead_id)]):
        raise OperationError(f"dead letter {dead_id} was put into the inbox again already")
    raise OperationError(f"there is no dead letter {dead_id}")


async def _letter(connection: AsyncConnection, dead: Any) -> lanes.Letter:
    """The message as it came in first: a newer program may read what the one before could not."""
    original = (await connection.execute(_ORIGINAL, {"key": dead.key})).one_or_none()
    key = _retry_key(dead.id)
    if dead.ticket_id is None:
        raw = dead.message if original is None else original.raw
        return lanes.Letter(key=key, ticket_id=None, message=None, raw=raw)
    # The client's row, as intake has it: a message waits in a ticket or it does not, while the
    # client's next one is given its ticket.
    await connection.execute(_LOCK_CLIENT, {"ticket": dead.ticket_id})
    return lanes.Letter(
        key=key,
        ticket_id=TicketId(dead.ticket_id),
        message=_readable(dead, dead.message if original is None else original.message),
        raw=None if original is None else original.raw,
    )


def _readable(dead: Any, stored: object) -> Message:
    message = decode_message(stored)
    if isinstance(message, Unreadable):
        raise OperationError(
            f"this program cannot read the message of dead letter {dead.id} "
            f"({message.detail}); it is kept"
        )
    return message


def _about(dead: Any) -> dict[str, Any]:
    return {"dead_id": dead.id, "dead_seq": dead.seq}


def _retry_key(dead_id: int) -> str:
    return f"retry:{dead_id}"


def _with(change: Change, quarantined: str | None) -> Change:
    return Change(
        action=change.action,
        ticket_id=change.ticket_id,
        tell=change.tell,
        quarantined=quarantined,
        payload=change.payload,
    )


def _why_not(node: Any) -> str:
    if node.status != NodeStatus.UP:
        return f"it is {node.status}"
    return f"last heard of {round(node.beat_age_s)} s ago"
