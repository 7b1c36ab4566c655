"""What the judge of nodes promises, and what follows for tickets, effects and timers."""

from datetime import timedelta
from functools import partial

import anyio
import pytest

from actors.decision import ArmTimer, Decision
from actors.effects import Say, Text
from actors.errors import Quarantined
from actors.ids import Seq, TicketId
from actors.messages import Envelope
from actors.nodes import NodeIdentity, NodeStatus, Role
from actors.places import CLIENT, MAIN
from actors.ports import CommitStatus, LoadedTicket, Turn
from tests.contract.backing import Backing
from tests.fakes.desk import from_client
from tests.fakes.nodes import a_run

pytestmark = pytest.mark.anyio

HELLO = Say(place=MAIN, text=Text(key="received"))
LEASE_S = 15.0


class Side:
    """One run with its adapters."""

    def __init__(self, backing: Backing, name: str, incarnation: str = "1") -> None:
        self.node: NodeIdentity = a_run(name, incarnation)
        node = partial(a_run, name, incarnation)
        self.tickets = backing.tickets(node)
        self.outbox = backing.outbox(node)

    async def take(self, ticket_id: TicketId) -> LoadedTicket:
        loaded = await self.tickets.claim(ticket_id)
        assert loaded is not None
        return loaded

    async def commit(
        self, loaded: LoadedTicket, envelope: Envelope, decision: Decision
    ) -> CommitStatus:
        turn = Turn(
            ticket_id=loaded.state.ticket_id,
            epoch=loaded.epoch,
            version=loaded.version,
            steps=((envelope, decision),),
        )
        [outcome] = await self.tickets.commit([turn])
        return outcome.status


class Pair:
    """Two runs on one store, both registered."""

    def __init__(self, backing: Backing) -> None:
        self.backing = backing
        self.nodes = backing.nodes
        self.inbox = backing.inbox
        self.a, self.b = Side(backing, "a"), Side(backing, "b")

    async def receive(self, number: int, client: int = 1) -> Envelope:
        [stored] = await self.inbox.put([from_client(client, number)])
        assert stored.envelope is not None
        return stored.envelope

    async def statuses(self) -> dict[str, NodeStatus]:
        return {record.name: record.status for record in await self.nodes.nodes()}


@pytest.fixture
async def pair(backing: Backing) -> Pair:
    made = Pair(backing)
    for side in (made.a, made.b):
        await made.nodes.register(side.node)
    return made


async def test_who_beats_is_never_declared_dead(pair: Pair) -> None:
    await pair.backing.silence("a")
    assert await pair.nodes.beat(pair.a.node, NodeStatus.UP)
    assert list(await pair.nodes.declare_dead(LEASE_S)) == []
    assert await pair.statuses() == {"a": NodeStatus.UP, "b": NodeStatus.UP}


async def test_a_silent_run_is_ended_by_exactly_one_and_for_good(pair: Pair) -> None:
    await pair.backing.silence("a")
    found: list[str] = []

    async def judge() -> None:
        found.extend(await pair.nodes.declare_dead(LEASE_S))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(judge)
    assert found == ["a"]
    assert not await pair.nodes.beat(pair.a.node, NodeStatus.UP)
    assert (await pair.statuses())["a"] is NodeStatus.DEAD


async def test_a_restarted_node_ends_its_former_run_at_once(pair: Pair) -> None:
    await pair.nodes.register(a_run("a", "2"))
    assert not await pair.nodes.beat(pair.a.node, NodeStatus.UP)
    assert await pair.nodes.beat(a_run("a", "2"), NodeStatus.UP)


async def test_tickets_of_a_living_run_are_its_own_and_of_a_dead_one_anybodys(pair: Pair) -> None:
    envelope = await pair.receive(1)
    loaded = await pair.a.take(envelope.ticket_id)
    assert await pair.b.tickets.claim(envelope.ticket_id) is None
    assert list(await pair.b.tickets.waiting(10)) == []
    assert list(await pair.b.tickets.revive(10)) == []
    await pair.backing.silence("a")
    await pair.nodes.declare_dead(LEASE_S)
    assert list(await pair.b.tickets.waiting(10)) == [envelope.ticket_id]
    assert list(await pair.b.tickets.revive(10)) == [envelope.ticket_id]
    late = await pair.a.commit(loaded, envelope, Decision(state=loaded.state, effects=(HELLO,)))
    assert late is CommitStatus.FENCED
    assert await pair.a.tickets.claim(envelope.ticket_id) is None


