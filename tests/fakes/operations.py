"""Runs of nodes and dead letters in the real tables, for tests of the operators' commands."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import Decision
from actors.effects import Effect
from actors.ids import Epoch, Seq, TicketId
from actors.messages import Envelope, Message
from actors.ports import DeadLetter, Turn
from actors.state import TicketState
from storage import commit
from storage.inbox import PostgresInbox
from tests.fakes.desk import MAIN_CHAT, from_client, person, rows

_NODE = """
    INSERT INTO nodes (name, incarnation, status, beat_at)
    VALUES (:name, :incarnation, :status, now() - make_interval(secs => :silent_s))
    ON CONFLICT (name) DO UPDATE SET incarnation = EXCLUDED.incarnation,
        status = EXCLUDED.status, beat_at = EXCLUDED.beat_at
"""


async def execute(engine: AsyncEngine, statement: str, **values: object) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)


async def add_node(
    engine: AsyncEngine,
    name: str,
    incarnation: str = "1",
    *,
    status: str = "up",
    silent_s: float = 0,
) -> str:
    """A run of a node that was last heard of ``silent_s`` ago; returns it as an owner."""
    values = {"name": name, "incarnation": incarnation, "status": status, "silent_s": silent_s}
    await execute(engine, _NODE, **values)
    return f"{name}/{incarnation}"


async def open_ticket(engine: AsyncEngine, client: int = 1) -> Envelope:
    """A new ticket with the client's first message."""
    [stored] = await PostgresInbox(engine, MAIN_CHAT).put([from_client(client, 1)])
    assert stored.envelope is not None
    return stored.envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A ticket as a run holds it: its next turn names this epoch and version."""

    state: TicketState
    epoch: Epoch
    version: int


async def hold(engine: AsyncEngine, ticket_id: TicketId, owner: str) -> Held:
    """The run takes the ticket."""
    async with engine.begin() as connection:
        taken = await connection.execute(
            text("""UPDATE tickets SET owner = :owner, epoch = epoch + 1 WHERE id = :ticket
                 RETURNING epoch, version, client_tg_id"""),
            {"owner": owner, "ticket": ticket_id},
        )
        row = taken.one()
    state = TicketState(ticket_id=ticket_id, client=person(row.client_tg_id))
    return Held(state=state, epoch=Epoch(row.epoch), version=row.version)


async def commit_turn(
    engine: AsyncEngine,
    held: Held,
    envelope: Envelope,
    *effects: Effect,
    dead: tuple[DeadLetter, ...] = (),
) -> bool:
    """The run commits a turn; says whether it stands."""
    turn = Turn(
        ticket_id=held.state.ticket_id,
        epoch=held.epoch,
        version=held.version,
        steps=((envelope, Decision(state=held.state, effects=effects)),),
        dead=dead,
    )
    async with engine.begin() as connection:
        return bool(await commit.write(connection, [turn]))


async def bury(
    engine: AsyncEngine,
    client: int = 1,
    error: str = "ValueError: bad",
    message: Message | None = None,
) -> tuple[int, Envelope]:
    """A new ticket whose first message was given up; returns the dead letter's id, too."""
    envelope = await open_ticket(engine, client)
    held = await hold(engine, envelope.ticket_id, "nobody/0")
    letter = DeadLetter(
        envelope=envelope
        if message is None
        else Envelope(
            ticket_id=envelope.ticket_id,
            seq=Seq(envelope.seq),
            key=envelope.key,
            received_at=envelope.received_at,
            message=message,
        ),
        error=error,
        attempts=5,
    )
    assert await commit_turn(engine, held, envelope, dead=(letter,))
    [row] = await rows(engine, "SELECT max(id) FROM dead_letters")
    return int(row[0]), envelope
