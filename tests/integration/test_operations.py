"""What operators change by hand, on a real Postgres, beside runs that work on the same tickets."""

from typing import Any

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.effects import Say, Text
from actors.ids import TicketId
from actors.messages import ClientWrote, Json, Unreadable
from actors.places import MAIN
from actors.ports import Incoming, ToDesk
from storage.codec import decode_message
from storage.desk import DeskMail
from storage.inbox import PostgresInbox
from storage.inspection import Inspection
from storage.operations import Change, OperationError, Operations
from tests.fakes.desk import MAIN_CHAT, from_client, rows, scalar
from tests.fakes.operations import add_node, bury, commit_turn, execute, hold, open_ticket

pytestmark = pytest.mark.anyio


@pytest.fixture
def operations(engine: AsyncEngine) -> Operations:
    return Operations(engine, by="olga")


async def row(engine: AsyncEngine, ticket_id: TicketId) -> Any:
    [found] = await rows(engine, "SELECT * FROM tickets WHERE id = :ticket", ticket=ticket_id)
    return found


async def log(engine: AsyncEngine, ticket_id: TicketId) -> list[tuple[str, str, int, Any]]:
    query = "SELECT * FROM events WHERE ticket_id = :ticket ORDER BY id"
    found = await rows(engine, query, ticket=ticket_id)
    return [(event.actor, event.action, event.seq, event.payload) for event in found]


# --- moving ---------------------------------------------------------------------------------


async def test_a_move_gives_the_ticket_to_the_newest_run_and_fences_the_turn_that_runs(
    engine: AsyncEngine, operations: Operations
) -> None:
    former = await add_node(engine, "a")
    await add_node(engine, "b", "old")
    target = await add_node(engine, "b", "new")
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, former)
    change = await operations.move(envelope.ticket_id, "b")
    assert (change.action, change.tell) == ("operator_moved", target)
    assert not await commit_turn(engine, held, envelope)
    moved = await row(engine, envelope.ticket_id)
    assert (moved.owner, moved.epoch, moved.handled_seq) == (target, held.epoch + 1, 0)
    what = {"by": "olga", "owner": target, "former": former}
    assert await log(engine, envelope.ticket_id) == [("SYSTEM", "operator_moved", 0, what)]


async def test_a_move_to_where_the_ticket_is_disturbs_nobody(
    engine: AsyncEngine, operations: Operations
) -> None:
    owner = await add_node(engine, "a")
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, owner)
    change = await operations.move(envelope.ticket_id, "a")
    assert (change.action, change.tell) == ("", owner)
    assert await commit_turn(engine, held, envelope)
    assert await log(engine, envelope.ticket_id) == []


async def test_a_move_to_anywhere_goes_to_the_other_node_with_the_fewest_tickets(
    engine: AsyncEngine, operations: Operations
) -> None:
    first, *others = [await open_ticket(engine, client) for client in (1, 2, 3, 4)]
    former, full = await add_node(engine, "a"), await add_node(engine, "b")
    await add_node(engine, "ending", status="draining")
    await hold(engine, first.ticket_id, former)
    for envelope, owner in zip(others, (full, full, await add_node(engine, "c")), strict=True):
        await hold(engine, envelope.ticket_id, owner)
    assert (await operations.move(first.ticket_id, None)).tell == "c/1"
    assert (await operations.move(first.ticket_id, None)).tell == former


async def test_a_move_to_anywhere_needs_another_node(
    engine: AsyncEngine, operations: Operations
) -> None:
    envelope = await open_ticket(engine)
    with pytest.raises(OperationError, match=r"no other node is up .* nobody owns it"):
        await operations.move(envelope.ticket_id, None)
    await hold(engine, envelope.ticket_id, await add_node(engine, "a"))
    with pytest.raises(OperationError, match=r"no other node is up .* a/1 keeps it"):
        await operations.move(envelope.ticket_id, None)


async def test_a_node_that_is_not_up_is_given_nothing(
    engine: AsyncEngine, operations: Operations
) -> None:
    await add_node(engine, "gone", status="dead")
    await add_node(engine, "ending", status="draining")
    await add_node(engine, "silent", silent_s=60)
    await add_node(engine, "well")
    envelope = await open_ticket(engine)
    for name, why in [
        ("gone", r"\(it is dead\); up are: well"),
        ("ending", r"\(it is draining\)"),
        ("silent", r"\(last heard of 60 s ago\)"),
        ("nonsense", r"\(there is no such node\)"),
        ("well/1", r"\(there is no such node\)"),
    ]:
        with pytest.raises(OperationError, match=f"node {name} is not up {why}"):
            await operations.move(envelope.ticket_id, name)
    found = await row(engine, envelope.ticket_id)
    assert (found.owner, found.epoch) == (None, 0)
    assert await log(engine, envelope.ticket_id) == []