async def test_several_claimers_share_the_orphans_without_overlap(pair: Pair) -> None:
    envelopes = [await pair.receive(1, client) for client in range(1, 31)]
    found: list[TicketId] = []

    async def take(side: Side) -> None:
        while some := await side.tickets.revive(4):
            found.extend(some)

    async with anyio.create_task_group() as group:
        group.start_soon(take, pair.a)
        group.start_soon(take, pair.b)
    assert sorted(found) == sorted(envelope.ticket_id for envelope in envelopes)


async def test_effects_are_sent_by_the_run_that_owns_their_ticket(pair: Pair) -> None:
    envelope = await pair.receive(1)
    loaded = await pair.a.take(envelope.ticket_id)
    await pair.a.commit(loaded, envelope, Decision(state=loaded.state, effects=(HELLO, HELLO)))
    assert list(await pair.b.outbox.heads(None, 10, 10)) == []
    rows = await pair.a.outbox.heads(None, 10, 10)
    assert len(rows) == 2
    assert list(await pair.b.outbox.starting(rows)) == []
    assert await pair.nodes.move(envelope.ticket_id, pair.b.node.owner)
    assert list(await pair.a.outbox.starting(rows)) == []
    moved = await pair.b.outbox.heads(None, 10, 10)
    assert [row.id for row in moved] == [row.id for row in rows]
    assert set(await pair.b.outbox.starting(moved)) == {row.id for row in rows}


async def test_of_two_starts_of_one_row_one_succeeds(pair: Pair) -> None:
    envelope = await pair.receive(1)
    loaded = await pair.a.take(envelope.ticket_id)
    await pair.a.commit(loaded, envelope, Decision(state=loaded.state, effects=(HELLO,)))
    rows = await pair.a.outbox.heads(None, 1, 1)
    assert set(await pair.a.outbox.starting(rows)) == {rows[0].id}
    assert list(await pair.a.outbox.starting(rows)) == []
    [again] = await pair.a.outbox.heads(None, 1, 1)
    assert again.uncertain


async def test_a_run_that_ended_starts_nothing(pair: Pair) -> None:
    envelope = await pair.receive(1)
    loaded = await pair.a.take(envelope.ticket_id)
    await pair.a.commit(loaded, envelope, Decision(state=loaded.state, effects=(HELLO,)))
    rows = await pair.a.outbox.heads(None, 1, 1)
    await pair.backing.silence("a")
    await pair.nodes.declare_dead(LEASE_S)
    assert list(await pair.a.outbox.starting(rows)) == []


async def test_a_lane_shared_by_two_tickets_is_sent_in_order_by_both_owners(pair: Pair) -> None:
    """A client's chat holds the end of one ticket and the beginning of the next."""
    first = await pair.receive(1)
    loaded = await pair.a.take(first.ticket_id)
    to_client = Say(place=CLIENT, text=Text(key="received"))
    await pair.a.commit(loaded, first, Decision(state=loaded.state, effects=(to_client,)))
    await pair.backing.close_all()
    second = await pair.receive(2)
    assert second.ticket_id != first.ticket_id
    other = await pair.b.take(second.ticket_id)
    await pair.b.commit(other, second, Decision(state=other.state, effects=(to_client,)))
    assert list(await pair.b.outbox.heads(None, 10, 10)) == []
    [row] = await pair.a.outbox.heads(None, 10, 10)
    assert row.ticket_id == first.ticket_id


async def test_what_a_dead_run_had_still_to_send_is_revived_although_its_ticket_is_closed(
    pair: Pair,
) -> None:
    envelope = await pair.receive(1)
    loaded = await pair.a.take(envelope.ticket_id)
    await pair.a.commit(loaded, envelope, Decision(state=loaded.state, effects=(HELLO,)))
    await pair.backing.close_all()
    await pair.nodes.retire(pair.a.node)
    assert list(await pair.b.tickets.revive(10)) == [envelope.ticket_id]
    assert len(await pair.b.outbox.heads(None, 10, 10)) == 1


async def test_a_timer_is_fired_by_the_owner_or_by_whoever_may_become_it(pair: Pair) -> None:
    envelope = await pair.receive(1)
    loaded = await pair.a.take(envelope.ticket_id)
    timer = ArmTimer(name="now", after=timedelta(0))
    await pair.a.commit(loaded, envelope, Decision(state=loaded.state, timers=(timer,)))
    assert list(await pair.b.tickets.fire_timers(10)) == []
    await pair.nodes.retire(pair.a.node)
    [fired] = await pair.b.tickets.fire_timers(10)
    assert fired.seq == Seq(2)
    assert list(await pair.a.tickets.fire_timers(10)) == []


