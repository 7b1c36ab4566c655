"""Tickets in Postgres: claimed, read, committed; timers fired."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import Decision
from actors.errors import Quarantined
from actors.ids import ChatId, Epoch, Seq, TicketId, UserId
from actors.messages import ClientWrote, Envelope, Message, Person, TimerFired
from actors.nodes import NodeIdentity
from actors.ports import CommitOutcome, CommitStatus, LoadedTicket, Turn, check_group
from actors.state import TicketState, Workflow
from storage import commit, lanes
from storage.codec import clean, decode_message, decode_state
from storage.main_groups import MainGroups, main_groups
from storage.nodes import LIVES, TAKABLE
from storage.postgres import single, transaction, unit

_CLAIM = text(
    f"""
    UPDATE tickets t SET owner = :owner, epoch = t.epoch + 1
    FROM users u
    WHERE t.id = :ticket AND u.tg_id = t.client_tg_id AND {TAKABLE}
    RETURNING t.id, t.epoch, t.version, t.handled_seq, t.snapshot, t.workflow, t.former_ticket_id,
              t.quarantined, u.tg_id, u.full_name, u.username, u.language_code
"""  # noqa: S608 — put together from constants
).columns(snapshot=JSONB)

_ORPHAN = f"(t.owner IS NULL OR NOT {LIVES.format(owner='t.owner')})"

_TAKE = """
    WITH orphans AS MATERIALIZED (
        SELECT t.id FROM tickets t WHERE {which} AND {orphan}
        ORDER BY t.id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE tickets t SET owner = :owner, epoch = t.epoch + 1
    FROM orphans WHERE t.id = orphans.id
    RETURNING t.id
"""

_TAKE_BUSY = text(
    _TAKE.format(
        orphan=_ORPHAN,
        which="""t.id IN (
            SELECT ticket_id FROM inbox WHERE handled_at IS NULL AND ticket_id IS NOT NULL
            UNION SELECT ticket_id FROM outbox WHERE state IN ('waiting', 'sending')
        )""",
    )
)
"""Tickets with mail or with something to send, closed ones too: somebody waits for them."""

_TAKE_OPEN = text(_TAKE.format(orphan=_ORPHAN, which="t.status <> 'CLOSED' AND t.id > :after"))
"""The other open ones, from a number on: 100,000 are taken in steps without starting over."""

_MAIL = text("""
    SELECT seq, key, received_at, message, trace FROM inbox
    WHERE ticket_id = :ticket AND seq > :after ORDER BY seq LIMIT :limit
""").columns(message=JSONB)

_VERSIONS = text("SELECT id, epoch, version FROM tickets WHERE id = ANY(:tickets)")

_WAITING = text(
    f"""
    SELECT w.ticket_id FROM (
        SELECT ticket_id, min(id) AS first FROM inbox
        WHERE handled_at IS NULL AND ticket_id IS NOT NULL GROUP BY ticket_id
    ) w JOIN tickets t ON t.id = w.ticket_id
    WHERE t.quarantined IS NULL AND {TAKABLE}
    ORDER BY w.first LIMIT :limit
"""  # noqa: S608 — put together from constants
)

_DUE = text(
    f"""
    SELECT d.id, d.ticket_id, d.name, d.arming
    FROM timers d JOIN tickets t ON t.id = d.ticket_id
    WHERE d.due_at <= now() AND {TAKABLE}
    ORDER BY d.due_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED
"""  # noqa: S608 — put together from constants
)

_QUARANTINE = text("""
    WITH stopped AS (
        UPDATE tickets SET quarantined = :why
        WHERE id = :ticket AND owner = :owner AND quarantined IS NULL
        RETURNING id, handled_seq
    )
    INSERT INTO events (ticket_id, seq, actor, action, payload)
    SELECT id, handled_seq, 'SYSTEM', 'quarantined', jsonb_build_object('why', CAST(:why AS text))
    FROM stopped
""")

_FIRED = text("UPDATE timers SET due_at = NULL WHERE id = ANY(:timers)")


class PostgresTicketStore:
    """Implements :class:`actors.ports.TicketStore` for the present run of one node."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: Callable[[], NodeIdentity],
        groups: ChatId | MainGroups,
    ) -> None:
        self._engine = engine
        self._single = single(engine)
        self._node = node
        self._groups = main_groups(engine, groups)
        self._revived_up_to = 0

    async def claim(self, ticket_id: TicketId) -> LoadedTicket | None:
        async def work() -> Any:
            async with transaction(self._single) as connection:
                values = {"ticket": ticket_id, "owner": self._node().owner}
                return (await connection.execute(_CLAIM, values)).one_or_none()

        row = await unit(work)
        if row is None:
            return None
        if row.quarantined is not None:
            raise Quarantined(row.quarantined)
        return _loaded(row)

    async def revive(self, limit: int) -> Sequence[TicketId]:
        async def work(statement: Any, **more: int) -> list[TicketId]:
            values = {"owner": self._node().owner, "limit": limit, **more}
            async with transaction(self._single) as connection:
                found = (await connection.execute(statement, values)).scalars()
                return sorted(TicketId(ticket) for ticket in found)

        taken = await unit(partial(work, _TAKE_BUSY))
        if not taken:
            taken = await unit(partial(work, _TAKE_OPEN, after=self._revived_up_to))
            self._revived_up_to = taken[-1] if taken else 0
        return taken

    async def quarantine(self, ticket_id: TicketId, why: str) -> None:
        async def work() -> None:
            values = {"ticket": ticket_id, "owner": self._node().owner, "why": clean(why)}
            async with transaction(self._single) as connection:
                await connection.execute(_QUARANTINE, values)

        await unit(work)

    async def mail(self, ticket_id: TicketId, after: Seq, limit: int) -> Sequence[Envelope]:
        async def work() -> Sequence[Any]:
            values = {"ticket": ticket_id, "after": after, "limit": limit}
            async with transaction(self._single) as connection:
                return (await connection.execute(_MAIL, values)).all()

        return [
            Envelope(
                ticket_id=ticket_id,
                seq=Seq(row.seq),
                key=row.key,
                received_at=row.received_at,
                message=decode_message(row.message),
                trace=row.trace,
            )
            for row in await unit(work)
        ]

    async def commit(self, turns: Sequence[Turn]) -> Sequence[CommitOutcome]:
        check_group(turns)
        outcomes: dict[TicketId, CommitOutcome] = {}
        together = [turn for turn in turns if not _reroutes(turn)]
        if together:
            outcomes |= await unit(lambda: self._commit_group(together))
        for turn in turns:
            if _reroutes(turn):
                outcomes[turn.ticket_id] = await unit(partial(self._commit_rerouting, turn))
        return [outcomes[turn.ticket_id] for turn in turns]

    async def versions(
        self, ticket_ids: Sequence[TicketId]
    ) -> Mapping[TicketId, tuple[Epoch, int]]:
        async def work() -> dict[TicketId, tuple[Epoch, int]]:
            async with transaction(self._single) as connection:
                rows = await connection.execute(_VERSIONS, {"tickets": list(ticket_ids)})
                return {TicketId(row.id): (Epoch(row.epoch), row.version) for row in rows}

        return await unit(work)

    async def waiting(self, limit: int) -> Sequence[TicketId]:
        async def work() -> list[TicketId]:
            async with transaction(self._single) as connection:
                values = {"owner": self._node().owner, "limit": limit}
                found = (await connection.execute(_WAITING, values)).scalars()
                return [TicketId(ticket) for ticket in found]

        return await unit(work)

    async def fire_timers(self, limit: int) -> Sequence[Envelope]:
        return await unit(lambda: self._fire_timers(limit))

    async def _fire_timers(self, limit: int) -> Sequence[Envelope]:
        async with transaction(self._engine) as connection:
            values = {"owner": self._node().owner, "limit": limit}
            due = (await connection.execute(_DUE, values)).all()
            if not due:
                return []
            letters = [
                lanes.Letter(
                    key=f"timer:{row.id}:{row.arming}",
                    ticket_id=TicketId(row.ticket_id),
                    message=TimerFired(name=row.name),
                )
                for row in due
            ]
            fresh = await lanes.post(connection, letters)
            await connection.execute(_FIRED, {"timers": [row.id for row in due]})
        return [envelope for envelope in fresh.values() if envelope is not None]

    async def _commit_group(self, turns: Sequence[Turn]) -> dict[TicketId, CommitOutcome]:
        async with transaction(self._single) as connection:
            written = await commit.write(connection, turns)
        return {turn.ticket_id: _outcome(turn, written) for turn in turns}

    async def _commit_rerouting(self, turn: Turn) -> CommitOutcome:
        """Moves a client's message on to the client's next ticket, in the commit that marks it.

        Under the client's lock, as intake: a later message either still goes through the old
        ticket, behind this one, or finds this one in the new ticket already.
        """
        [(envelope, decision)] = turn.steps
        async with transaction(self._engine) as connection:
            client = _author(envelope.message, decision)
            await lanes.lock_clients(connection, {client.id: client})
            later = await lanes.current_tickets(connection, [client.id], after=turn.ticket_id)
            current = later.get(client.id)
            if current is not None and (current.is_open or current.moves_on):
                target = current.ticket_id
            else:
                former = turn.ticket_id if current is None else current.latest_id
                main = await self._groups.choose(connection, 1)
                made = await lanes.create_tickets(connection, main, {client.id: former})
                target = made[client.id]
            moved = lanes.Letter(
                key=f"moved:{envelope.key}",
                ticket_id=target,
                message=envelope.message,
                trace=envelope.trace,
            )
            fresh = await lanes.post(connection, [moved])
            written = await commit.write(connection, [turn])
            if turn.ticket_id not in written:
                await connection.rollback()
                return CommitOutcome(status=CommitStatus.FENCED)
        return CommitOutcome(
            status=CommitStatus.COMMITTED,
            lanes=tuple(written[turn.ticket_id]),
            rerouted=tuple(envelope for envelope in fresh.values() if envelope is not None),
        )


