"""Commits, claims and odd input on a real Postgres: what mended bugs left behind."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.decision import Actor as Who
from actors.decision import ArmTimer, CancelTimer, Decision, Event, Feedback
from actors.effects import AnswerPress, Copy
from actors.errors import Transient
from actors.ids import ChatId, Epoch, Seq, TechnicianId, ThreadId, TicketId
from actors.messages import ClientWrote, CloseRequested, Envelope, TopicOpened, Unreadable
from actors.places import MAIN, mirror
from actors.ports import CommitOutcome, CommitStatus, LoadedTicket, ToClient, Turn
from actors.state import Status
from actors.workflows import decide
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.postgres import PostgresOptions, create_engine, transaction
from storage.technicians import TechnicianSpec, TechnicianTable
from storage.tickets import PostgresTicketStore
from tests.fakes.case import MARIA
from tests.fakes.desk import MAIN_CHAT, for_ticket, from_client, rows, scalar, wrote
from tests.fakes.nodes import a_run

pytestmark = pytest.mark.anyio


async def next_run(engine: AsyncEngine) -> PostgresTicketStore:
    """The node has been started again."""
    node = partial(a_run, incarnation="2")
    await PostgresNodes(engine).register(node())
    return PostgresTicketStore(engine, node, MAIN_CHAT)


@pytest.fixture
async def store(engine: AsyncEngine) -> PostgresTicketStore:
    made = PostgresTicketStore(engine, a_run, MAIN_CHAT)
    await PostgresNodes(engine).register(a_run())
    return made


@pytest.fixture
def inbox(engine: AsyncEngine) -> PostgresInbox:
    return PostgresInbox(engine, MAIN_CHAT)


async def received(inbox: PostgresInbox, *numbers: int, client: int = 1) -> list[Envelope]:
    stored = await inbox.put([from_client(client, number) for number in numbers])
    return [each.envelope for each in stored if each.envelope]


async def claimed(store: PostgresTicketStore, ticket_id: TicketId) -> LoadedTicket:
    loaded = await store.claim(ticket_id)
    assert loaded is not None
    return loaded


def turn(loaded: LoadedTicket, *steps: tuple[Envelope, Decision]) -> Turn:
    return Turn(
        ticket_id=loaded.state.ticket_id,
        epoch=loaded.epoch,
        version=loaded.version,
        steps=steps,
    )


async def committed(
    store: PostgresTicketStore, loaded: LoadedTicket, *steps: tuple[Envelope, Decision]
) -> CommitOutcome:
    [outcome] = await store.commit([turn(loaded, *steps)])
    return outcome


async def close(store: PostgresTicketStore, envelope: Envelope) -> None:
    """Handles the envelope as if it had been the order to close."""
    loaded = await claimed(store, envelope.ticket_id)
    request = replace(envelope, message=CloseRequested(by=MARIA, place=MAIN))
    outcome = await committed(store, loaded, (request, decide(loaded.state, request)))
    assert outcome.status is CommitStatus.COMMITTED


# --- one turn of several steps ----------------------------------------------------------------


@pytest.mark.parametrize("last", ["armed", "cancelled"])
async def test_the_last_word_on_a_timer_counts_when_a_turn_has_several(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine, last: str
) -> None:
    """As when a ticket is closed and its whole survey was answered while the program was away."""
    first, second = await received(inbox, 1, 2)
    loaded = await claimed(store, first.ticket_id)
    arm, cancel = ArmTimer(name="survey", after=timedelta(0)), CancelTimer(name="survey")
    order: tuple[ArmTimer | CancelTimer, ...] = (cancel, arm) if last == "armed" else (arm, cancel)
    steps = [
        (envelope, Decision(state=loaded.state, timers=(timer,)))
        for envelope, timer in zip((first, second), order, strict=True)
    ]
    assert (await committed(store, loaded, *steps)).status is CommitStatus.COMMITTED
    assert len(await store.fire_timers(10)) == (1 if last == "armed" else 0)
    assert await store.fire_timers(10) == []


async def test_a_timer_that_is_armed_again_fires_again_under_a_key_of_its_own(
    store: PostgresTicketStore, inbox: PostgresInbox
) -> None:
    keys = []
    for number, envelope in enumerate(await received(inbox, 1, 2, 3)):
        loaded = await claimed(store, envelope.ticket_id)
        timers = (ArmTimer(name="a", after=timedelta(0)),)
        step = (envelope, Decision(state=loaded.state, timers=timers))
        await committed(store, loaded, step)
        if number != 1:  # the second arming is replaced before it fires
            keys += [fired.key for fired in await store.fire_timers(10)]
    assert len(set(keys)) == 2


async def test_the_newest_feedback_of_a_turn_is_kept(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    first, second = await received(inbox, 1, 2)
    loaded = await claimed(store, first.ticket_id)
    given = [Feedback(scores=(5, 5, 5), comment=comment) for comment in (None, "good\0")]
    steps = [
        (envelope, Decision(state=loaded.state, feedback=feedback))
        for envelope, feedback in zip((first, second), given, strict=True)
    ]
    await committed(store, loaded, *steps)
    assert await scalar(engine, "SELECT comment FROM feedback") == "good\N{REPLACEMENT CHARACTER}"


async def test_the_newest_topic_of_a_technician_is_kept(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    await TechnicianTable(engine).sync([TechnicianSpec(name="alice", chat_id=ChatId(-5))])
    place = mirror(TechnicianId(await scalar(engine, "SELECT id FROM technicians")))
    first, second = await received(inbox, 1, 2)
    loaded = await claimed(store, first.ticket_id)
    steps = [
        (
            replace(
                envelope,
                message=TopicOpened(place=place, chat_id=ChatId(-5), thread_id=ThreadId(thread)),
            ),
            Decision(state=loaded.state),
        )
        for envelope, thread in ((first, 7), (second, 8))
    ]
    await committed(store, loaded, *steps)
    assert await scalar(engine, "SELECT thread_id FROM tech_threads") == 8


# --- whose ticket it is -----------------------------------------------------------------------


async def test_reviving_does_not_fence_what_this_node_has_claimed_already(
    store: PostgresTicketStore, inbox: PostgresInbox
) -> None:
    """Actors start while tickets are still being revived, in the first round and after it."""
    [envelope] = await received(inbox, 1)
    [other] = await received(inbox, 1, client=2)
    loaded = await claimed(store, envelope.ticket_id)
    assert list(await store.revive(10)) == [other.ticket_id]
    step = (envelope, Decision(state=loaded.state))
    assert (await committed(store, loaded, step)).status is CommitStatus.COMMITTED
    assert list(await store.revive(10)) == []
    late = await claimed(store, other.ticket_id)
    assert list(await store.revive(10)) == []
    step = (other, Decision(state=late.state))
    assert (await committed(store, late, step)).status is CommitStatus.COMMITTED


async def test_the_next_run_of_a_node_revives_all_that_the_former_had(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """The former may live still, unnoticed: it is fenced from now on."""
    envelopes = [(await received(inbox, 1, client=client))[0] for client in (1, 2, 3)]
    before = [await claimed(store, envelope.ticket_id) for envelope in envelopes]
    after = await next_run(engine)
    found = [*await after.revive(2), *await after.revive(2), *await after.revive(2)]
    assert found == [envelope.ticket_id for envelope in envelopes]
    step = (envelopes[0], Decision(state=before[0].state))
    assert (await committed(store, before[0], step)).status is CommitStatus.FENCED


async def test_a_closed_ticket_with_nothing_to_send_is_not_revived(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    [envelope] = await received(inbox, 1)
    await close(store, envelope)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE outbox SET state = 'sent'"))
    assert list(await (await next_run(engine)).revive(10)) == []


# --- moving on --------------------------------------------------------------------------------


async def test_a_fenced_turn_moves_no_message_and_makes_no_ticket(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    first, second = await received(inbox, 1, 2)
    await close(store, first)
    loaded = await claimed(store, first.ticket_id)
    stale = replace(loaded, epoch=Epoch(loaded.epoch - 1))
    outcome = await committed(store, stale, (second, decide(loaded.state, second)))
    assert outcome == CommitOutcome(status=CommitStatus.FENCED)
    assert await scalar(engine, "SELECT count(*) FROM tickets") == 1
    assert await scalar(engine, "SELECT count(*) FROM inbox") == 2
    assert list(await store.waiting(10)) == [first.ticket_id]


async def test_messages_keep_their_order_through_several_closed_tickets(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """Tickets close under a client who goes on writing; whoever moves is slow."""
    total, closings = 120, 4
    written = anyio.Event()

    async def write() -> None:
        for number in range(1, total + 1):
            await inbox.put([from_client(1, number)])
        written.set()

    async def work() -> None:
        """Handles each ticket's mail in order; every twentieth message closes its ticket."""
        closed = 0
        while True:
            last_look = written.is_set()
            found = await store.waiting(10)
            for ticket_id in found:
                loaded = await claimed(store, ticket_id)
                for envelope in await store.mail(ticket_id, loaded.handled_seq, 2):
                    message = envelope.message
                    assert isinstance(message, ClientWrote)
                    number = message.content.message_id
                    is_open = loaded.state.status is Status.NEW
                    if is_open and number % 20 == 0 and closed < closings:
                        closed += 1
                        order = replace(envelope, message=CloseRequested(by=MARIA, place=MAIN))
                        decision = decide(loaded.state, order)
                    else:
                        decision = decide(loaded.state, envelope)
                    outcome = await committed(store, loaded, (envelope, decision))
                    assert outcome.status is CommitStatus.COMMITTED
                    loaded = await claimed(store, ticket_id)
            if last_look and not found:
                assert closed == closings
                return

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            group.start_soon(work)
    said = await rows(
        engine,
        "SELECT CAST(payload #>> '{content,message_id}' AS int) AS number FROM events "
        "WHERE action = 'said' ORDER BY ticket_id, id",
    )
    numbers = [row.number for row in said]
    assert numbers == sorted(numbers)
    assert len(numbers) == total - closings
    assert await scalar(engine, "SELECT count(*) FROM tickets") == closings + 1