async def test_a_hand_over_is_even_leaves_the_busy_and_raises_epochs(pair: Pair) -> None:
    await pair.nodes.register(a_run("c"))
    draining = a_run("d")
    await pair.nodes.register(draining)
    await pair.nodes.beat(draining, NodeStatus.DRAINING)
    envelopes = [await pair.receive(1, client) for client in range(1, 8)]
    before = [await pair.a.take(envelope.ticket_id) for envelope in envelopes]
    busy = envelopes[0].ticket_id
    given: dict[str, list[TicketId]] = {}
    while some := await pair.nodes.hand_over(pair.a.node, {busy}, 4):
        for owner, tickets in some.items():
            given.setdefault(owner, []).extend(tickets)
    assert {owner: len(tickets) for owner, tickets in given.items()} == {"b/1": 3, "c/1": 3}
    late = await pair.a.commit(before[1], envelopes[1], Decision(state=before[1].state))
    assert late is CommitStatus.FENCED
    kept = await pair.a.commit(before[0], envelopes[0], Decision(state=before[0].state))
    assert kept is CommitStatus.COMMITTED


async def test_with_nobody_else_tickets_become_nobodys(pair: Pair) -> None:
    envelope = await pair.receive(1)
    await pair.a.take(envelope.ticket_id)
    await pair.nodes.retire(pair.b.node)
    given = await pair.nodes.hand_over(pair.a.node, (), 10)
    assert given == {"": [envelope.ticket_id]}
    assert await pair.nodes.hand_over(pair.a.node, (), 10) == {}


async def test_tickets_move_only_to_a_run_that_is_up(pair: Pair) -> None:
    envelope = await pair.receive(1)
    await pair.a.take(envelope.ticket_id)
    await pair.nodes.beat(pair.b.node, NodeStatus.DRAINING)
    assert not await pair.nodes.move(envelope.ticket_id, pair.b.node.owner)
    assert not await pair.nodes.move(envelope.ticket_id, "nobody/1")
    assert await pair.a.tickets.claim(envelope.ticket_id) is not None


async def test_a_role_is_held_by_one_and_moves_when_that_one_ends(pair: Pair) -> None:
    assert await pair.nodes.take_role(pair.a.node, Role.POLLING)
    assert not await pair.nodes.take_role(pair.b.node, Role.POLLING)
    assert await pair.nodes.take_role(pair.a.node, Role.POLLING)
    assert await pair.nodes.take_role(pair.b.node, Role.DESK)
    await pair.nodes.retire(pair.a.node)
    assert await pair.nodes.take_role(pair.b.node, Role.POLLING)
    await pair.nodes.leave_roles(pair.b.node)
    await pair.nodes.register(a_run("a", "2"))
    assert await pair.nodes.take_role(a_run("a", "2"), Role.POLLING)


async def test_a_quarantine_holds_on_every_node_until_it_is_lifted(pair: Pair) -> None:
    envelope = await pair.receive(1)
    await pair.a.take(envelope.ticket_id)
    await pair.b.tickets.quarantine(envelope.ticket_id, "not its own")
    await pair.a.take(envelope.ticket_id)
    await pair.a.tickets.quarantine(envelope.ticket_id, "three dead letters")
    await pair.a.tickets.quarantine(envelope.ticket_id, "and again")
    with pytest.raises(Quarantined, match="three dead letters"):
        await pair.a.tickets.claim(envelope.ticket_id)
    await pair.nodes.retire(pair.a.node)
    assert list(await pair.b.tickets.waiting(10)) == []
    with pytest.raises(Quarantined):
        await pair.b.tickets.claim(envelope.ticket_id)
    assert list(await pair.b.tickets.revive(10)) == [], "it is this run's own now"
    await pair.backing.lift_quarantines()
    assert list(await pair.b.tickets.waiting(10)) == [envelope.ticket_id]


async def test_stored_messages_name_the_owner_of_their_ticket(pair: Pair) -> None:
    first = await pair.receive(1)
    assert first.owner is None
    await pair.a.take(first.ticket_id)
    assert (await pair.receive(2)).owner == pair.a.node.owner
