"""A node works only while the judge knows that it lives, and nobody is declared dead wrongly."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from actors.ids import TicketId
from actors.nodes import NodeIdentity, NodeStatus, Role
from supervisor.node import Node
from supervisor.options import NodeOptions
from tests.fakes.nodes import FakeSender, FakeWorker, MemoryLeases, MemoryNodes, NotedHints
from tests.fakes.reporter import MemoryReporter

pytestmark = pytest.mark.anyio

OPTIONS = NodeOptions()
TICKETS = [TicketId(n) for n in range(1, 6)]


@pytest.fixture
def anyio_backend(virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """Leases are seconds long; the clock jumps over them."""
    return virtual_time


@dataclass
class Place:
    """Where nodes live together."""

    store: MemoryNodes = field(default_factory=MemoryNodes)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    hints: NotedHints = field(default_factory=NotedHints)
    reporter: MemoryReporter = field(default_factory=MemoryReporter)
    runs: int = 0


@dataclass
class Living:
    node: Node
    worker: FakeWorker
    sender: FakeSender
    scope: anyio.CancelScope

    @property
    def owner(self) -> str:
        return self.node.identity.owner


def identities(place: Place, name: str) -> Callable[[], NodeIdentity]:
    def new_run() -> NodeIdentity:
        place.runs += 1
        started = datetime(2026, 1, 1, tzinfo=UTC)
        return NodeIdentity(name=name, incarnation=str(place.runs), started_at=started)

    return new_run


@asynccontextmanager
async def living(place: Place, *names: str) -> AsyncIterator[list[Living]]:
    """Nodes that run; cancelling a scope is a crash."""
    async with anyio.create_task_group() as group:
        nodes = [await _start(group, place, name) for name in names]
        yield nodes
        group.cancel_scope.cancel()


async def _start(group: anyio.abc.TaskGroup, place: Place, name: str) -> Living:
    worker, sender = FakeWorker(), FakeSender()
    node = Node(
        new_run=identities(place, name),
        store=place.store,
        leases=place.leases,
        hints=place.hints,
        worker=worker,
        sender=sender,
        reporter=place.reporter,
        roles=(Role.POLLING, Role.DESK),
    )
    scope = anyio.CancelScope()

    async def run(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        with scope:
            await node.run(task_status=task_status)

    await group.start(run)
    return Living(node=node, worker=worker, sender=sender, scope=scope)


def state(living: Living) -> str:
    return str(living.node.state)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the fakes have no events
        await anyio.sleep(0.1)


async def test_a_node_that_begins_serves_and_looks_for_orphans() -> None:
    place = Place()
    async with living(place, "a") as [a]:
        assert state(a) == "serving"
        assert a.worker.notes == ["orphans", "resume"]
        assert place.store.records["a"].status is NodeStatus.UP


async def test_living_nodes_never_take_each_other_for_dead() -> None:
    place = Place()
    async with living(place, "a", "b", "c") as nodes:
        await anyio.sleep(3600)
        assert [each.node.declared_dead for each in nodes] == [0, 0, 0]
        assert all(state(each) == "serving" for each in nodes)


@pytest.mark.parametrize("redis_away", [False, True])
async def test_a_crashed_node_is_found_within_twenty_seconds_by_one_of_the_others(
    *, redis_away: bool
) -> None:
    place = Place()
    place.leases.away = redis_away
    async with living(place, "a", "b", "c") as [a, b, c]:
        await anyio.sleep(60)
        crashed_at = anyio.current_time()
        a.scope.cancel()
        await until(lambda: not place.store.records["a"].is_alive)
        assert OPTIONS.lease_s - OPTIONS.beat_interval_s <= anyio.current_time() - crashed_at < 20
        await anyio.sleep(OPTIONS.beat_interval_s + 1)
        assert b.node.declared_dead + c.node.declared_dead == 1
        assert b.worker.notes.count("orphans") >= 2
        assert c.worker.notes.count("orphans") >= 2


async def test_a_node_that_cannot_beat_pauses_and_stops_before_others_may_take_its_tickets() -> (
    None
):
    place = Place()
    async with living(place, "a", "b") as [a, _]:
        await anyio.sleep(60)
        a.worker.busy = {TicketId(1)}
        place.store.away.add("a")
        cut_at = anyio.current_time()
        await until(lambda: a.worker.paused)
        paused_after = anyio.current_time() - cut_at
        assert state(a) == "paused"
        await until(lambda: "stop" in a.worker.notes)
        stopped_after = anyio.current_time() - cut_at
        await until(lambda: not place.store.records["a"].is_alive)
        dead_after = anyio.current_time() - cut_at
        assert paused_after < stopped_after < dead_after


async def test_a_postgres_that_takes_each_beat_slowly_is_still_beaten_in_time() -> None:
    place = Place()
    async with living(place, "a") as [a]:
        place.store.slowness_s = OPTIONS.beat_timeout_s - 1
        await anyio.sleep(60)
        assert not a.worker.paused
        assert "pause" not in a.worker.notes


async def test_a_short_outage_is_waited_out_and_the_run_goes_on() -> None:
    place = Place()
    async with living(place, "a") as [a]:
        run = a.owner
        place.store.away.add("a")
        await anyio.sleep(OPTIONS.pause_after_s + 2)
        assert state(a) == "paused"
        place.store.away.clear()
        await anyio.sleep(OPTIONS.beat_interval_s + 1)
        assert state(a) == "serving"
        assert a.owner == run
        assert "forget all" not in a.worker.notes


async def test_after_an_outage_for_all_nobody_is_declared_dead() -> None:
    """All beats are a minute old then; whoever asks first must not bury the others."""
    place = Place()
    async with living(place, "a", "b", "c") as nodes:
        await anyio.sleep(60)
        place.store.away.add("*")
        await anyio.sleep(60)
        place.store.away.clear()
        await anyio.sleep(60)
        assert [each.node.declared_dead for each in nodes] == [0, 0, 0]
        assert all(state(each) == "serving" for each in nodes)


async def test_a_node_that_was_declared_dead_begins_a_new_run_with_nothing() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, _]:
        await anyio.sleep(60)
        former = a.owner
        place.store.away.add("a")
        await anyio.sleep(40)
        place.store.away.clear()
        await anyio.sleep(10)
        assert state(a) == "serving"
        assert a.owner != former
        assert "forget all" in a.worker.notes
        assert not a.worker.paused


async def test_turns_that_never_end_are_stopped_and_the_run_goes_on() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, _]:
        a.worker.busy = {TicketId(1)}
        await anyio.sleep(OPTIONS.stuck_after_s + OPTIONS.lease_s + 10)
        assert place.reporter.named("no_turn_ends")
        assert "stop" in a.worker.notes
        assert (a.owner, state(a)) == ("a/1", "serving")


async def test_a_node_whose_turns_cannot_even_be_stopped_is_left_to_die() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, b]:
        a.worker.busy, a.worker.stuck = {TicketId(1)}, True
        await anyio.sleep(OPTIONS.stuck_after_s + OPTIONS.lease_s + 10)
        assert not place.store.records["a"].is_alive
        assert b.node.declared_dead == 1


async def test_a_role_is_one_nodes_and_moves_when_that_node_dies() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, b]:
        assert a.node.holds(Role.POLLING)
        assert not b.node.holds(Role.POLLING)
        await anyio.sleep(30)
        a.scope.cancel()
        with anyio.fail_after(25):
            while not (b.node.holds(Role.POLLING) and b.node.holds(Role.DESK)):
                await b.node.role_changed()


async def test_a_node_that_ends_tells_the_others_that_its_roles_are_free() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, b]:
        await anyio.sleep(30)
        await a.node.drain()
        assert (b.owner, ()) in place.hints.told
        assert not b.node.holds(Role.POLLING)
        b.node.told(())
        with anyio.fail_after(0.5):
            while not (b.node.holds(Role.POLLING) and b.node.holds(Role.DESK)):
                await b.node.role_changed()


async def test_tickets_that_another_run_hints_at_are_looked_at() -> None:
    place = Place()
    async with living(place, "a") as [a]:
        a.node.told([TicketId(3)])
        assert "look [3]" in a.worker.notes


async def test_a_paused_node_holds_no_role() -> None:
    place = Place()
    async with living(place, "a") as [a]:
        place.store.away.add("a")
        await anyio.sleep(OPTIONS.pause_after_s + 1)
        assert not a.node.holds(Role.POLLING)


async def test_a_drain_gives_idle_tickets_at_once_and_busy_ones_when_they_are_done() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, b]:
        place.store.owners = dict.fromkeys(TICKETS, a.owner)
        a.worker.busy, a.sender.busy = {TICKETS[0]}, {TICKETS[1]}
        async with anyio.create_task_group() as group:
            group.start_soon(a.node.drain)
            await anyio.sleep(0.5)
            assert a.sender.drained
            assert a.worker.paused
            still = [t for t, owner in place.store.owners.items() if owner == a.owner]
            assert still == TICKETS[:2]
            a.worker.busy.clear()
            a.sender.busy.clear()
        assert set(place.store.owners.values()) == {b.owner}
        assert {t for _, tickets in place.hints.told for t in tickets} == set(TICKETS)
        assert place.store.records["a"].status is NodeStatus.DEAD
        assert Role.POLLING not in place.store.roles or b.node.holds(Role.POLLING)
        assert "a" not in place.leases.until


async def test_a_node_that_has_ended_never_begins_anew() -> None:
    """Its process lives a little longer, to close its connections; a beat may fall due then."""
    place = Place()
    async with living(place, "a", "b") as [a, b]:
        await a.node.drain()
        await anyio.sleep(3 * OPTIONS.beat_interval_s)
        assert state(a) == "ended"
        assert place.store.records["a"].status is NodeStatus.DEAD
        assert "a" not in place.leases.until
        assert state(b) == "serving"


@pytest.mark.parametrize("after_s", [n / 4 for n in range(9)])
async def test_a_node_told_to_end_while_it_begins_anew_leaves_no_run_behind(after_s: float) -> None:
    place = Place()
    async with living(place, "a") as [a]:
        place.store.slowness_s = 0.5
        record = place.store.records["a"]
        place.store.records["a"] = replace(record, status=NodeStatus.DEAD)
        await anyio.sleep(OPTIONS.beat_interval_s + after_s)
        await a.node.drain()
        await anyio.sleep(3 * OPTIONS.beat_interval_s)
        assert state(a) == "ended"
        assert place.store.records["a"].status is NodeStatus.DEAD


async def test_a_drain_does_not_wait_for_ever() -> None:
    place = Place()
    async with living(place, "a", "b") as [a, b]:
        place.store.owners = dict.fromkeys(TICKETS, a.owner)
        a.worker.busy = {TICKETS[0]}
        began = anyio.current_time()
        await a.node.drain()
        assert anyio.current_time() - began <= OPTIONS.drain_s + 1
        assert "stop" in a.worker.notes, "the turn was joined before its ticket was given"
        assert set(place.store.owners.values()) == {b.owner}


async def test_a_drain_without_postgres_ends_all_the_same() -> None:
    place = Place()
    async with living(place, "a") as [a]:
        place.store.away.add("*")
        with anyio.fail_after(OPTIONS.drain_s + OPTIONS.beat_timeout_s + 1):
            await a.node.drain()
        assert state(a) == "ended"


async def test_a_stolen_lease_is_not_renewed() -> None:
    place = Place()
    thief = identities(place, "a")()
    await place.leases.extend(thief, 1000)
    async with living(place, "a") as [a]:
        await anyio.sleep(30)
        assert place.leases.until["a"][0] == thief.incarnation
        assert state(a) == "serving", "Redis decides nothing"