# --- quarantine -----------------------------------------------------------------------------


async def test_quarantine_fences_the_turn_that_runs_and_keeps_owner_and_mail(
    engine: AsyncEngine, operations: Operations
) -> None:
    owner = await add_node(engine, "a")
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, owner)
    change = await operations.quarantine(envelope.ticket_id, "loops \0 since noon")
    assert (change.tell, change.quarantined) == (owner, "loops � since noon")
    assert not await commit_turn(engine, held, envelope)
    found = await row(engine, envelope.ticket_id)
    assert (found.owner, found.quarantined) == (owner, "loops � since noon")
    assert await scalar(engine, "SELECT count(*) FROM inbox WHERE handled_at IS NULL") == 1
    what = {"by": "olga", "why": "loops � since noon"}
    assert await log(engine, envelope.ticket_id) == [("SYSTEM", "operator_quarantined", 0, what)]
    with pytest.raises(OperationError, match="is in quarantine already"):
        await operations.quarantine(envelope.ticket_id, "again")


async def test_a_release_lets_the_ticket_go_on_and_says_what_had_stopped_it(
    engine: AsyncEngine, operations: Operations
) -> None:
    owner = await add_node(engine, "a")
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, owner)
    assert await commit_turn(engine, held, envelope)
    await operations.quarantine(envelope.ticket_id, "loops")
    change = await operations.release(envelope.ticket_id)
    assert (change.tell, change.quarantined) == (owner, None)
    found = await row(engine, envelope.ticket_id)
    assert (found.quarantined, found.owner, found.epoch) == (None, owner, held.epoch + 2)
    what = {"by": "olga", "why": "loops"}
    assert (await log(engine, envelope.ticket_id))[-1] == ("SYSTEM", "operator_released", 1, what)
    with pytest.raises(OperationError, match="is not in quarantine"):
        await operations.release(envelope.ticket_id)


async def test_two_operators_at_once_do_it_once(
    engine: AsyncEngine, operations: Operations
) -> None:
    envelope = await open_ticket(engine)
    done: list[str] = []

    async def quarantine(why: str) -> None:
        try:
            await operations.quarantine(envelope.ticket_id, why)
        except OperationError:
            return
        done.append(why)

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(quarantine, f"why {number}")
    assert done == [(await row(engine, envelope.ticket_id)).quarantined]
    assert len(await log(engine, envelope.ticket_id)) == 1


# --- poking ---------------------------------------------------------------------------------


async def test_a_poke_names_the_owner_and_changes_nothing(
    engine: AsyncEngine, operations: Operations
) -> None:
    owner = await add_node(engine, "a", silent_s=5)
    await add_node(engine, "b")
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, owner)
    assert (await operations.poke(envelope.ticket_id)).tell == owner
    assert await commit_turn(engine, held, envelope)
    [(_, action, _, payload)] = await log(engine, envelope.ticket_id)
    assert (action, payload) == ("operator_poked", {"by": "olga", "owner": owner})


async def test_a_poke_for_a_ticket_without_a_living_owner_goes_to_the_liveliest_node(
    engine: AsyncEngine, operations: Operations
) -> None:
    envelope = await open_ticket(engine)
    assert (await operations.poke(envelope.ticket_id)).tell is None
    former = await add_node(engine, "a", "former")
    await hold(engine, envelope.ticket_id, former)
    await add_node(engine, "a", "newer", silent_s=5)
    liveliest = await add_node(engine, "b")
    assert (await operations.poke(envelope.ticket_id)).tell == liveliest


async def test_a_poke_does_not_wake_what_is_in_quarantine(
    engine: AsyncEngine, operations: Operations
) -> None:
    envelope = await open_ticket(engine)
    await operations.quarantine(envelope.ticket_id, "loops")
    with pytest.raises(OperationError, match="release it"):
        await operations.poke(envelope.ticket_id)


