"""Tickets on a real Postgres: fenced, atomic, in order, each timer once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import ArmTimer, Decision
from actors.effects import Say, Text
from actors.errors import CorruptSnapshot
from actors.ids import Seq, ThreadId, TicketId
from actors.messages import (
    AssignRequested,
    CloseRequested,
    Envelope,
    Press,
    TimerFired,
    TopicOpened,
)
from actors.places import MAIN
from actors.ports import CommitStatus, DeadLetter, LoadedTicket, Turn
from actors.workflows import decide
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.technicians import TechnicianSpec, TechnicianTable
from storage.tickets import PostgresTicketStore
from tests.fakes.case import ALICE, BOB, MARIA
from tests.fakes.desk import MAIN_CHAT, from_client, rows, scalar
from tests.fakes.nodes import a_run

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(engine: AsyncEngine) -> PostgresTicketStore:
    made = PostgresTicketStore(engine, a_run, MAIN_CHAT)
    await PostgresNodes(engine).register(a_run())
    await TechnicianTable(engine).sync(
        [TechnicianSpec(name=tech.name, chat_id=tech.chat_id) for tech in (ALICE, BOB)]
    )
    return made


@pytest.fixture
def inbox(engine: AsyncEngine) -> PostgresInbox:
    return PostgresInbox(engine, MAIN_CHAT)


async def opened(inbox: PostgresInbox, client: int = 1) -> Envelope:
    [stored] = await inbox.put([from_client(client, 1)])
    assert stored.envelope is not None
    return stored.envelope


async def claimed(store: PostgresTicketStore, ticket_id: TicketId) -> LoadedTicket:
    loaded = await store.claim(ticket_id)
    assert loaded is not None
    return loaded


def turn(loaded: LoadedTicket, *envelopes: Envelope) -> Turn:
    """Decides the envelopes with the real workflow."""
    state, steps = loaded.state, []
    for envelope in envelopes:
        decision = decide(state, envelope)
        steps.append((envelope, decision))
        state = decision.state
    return Turn(
        ticket_id=loaded.state.ticket_id,
        epoch=loaded.epoch,
        version=loaded.version,
        steps=tuple(steps),
    )


async def test_a_claimed_ticket_begins_with_its_client_and_comes_back_as_committed(
    store: PostgresTicketStore, inbox: PostgresInbox
) -> None:
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    assert loaded.state.client.name == "Client 1"
    assert not loaded.state.opened
    first = turn(loaded, envelope)
    [outcome] = await store.commit([first])
    assert outcome.status is CommitStatus.COMMITTED
    assert set(outcome.lanes) == {f"main:{envelope.ticket_id}", "client:1"}
    again = await claimed(store, envelope.ticket_id)
    assert again.state == first.state
    assert (again.version, again.handled_seq) == (1, 1)
    assert again.epoch == loaded.epoch + 1


async def test_mail_comes_in_order_and_after_what_was_handled(
    store: PostgresTicketStore, inbox: PostgresInbox
) -> None:
    stored = await inbox.put([from_client(1, number) for number in range(5)])
    assert stored[0].envelope is not None
    mail = await store.mail(stored[0].envelope.ticket_id, Seq(2), 2)
    assert [envelope.seq for envelope in mail] == [3, 4]
    assert mail[0].message == stored[2].envelope.message if stored[2].envelope else False


@pytest.mark.parametrize("stale", ["epoch", "version"])
async def test_a_fenced_turn_writes_nothing_at_all_and_the_others_stand(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine, stale: str
) -> None:
    fenced, good = await opened(inbox, 1), await opened(inbox, 2)
    loaded = await claimed(store, fenced.ticket_id)
    old = replace(loaded, **{stale: getattr(loaded, stale) - 1})
    fine = await claimed(store, good.ticket_id)
    outcomes = await store.commit([turn(old, fenced), turn(fine, good)])
    assert [o.status for o in outcomes] == [CommitStatus.FENCED, CommitStatus.COMMITTED]
    for table in ("events", "outbox"):
        tickets = await rows(engine, f"SELECT DISTINCT ticket_id FROM {table}")
        assert [row.ticket_id for row in tickets] == [good.ticket_id]
    waiting = await store.waiting(10)
    assert list(waiting) == [fenced.ticket_id]


async def test_a_commit_that_fails_leaves_nothing_behind(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """The state, the events and the effects stand together or not at all."""
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    good = turn(loaded, envelope)
    bad_timer = ArmTimer(name=None, after=timedelta(1))  # type: ignore[arg-type]
    decision = replace(good.steps[0][1], timers=(bad_timer,))
    with pytest.raises(Exception, match="null value"):
        await store.commit([replace(good, steps=((envelope, decision),))])
    assert await scalar(engine, "SELECT count(*) FROM outbox") == 0
    assert await scalar(engine, "SELECT version FROM tickets") == 0
    assert list(await store.waiting(10)) == [envelope.ticket_id]


async def test_effects_keep_their_order_and_history_is_filled_in_where_it_belongs(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    stored = await inbox.put([from_client(1, number) for number in (1, 2, 3)])
    envelopes = [s.envelope for s in stored if s.envelope]
    ticket_id = envelopes[0].ticket_id
    loaded = await claimed(store, ticket_id)
    await store.commit([turn(loaded, *envelopes)])
    loaded = await claimed(store, ticket_id)
    assign = Envelope(
        ticket_id=ticket_id,
        seq=Seq(4),
        key="assign",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        message=AssignRequested(
            press=Press(callback_id="1", by=MARIA), technician=ALICE, generation=0
        ),
    )
    await store.commit([turn(loaded, assign)])
    lane = await rows(
        engine,
        "SELECT kind, effect #>> '{content,text}' AS words FROM outbox WHERE lane LIKE 'mirror:%' "
        "ORDER BY position, id",
    )
    assert [(row.kind, row.words) for row in lane] == [
        ("OpenTopic", None),
        ("Say", None),
        ("Copy", "message 1"),
        ("Copy", "message 2"),
        ("Copy", "message 3"),
    ]
    kinds = await rows(engine, "SELECT kind FROM outbox WHERE lane LIKE 'main:%' ORDER BY id")
    assert [row.kind for row in kinds][:3] == ["OpenTopic", "ShowCard", "Copy"]


async def test_the_opened_topic_is_written_to_the_ticket_by_its_own_commit(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    message = TopicOpened(place=MAIN, chat_id=MAIN_CHAT, thread_id=ThreadId(77))
    second = replace(envelope, seq=Seq(2), key="opened", message=message)
    await store.commit([turn(loaded, envelope, second)])
    assert await scalar(engine, "SELECT main_thread_id FROM tickets") == 77


async def test_dead_letters_are_kept_with_why(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    good = turn(loaded, envelope)
    letter = DeadLetter(envelope=envelope, error="Traceback: no", attempts=5)
    await store.commit([replace(good, dead=(letter,))])
    [row] = await rows(engine, "SELECT seq, error, attempts, message FROM dead_letters")
    assert (row.seq, row.error, row.attempts) == (1, "Traceback: no", 5)
    assert row.message["type"] == "ClientWrote"


async def test_a_message_for_a_closed_ticket_moves_to_the_next_one_once(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    stored = await inbox.put([from_client(1, 1), from_client(1, 2), from_client(1, 3)])
    first, second, third = (s.envelope for s in stored if s.envelope)
    loaded = await claimed(store, first.ticket_id)
    close = replace(first, seq=Seq(1), message=CloseRequested(by=MARIA, place=MAIN))
    await store.commit([turn(loaded, close)])
    for envelope in (second, third):
        loaded = await claimed(store, first.ticket_id)
        [outcome] = await store.commit([turn(loaded, envelope)])
        assert outcome.status is CommitStatus.COMMITTED
        assert [moved.message for moved in outcome.rerouted] == [envelope.message]
    [former, latest] = await rows(engine, "SELECT id, former_ticket_id FROM tickets ORDER BY id")
    assert latest.former_ticket_id == former.id
    mail = await store.mail(TicketId(latest.id), Seq(0), 10)
    assert [envelope.message for envelope in mail] == [second.message, third.message]


async def test_no_message_overtakes_another_while_a_ticket_closes(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """Messages pour in while the old ticket moves them on: the new ticket has them in order."""
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    close = replace(envelope, message=CloseRequested(by=MARIA, place=MAIN))
    await store.commit([turn(loaded, close)])

    async def write() -> None:
        for number in range(2, 80):
            await inbox.put([from_client(1, number)])

    async def move() -> None:
        quiet = 0
        while quiet < 20:
            loaded = await claimed(store, envelope.ticket_id)
            mail = await store.mail(envelope.ticket_id, loaded.handled_seq, 1)
            quiet = 0 if mail else quiet + 1
            if mail:
                await store.commit([turn(loaded, mail[0])])

    # Some wait in the old ticket before anybody moves.
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE inbox SET handled_at = NULL"))
        await connection.execute(text("UPDATE tickets SET handled_seq = 0"))
    async with anyio.create_task_group() as group:
        group.start_soon(write)
        group.start_soon(move)
    said = await rows(
        engine,
        "SELECT i.message #>> '{content,message_id}' AS number FROM inbox i "
        "JOIN tickets t ON t.id = i.ticket_id WHERE t.status <> 'CLOSED' ORDER BY i.seq",
    )
    numbers = [int(row.number) for row in said]
    assert numbers == sorted(numbers)
    assert len(numbers) == 79


async def test_a_timer_fires_once_although_two_nodes_look(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    timer = ArmTimer(name="now", after=timedelta(0))
    decision = Decision(
        state=loaded.state,
        effects=(Say(place=MAIN, text=Text(key="assigned")),),
        timers=(timer,),
    )
    armed = replace(turn(loaded, envelope), steps=((envelope, decision),))
    await store.commit([armed])
    other = PostgresTicketStore(engine, partial(a_run, "other"), MAIN_CHAT)
    fired: list[Envelope] = []

    async def fire(which: PostgresTicketStore) -> None:
        fired.extend(await which.fire_timers(10))

    async with anyio.create_task_group() as group:
        for which in (store, other, store, other):
            group.start_soon(fire, which)
    assert [e.message for e in fired] == [TimerFired(name="now")]
    assert fired[0].seq == 2


async def test_a_ticket_of_a_living_node_cannot_be_claimed_by_another(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    envelope = await opened(inbox)
    await claimed(store, envelope.ticket_id)
    other = PostgresTicketStore(engine, partial(a_run, "other"), MAIN_CHAT)
    await PostgresNodes(engine).register(a_run("other"))
    assert await other.claim(envelope.ticket_id) is None
    assert list(await other.revive(10)) == []
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE nodes SET status = 'dead' WHERE name = 'node'"))
    assert list(await other.revive(10)) == [envelope.ticket_id]
    assert list(await other.revive(10)) == []


async def test_a_broken_or_newer_snapshot_is_said_as_such(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    envelope = await opened(inbox)
    for snapshot in ('{"v": 99}', '{"v": 1, "nonsense": true}'):
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE tickets SET snapshot = CAST(:s AS jsonb)"), {"s": snapshot}
            )
        with pytest.raises(CorruptSnapshot):
            await store.claim(envelope.ticket_id)


async def test_versions_tell_whether_a_lost_commit_stands(
    store: PostgresTicketStore, inbox: PostgresInbox
) -> None:
    envelope = await opened(inbox)
    loaded = await claimed(store, envelope.ticket_id)
    before = await store.versions([envelope.ticket_id])
    await store.commit([turn(loaded, envelope)])
    after = await store.versions([envelope.ticket_id])
    assert before == {envelope.ticket_id: (loaded.epoch, 0)}
    assert after == {envelope.ticket_id: (loaded.epoch, 1)}