def _reroutes(turn: Turn) -> bool:
    return any(decision.reroute for _, decision in turn.steps)


def _author(message: Message, decision: Decision) -> Person:
    return message.author if isinstance(message, ClientWrote) else decision.state.client


def _outcome(turn: Turn, written: Mapping[int, list[str]]) -> CommitOutcome:
    lanes_written = written.get(turn.ticket_id)
    if lanes_written is None:
        return CommitOutcome(status=CommitStatus.FENCED)
    return CommitOutcome(status=CommitStatus.COMMITTED, lanes=tuple(lanes_written))


def _loaded(row: Any) -> LoadedTicket:
    """The claimed row as a ticket; one that has handled nothing yet begins from its columns."""
    if row.snapshot is not None:
        state = decode_state(row.snapshot)
    else:
        former = row.former_ticket_id
        state = TicketState(
            ticket_id=TicketId(row.id),
            workflow=Workflow(row.workflow),
            former_ticket_id=None if former is None else TicketId(former),
            client=Person(
                id=UserId(row.tg_id),
                name=row.full_name,
                username=row.username,
                language=row.language_code,
            ),
        )
    return LoadedTicket(
        state=state,
        epoch=Epoch(row.epoch),
        version=row.version,
        handled_seq=Seq(row.handled_seq),
    )