async def test_what_does_not_exist_is_named(engine: AsyncEngine, operations: Operations) -> None:
    nobody = TicketId(77)
    await add_node(engine, "a")
    inspection = Inspection(engine)
    for attempt in (
        lambda: operations.poke(nobody),
        lambda: operations.move(nobody, "a"),
        lambda: operations.quarantine(nobody, "why"),
        lambda: operations.release(nobody),
        lambda: inspection.ticket(nobody),
    ):
        with pytest.raises(OperationError, match="there is no ticket 77"):
            await attempt()
    for attempt_dead in (
        lambda: operations.retry(5),
        lambda: operations.drop(5, "spam"),
        lambda: inspection.dead_letter(5),
    ):
        with pytest.raises(OperationError, match="there is no dead letter 5"):
            await attempt_dead()


# --- dead letters ---------------------------------------------------------------------------


async def test_a_retried_message_comes_again_behind_the_others_and_its_letter_is_gone(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine)
    owner = await add_node(engine, "a")
    await hold(engine, envelope.ticket_id, owner)
    await PostgresInbox(engine, MAIN_CHAT).put([from_client(1, 2)])
    change = await operations.retry(dead_id)
    assert (change.ticket_id, change.tell) == (envelope.ticket_id, owner)
    mail = await rows(engine, "SELECT * FROM inbox WHERE handled_at IS NULL ORDER BY seq")
    assert [(each.seq, each.key) for each in mail] == [(2, "tg:1:1:2"), (3, f"retry:{dead_id}")]
    assert decode_message(mail[1].message) == envelope.message
    assert mail[1].from_client
    assert mail[1].raw == {"update_id": 1}
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
    what = {"by": "olga", "dead_id": dead_id, "dead_seq": 1}
    what |= {"key": f"retry:{dead_id}", "former": envelope.key}
    assert await log(engine, envelope.ticket_id) == [("SYSTEM", "dead_retried", 1, what)]
    stored = await PostgresInbox(engine, MAIN_CHAT).put([from_client(1, 3)])
    assert stored[0].envelope is not None
    assert stored[0].envelope.seq == 4


async def test_a_retry_pressed_many_times_at_once_is_one(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine)
    done: list[Change] = []
    said: list[str] = []

    async def press() -> None:
        try:
            done.append(await operations.retry(dead_id))
        except OperationError as error:
            said.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(press)
    assert len(done) == 1
    assert said == [f"dead letter {dead_id} was put into the inbox again already"] * 4
    query = "SELECT count(*) FROM inbox WHERE handled_at IS NULL"
    assert await scalar(engine, query) == 1
    assert len(await log(engine, envelope.ticket_id)) == 1


async def test_retries_beside_intake_leave_no_gap_and_no_deadlock(
    engine: AsyncEngine, operations: Operations
) -> None:
    letters = [await bury(engine, client) for client in range(1, 5)]
    inbox = PostgresInbox(engine, MAIN_CHAT)

    async def write(number: int) -> None:
        await inbox.put([from_client(client, number) for client in range(4, 0, -1)])

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for number in range(2, 8):
                group.start_soon(write, number)
            for dead_id, _ in letters:
                group.start_soon(operations.retry, dead_id)
    for _, envelope in letters:
        query = "SELECT seq FROM inbox WHERE ticket_id = :ticket ORDER BY seq"
        found = await rows(engine, query, ticket=envelope.ticket_id)
        assert [each.seq for each in found] == list(range(1, 9))


async def test_a_letter_that_an_older_program_could_not_read_comes_as_it_was_stored(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine, message=Unreadable(detail="unknown message"))
    await operations.retry(dead_id)
    [mail] = await rows(engine, "SELECT message FROM inbox WHERE handled_at IS NULL")
    assert isinstance(envelope.message, ClientWrote)
    assert decode_message(mail.message) == envelope.message


async def test_a_letter_that_nobody_can_read_is_kept(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine)
    await execute(engine, """UPDATE inbox SET message = '{"type": "FromTheFuture"}'""")
    with pytest.raises(OperationError, match=r"FromTheFuture.*it is kept"):
        await operations.retry(dead_id)
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 1
    assert await scalar(engine, "SELECT count(*) FROM inbox") == 1
    assert await log(engine, envelope.ticket_id) == []


async def test_a_retry_into_a_ticket_in_quarantine_waits_there(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine)
    await operations.quarantine(envelope.ticket_id, "loops")
    assert (await operations.retry(dead_id)).quarantined == "loops"