async def test_everything_at_once_neither_deadlocks_nor_leaves_a_gap(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """Intake in any order, commits of many tickets in any order, timers: on one set of rows."""
    clients = range(1, 7)
    tickets = {c: (await received(inbox, 1, client=c))[0].ticket_id for c in clients}
    loaded = {c: await claimed(store, tickets[c]) for c in clients}
    done = anyio.Event()

    async def write(order: Sequence[int], writer: int) -> None:
        for number in range(12):
            key = 1000 * writer + number + 2
            batch = [from_client(client, key) for client in order]
            staff = [for_ticket(tickets[c], f"staff:{writer}:{number}:{c}") for c in order]
            await inbox.put([*batch, *staff] if number % 2 else [*staff, *batch])

    async def commit(order: Sequence[int]) -> None:
        while True:
            last_look = done.is_set()
            turns = []
            for client in order:
                mail = await store.mail(tickets[client], loaded[client].handled_seq, 8)
                state = loaded[client].state
                arm = ArmTimer(name="soon", after=timedelta(0))
                steps = [(envelope, Decision(state=state, timers=(arm,))) for envelope in mail]
                if steps:
                    turns.append(turn(loaded[client], *steps))
            for each, outcome in zip(turns, await store.commit(turns), strict=True):
                assert outcome.status is CommitStatus.COMMITTED
                client = int(each.state.client.id)
                loaded[client] = replace(
                    loaded[client], version=each.version + 1, handled_seq=each.handled_seq
                )
            if last_look and not turns:
                return

    async def fire() -> None:
        while not done.is_set():
            await store.fire_timers(100)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(commit, [1, 2, 3])
            group.start_soon(commit, [6, 5, 4])
            group.start_soon(fire)
            async with anyio.create_task_group() as writers:
                for writer, order in enumerate([clients, clients[::-1], [3, 1, 5, 6, 2, 4]]):
                    writers.start_soon(write, list(order), writer)
            done.set()
    for ticket_id in tickets.values():
        found = await rows(
            engine, "SELECT seq FROM inbox WHERE ticket_id = :id ORDER BY seq", id=ticket_id
        )
        seqs = [row.seq for row in found]
        assert seqs[0] == 1
        assert all(after == before + 1 for before, after in pairwise(seqs))
        assert len(seqs) >= 1 + 3 * 12 * 2


# --- odd input --------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ["\0", "\ud83d", "\\u0000", "\udc00\ud800"])
async def test_no_text_is_so_odd_that_it_cannot_be_stored(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine, odd: str
) -> None:
    """It would be refused for ever, and Telegram would hold back all that comes after it."""
    incoming = from_client(1, 1)
    assert isinstance(incoming.route, ToClient)
    person = replace(incoming.route.client, name=f"a{odd}b", username=odd, language=odd)
    route = replace(incoming.route, client=person)
    message = replace(wrote(1, 1, f"a{odd}b"), author=person)
    [stored] = await inbox.put(
        [replace(incoming, route=route, message=message, raw={odd: [odd, 2**70, 1.5]})]
    )
    assert stored.envelope is not None
    loaded = await claimed(store, stored.envelope.ticket_id)
    [envelope] = await store.mail(stored.envelope.ticket_id, Seq(0), 1)
    assert isinstance(envelope.message, ClientWrote)
    said = envelope.message.content.text
    assert (said[0], said[-1]) == ("a", "b")
    event = Event(actor=Who.CLIENT, action="said", payload={odd: odd}, content=message.content)
    copied = Copy(place=MAIN, content=message.content)
    pressed = AnswerPress(callback_id=f"1{odd}")
    state = replace(loaded.state, client=person)
    decision = Decision(state=state, events=(event,), effects=(copied, pressed))
    outcome = await committed(store, loaded, (stored.envelope, decision))
    assert outcome.status is CommitStatus.COMMITTED
    assert (await claimed(store, stored.envelope.ticket_id)).version == 1


async def test_a_message_that_cannot_be_read_comes_as_unreadable_without_peoples_words(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    broken, fine = await received(inbox, 1, 2)
    async with engine.begin() as connection:
        await connection.execute(
            text("""
                UPDATE inbox SET message = jsonb_set(message, '{content,kind}', '"my secret"')
                WHERE seq = 1
            """)
        )
    first, second = await store.mail(broken.ticket_id, Seq(0), 9)
    assert isinstance(first.message, Unreadable)
    assert "content.kind" in first.message.detail
    assert "secret" not in first.message.detail
    assert second.message == fine.message


# --- errors by family -------------------------------------------------------------------------


async def test_errors_do_not_repeat_what_people_wrote(engine: AsyncEngine) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with transaction(engine) as connection:
            await connection.execute(
                text("INSERT INTO users (tg_id, username) VALUES (1, :name)"), {"name": "secret"}
            )
    assert "secret" not in str(caught.value).partition("[SQL")[2]


async def test_a_lost_connection_is_transient_and_the_next_work_gets_a_new_one(
    store: PostgresTicketStore, inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    [envelope] = await received(inbox, 1)

    async def cut() -> None:
        """The server ends our connection in the middle of a transaction."""
        async with transaction(engine) as connection:
            pid = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar()
            async with engine.connect() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await connection.execute(text("SELECT 1"))

    with pytest.raises(Transient):
        await cut()
    assert (await claimed(store, envelope.ticket_id)).epoch == 1


async def test_a_postgres_that_is_not_there_is_transient(postgres_dsn: str) -> None:
    engine = create_engine(PostgresOptions(dsn=postgres_dsn.replace("port=5432", "port=5433")))
    with pytest.raises(Transient):
        await PostgresInbox(engine, MAIN_CHAT).put([from_client(1, 1)])
    await engine.dispose()


async def test_a_cancel_waits_for_the_transaction_and_leaves_the_pool_whole(
    inbox: PostgresInbox, engine: AsyncEngine
) -> None:
    """What was begun stands: a connection torn out of a COMMIT would leave that open."""
    await received(inbox, 1)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with engine.begin() as holder, anyio.create_task_group() as group:
        await holder.execute(text("SELECT FROM users FOR UPDATE"))
        group.start_soon(inbox.put, [from_client(1, 2)])
        with anyio.fail_after(10):
            while not (await holder.execute(waiting)).scalar():  # noqa: ASYNC110 - told by nobody
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await holder.commit()
    assert await scalar(engine, "SELECT count(*) FROM inbox") == 2
    assert [envelope.seq for envelope in await received(inbox, 3)] == [3]


async def test_a_loop_of_nothing_but_work_can_be_cancelled(store: PostgresTicketStore) -> None:
    rounds = 0
    with anyio.fail_after(10), anyio.CancelScope() as scope:
        while rounds < 1000:
            rounds += 1
            if rounds == 3:
                scope.cancel()
            await store.waiting(1)
    assert rounds == 3