async def test_a_dropped_letter_is_gone_for_good(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine)
    await operations.drop(dead_id, "spam")
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
    assert await scalar(engine, "SELECT count(*) FROM inbox WHERE handled_at IS NULL") == 0
    what = {"by": "olga", "dead_id": dead_id, "dead_seq": 1, "key": envelope.key, "why": "spam"}
    assert await log(engine, envelope.ticket_id) == [("SYSTEM", "dead_dropped", 1, what)]
    with pytest.raises(OperationError, match="there is no dead letter"):
        await operations.retry(dead_id)


async def test_the_desks_letter_goes_to_the_desk_again(
    engine: AsyncEngine, operations: Operations
) -> None:
    update: dict[str, Json] = {"update_id": 9, "message": {"text": "/techs"}}
    incoming = Incoming(key="tg:1:9", route=ToDesk(), message=None, raw=update)
    await PostgresInbox(engine, MAIN_CHAT).put([incoming])
    desk = DeskMail(engine)
    [waiting] = await desk.waiting(0, 10)
    await desk.failed(waiting.id, "boom", final=True)
    [letter] = await Inspection(engine).dead_letters(None, 10)
    assert (letter.ticket_id, letter.kind, letter.error) == (None, None, "boom")
    change = await operations.retry(letter.id)
    assert change.ticket_id is None
    [again] = await desk.waiting(0, 10)
    assert (again.key, again.raw) == (f"retry:{letter.id}", update)


# --- looking --------------------------------------------------------------------------------


async def test_a_ticket_is_seen_with_all_that_waits_for_it(
    engine: AsyncEngine, operations: Operations
) -> None:
    dead_id, envelope = await bury(engine)
    owner = await add_node(engine, "a", silent_s=3)
    held = await hold(engine, envelope.ticket_id, owner)
    [stored] = await PostgresInbox(engine, MAIN_CHAT).put([from_client(1, 2)])
    assert stored.envelope is not None
    greeting = Say(place=MAIN, text=Text(key="closed"))
    assert await commit_turn(engine, held, stored.envelope, greeting, greeting)
    await PostgresInbox(engine, MAIN_CHAT).put([from_client(1, 3)])
    timer = "INSERT INTO timers (ticket_id, name, due_at) VALUES (:ticket, 'survey', now())"
    await execute(engine, timer, ticket=envelope.ticket_id)
    await operations.poke(envelope.ticket_id)
    seen = await Inspection(engine).ticket(envelope.ticket_id)
    assert (seen.ticket.owner, seen.ticket.owner_status) == (owner, "up")
    assert seen.ticket.owner_beat_age_s == pytest.approx(3, abs=2)
    assert (seen.ticket.handled_seq, seen.ticket.last_seq, seen.ticket.mail_waiting) == (2, 3, 1)
    assert seen.ticket.mail_oldest is not None
    assert seen.ticket.dead_letters == 1
    assert [(lane.lane, lane.unsent, lane.first) for lane in seen.unsent] == [
        (f"main:{envelope.ticket_id}", 2, "Say")
    ]
    assert [timer.name for timer in seen.timers] == ["survey"]
    assert [event.action for event in seen.events] == ["operator_poked"]
    letter = await Inspection(engine).dead_letter(dead_id)
    assert (letter.letter.ticket_id, letter.letter.kind) == (envelope.ticket_id, "ClientWrote")
    assert letter.message is not None
    assert letter.message["content"]["text"] == "message 1"


async def test_an_owner_whose_run_is_over_is_seen_as_that(
    engine: AsyncEngine, operations: Operations
) -> None:
    envelope = await open_ticket(engine)
    await hold(engine, envelope.ticket_id, await add_node(engine, "a", "former"))
    await add_node(engine, "a", "newer")
    seen = (await Inspection(engine).ticket(envelope.ticket_id)).ticket
    assert (seen.owner, seen.owner_status) == ("a/former", None)


async def test_dead_letters_are_listed_newest_first_and_by_ticket(engine: AsyncEngine) -> None:
    buried = [await bury(engine, client) for client in range(1, 4)]
    inspection = Inspection(engine)
    listed = await inspection.dead_letters(None, 2)
    assert [letter.id for letter in listed] == [buried[2][0], buried[1][0]]
    [one] = await inspection.dead_letters(buried[0][1].ticket_id, 10)
    assert (one.id, one.attempts, one.error) == (buried[0][0], 5, "ValueError: bad")
