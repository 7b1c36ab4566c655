"""The runtime handles every stored message once, in order, whatever fails around it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from actors.decision import ArmTimer, Decision
from actors.effects import Say, Text
from actors.errors import Transient
from actors.ids import TicketId
from actors.messages import Envelope, TimerFired, Unreadable
from actors.places import MAIN
from actors.state import Status, TicketState
from actors.workflows.support import decide as support_decide
from actors.workflows.support import give_up
from supervisor.actor import ActorStatus
from supervisor.options import RuntimeOptions
from supervisor.runtime import Runtime
from supervisor.turns import Decide
from tests.fakes.reporter import MemoryReporter
from tests.fakes.tickets import MemoryTickets

pytestmark = pytest.mark.anyio

SETTLE_S = 60.0

FAST = RuntimeOptions(
    poll_interval_s=0.02,
    timer_interval_s=0.02,
    transient_base_s=0.01,
    transient_max_s=0.05,
    backoff_base_s=0.01,
    backoff_max_s=0.02,
)
"""Real loops must not wait for real seconds."""


@pytest.fixture
def anyio_backend(core_backend: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return core_backend


@pytest.fixture
def store() -> MemoryTickets:
    return MemoryTickets()


class Lanes:
    """Hears which lanes were woken."""

    def __init__(self) -> None:
        self.woken: list[str] = []

        self.looks = 0

    def wake(self, lanes: Sequence[str]) -> None:
        self.woken += lanes

    def look(self) -> None:
        self.looks += 1


def say(state: TicketState, envelope: Envelope) -> Decision:
    """A workflow for tests: says one thing per message."""
    effect = Say(place=MAIN, text=Text(key=envelope.key))
    return Decision(state=state, effects=(effect,))


@asynccontextmanager
async def running(
    store: MemoryTickets,
    decide: Decide = say,
    *,
    reporter: MemoryReporter | None = None,
    options: RuntimeOptions = FAST,
    lanes: Lanes | None = None,
) -> AsyncIterator[Runtime]:
    runtime = Runtime(
        store=store,
        hints=lanes or Lanes(),
        decide=decide,
        give_up=give_up,
        reporter=reporter or MemoryReporter(),
        jitter=lambda: 0.0,
        options=options,
    )
    async with anyio.create_task_group() as group:
        await group.start(runtime.run)
        yield runtime
        group.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(SETTLE_S):
        while not condition():  # noqa: ASYNC110 — a condition of the fakes has no event
            await anyio.sleep(0.001)


async def test_messages_of_one_ticket_are_handled_once_and_in_order(store: MemoryTickets) -> None:
    """A burst larger than the window and the turn comes out as it went in."""
    ticket = store.add(1)
    async with running(store) as runtime:
        for _ in range(300):
            runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: store.unhandled() == 0)
    assert store.rows[ticket].handled_seqs == list(range(1, 301))
    keys = [effect.text.key for effect in store.rows[ticket].effects if isinstance(effect, Say)]
    assert keys == [f"test:1:{seq}" for seq in range(1, 301)]


async def test_a_lost_hint_costs_only_a_poll(store: MemoryTickets) -> None:
    ticket = store.add(1)
    async with running(store) as runtime:
        store.put(ticket, TimerFired(name="x"))
        await until(lambda: store.unhandled() == 0)
        assert runtime.stats().found_by_poll >= 1


async def test_hints_out_of_order_and_twice_change_nothing(store: MemoryTickets) -> None:
    ticket = store.add(1)
    async with running(store) as runtime:
        envelopes = [store.put(ticket, TimerFired(name="x")) for _ in range(10)]
        for envelope in [*reversed(envelopes), *envelopes]:
            runtime.offer([envelope])
        await until(lambda: store.unhandled() == 0)
    assert store.rows[ticket].handled_seqs == list(range(1, 11))


async def test_turns_of_different_tickets_share_commits(store: MemoryTickets) -> None:
    tickets = [store.add(n) for n in range(1, 51)]
    async with running(store) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x")) for ticket in tickets])
        await until(lambda: store.unhandled() == 0)
    assert sum(store.group_sizes) == 50
    assert len(store.group_sizes) < 25


async def test_nothing_is_hinted_before_its_commit(store: MemoryTickets) -> None:
    """The output gate: a commit that fails lets nothing out."""
    ticket = store.add(1)
    lanes = Lanes()
    store.failures = [Transient("away")] * 3
    async with running(store, lanes=lanes) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: not store.failures)
        assert lanes.woken == []
        await until(lambda: store.unhandled() == 0)
        await until(lambda: lanes.woken == ["lane"])


async def test_a_lost_answer_to_a_commit_does_not_repeat_the_turn(store: MemoryTickets) -> None:
    ticket = store.add(1)
    store.lost_answers = 1
    async with running(store) as runtime:
        for _ in range(5):
            runtime.offer([store.put(ticket, TimerFired(name="x"))])
            await checkpoint()
        await until(lambda: store.unhandled() == 0)
        await until(lambda: runtime.stats().messages_handled == 5)
        assert runtime.stats().commits_unknown == 1
        assert runtime.stats().fenced == 0
    assert store.rows[ticket].handled_seqs == [1, 2, 3, 4, 5]


async def test_an_outage_of_the_store_is_waited_for_and_counts_against_no_message(
    store: MemoryTickets,
) -> None:
    ticket = store.add(1)
    async with running(store) as runtime:
        store.away = True
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: runtime.stats().transients >= 6)
        store.away = False
        await until(lambda: store.unhandled() == 0)
    assert store.rows[ticket].dead == []


async def test_a_fenced_actor_stops_silently_and_the_ticket_goes_on_with_the_new_epoch(
    store: MemoryTickets,
) -> None:
    ticket = store.add(1)
    reporter = MemoryReporter()
    async with running(store, reporter=reporter) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: store.unhandled() == 0)
        store.rows[ticket].epoch += 1  # another writer took it
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: store.unhandled() == 0)
        assert runtime.stats().fenced == 1
    assert store.rows[ticket].handled_seqs == [1, 2]
    assert reporter.named("actor_crashed") == []


async def test_a_message_that_keeps_failing_is_given_up_and_the_rest_goes_on(
    store: MemoryTickets,
) -> None:
    """Five failures, then the dead letters, with the traceback; the next message is handled."""

    def picky(state: TicketState, envelope: Envelope) -> Decision:
        if envelope.seq == 2:
            raise ValueError("I do not like this one")
        return say(state, envelope)

    ticket = store.add(1)
    async with running(store, picky) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x")) for _ in range(3)])
        await until(lambda: store.unhandled() == 0)
        assert runtime.stats().crashes == 4
    [dead] = store.rows[ticket].dead
    assert dead.envelope.seq == 2
    assert dead.attempts == 5
    assert "I do not like this one" in dead.error
    assert store.rows[ticket].handled_seqs == [1, 2, 3]


async def test_an_unreadable_message_is_given_up_at_once(store: MemoryTickets) -> None:
    ticket = store.add(1)
    async with running(store, support_decide) as runtime:
        runtime.offer([store.put(ticket, Unreadable(detail="no such type"))])
        await until(lambda: store.unhandled() == 0)
        assert runtime.stats().crashes == 0
    assert [dead.attempts for dead in store.rows[ticket].dead] == [1]


async def test_three_dead_letters_quarantine_the_ticket_and_no_other(store: MemoryTickets) -> None:
    bad, good = store.add(1), store.add(2)
    async with running(store, support_decide) as runtime:
        runtime.offer([store.put(bad, Unreadable(detail="?")) for _ in range(5)])
        runtime.offer([store.put(good, TimerFired(name="x"))])
        await until(lambda: runtime.stats().actors[ActorStatus.QUARANTINED] == 1)
        await until(lambda: store.rows[good].handled == 1)
    assert store.rows[bad].handled == 3


async def test_a_corrupt_snapshot_quarantines_that_ticket_alone(store: MemoryTickets) -> None:
    bad, good = store.add(1), store.add(2)
    store.corrupt = {bad}
    async with running(store) as runtime:
        runtime.offer([store.put(t, TimerFired(name="x")) for t in (bad, good)])
        await until(lambda: runtime.stats().actors[ActorStatus.QUARANTINED] == 1)
        await until(lambda: store.rows[good].handled == 1)


async def test_one_bad_turn_in_a_group_does_not_take_the_others_down(store: MemoryTickets) -> None:
    """The group is written again one by one when the store refuses it as a whole."""
    tickets = [store.add(n) for n in range(1, 11)]
    store.failures = [ValueError("cannot write this")]
    async with running(store) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x")) for ticket in tickets])
        await until(lambda: store.unhandled() == 0)
    assert all(row.handled_seqs == [1] for row in store.rows.values())


async def test_a_ticket_in_a_long_queue_does_not_starve_the_others(store: MemoryTickets) -> None:
    loud, quiet = store.add(1), store.add(2)
    order: list[TicketId] = []

    def noting(state: TicketState, envelope: Envelope) -> Decision:
        order.append(state.ticket_id)
        return say(state, envelope)

    options = replace(FAST, workers=1)
    async with running(store, noting, options=options) as runtime:
        runtime.offer([store.put(loud, TimerFired(name="x")) for _ in range(1000)])
        runtime.offer([store.put(quiet, TimerFired(name="x"))])
        await until(lambda: store.unhandled() == 0)
    assert order.index(quiet) <= options.turn_messages_max


async def test_a_drained_runtime_finishes_its_turns_and_starts_no_more(
    store: MemoryTickets,
) -> None:
    ticket = store.add(1)
    async with running(store) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: store.unhandled() == 0)
        runtime.drain()
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await checkpoint()
    assert store.rows[ticket].handled == 1


async def test_a_closed_ticket_leaves_the_directory_and_open_ones_are_revived(
    store: MemoryTickets,
) -> None:
    tickets = [store.add(n) for n in range(1, 4)]

    def closing(state: TicketState, envelope: Envelope) -> Decision:
        return Decision(state=replace(state, status=Status.CLOSED))

    async with running(store, closing) as runtime:
        await until(lambda: runtime.stats().actors[ActorStatus.IDLE] == 3)
        runtime.offer([store.put(tickets[0], TimerFired(name="x"))])
        await until(lambda: sum(runtime.stats().actors.values()) == 2)


class TestInVirtualTime:
    """What takes hours takes none here."""

    @pytest.fixture
    def anyio_backend(self, virtual_time: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        return virtual_time

    async def test_a_timer_fires_once_and_in_time(self, store: MemoryTickets) -> None:
        ticket = store.add(1)
        fired: list[float] = []

        def arming(state: TicketState, envelope: Envelope) -> Decision:
            if envelope.message == TimerFired(name="day"):
                fired.append(anyio.current_time())
                return Decision(state=state)
            timer = ArmTimer(name="day", after=timedelta(hours=24))
            return Decision(state=state, timers=(timer,))

        options = RuntimeOptions(poll_interval_s=60, timer_interval_s=10)
        async with running(store, arming, options=options) as runtime:
            start = anyio.current_time()
            runtime.offer([store.put(ticket, TimerFired(name="start"))])
            await anyio.sleep(30 * 3600)
        assert len(fired) == 1
        assert 24 * 3600 <= fired[0] - start <= 24 * 3600 + 10.5

    async def test_a_ticket_that_keeps_crashing_waits_longer_and_longer(
        self, store: MemoryTickets
    ) -> None:
        ticket = store.add(1)
        times: list[float] = []

        def failing(state: TicketState, envelope: Envelope) -> Decision:
            times.append(anyio.current_time())
            raise ValueError("always")

        options = RuntimeOptions(attempts_max=1000)
        async with running(store, failing, options=options) as runtime:
            runtime.offer([store.put(ticket, TimerFired(name="x"))])
            await anyio.sleep(100)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps[0] < 0.01
        assert gaps[1] < 0.01
        for number, gap in enumerate(gaps[2:6]):
            assert gap == pytest.approx(2.0**number, abs=0.01)


async def test_a_paused_runtime_starts_nothing_and_goes_on_where_it_was(
    store: MemoryTickets,
) -> None:
    ticket = store.add(1)
    async with running(store) as runtime:
        runtime.pause()
        runtime.offer([store.put(ticket, TimerFired(name="x")) for _ in range(3)])
        await anyio.sleep(0.1)
        assert store.unhandled() == 3
        runtime.resume()
        await until(lambda: store.unhandled() == 0)
    assert store.rows[ticket].handled_seqs == [1, 2, 3]


async def test_stopped_turns_are_joined_and_tried_again_under_a_new_claim(
    store: MemoryTickets,
) -> None:
    ticket = store.add(1)
    async with running(store) as runtime:
        await until(lambda: store.rows[ticket].epoch > 0)
        store.hold = anyio.Event()
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: bool(runtime.busy))
        runtime.pause()
        await runtime.stop_turns()
        assert not runtime.busy
        store.hold.set()
        runtime.resume()
        await until(lambda: store.unhandled() == 0)
    assert store.rows[ticket].handled_seqs == [1]


async def test_forgotten_tickets_leave_no_trace_and_come_back_with_their_next_message(
    store: MemoryTickets,
) -> None:
    tickets = [store.add(n) for n in (1, 2)]
    async with running(store) as runtime:
        runtime.offer([store.put(t, TimerFired(name="x")) for t in tickets])
        await until(lambda: store.unhandled() == 0 and not runtime.busy)
        runtime.forget_all()
        assert sum(runtime.stats().actors.values()) == 0
        runtime.offer([store.put(tickets[0], TimerFired(name="x"))])
        await until(lambda: store.unhandled() == 0)
        assert sum(runtime.stats().actors.values()) == 1


async def test_tickets_that_nobody_needs_are_kept_as_numbers_and_wake_with_their_next_message(
    store: MemoryTickets,
) -> None:
    tickets = [store.add(n) for n in (1, 2, 3)]
    brief = replace(FAST, idle_timeout_s=0.05, chill_interval_s=0.01)
    async with running(store, options=brief) as runtime:
        await until(lambda: runtime.stats().actors[ActorStatus.IDLE] == 3)
        for _ in range(2):
            runtime.offer([store.put(tickets[0], TimerFired(name="x"))])
            await until(lambda: store.unhandled() == 0)
            await until(lambda: not list(runtime._directory))
            assert runtime.stats().actors[ActorStatus.IDLE] == 3
    assert store.rows[tickets[0]].handled_seqs == [1, 2]


async def test_a_hint_without_the_message_reads_the_inbox_at_once(store: MemoryTickets) -> None:
    ticket = store.add(1)
    slow = replace(FAST, poll_interval_s=30, timer_interval_s=30)
    async with running(store, options=slow) as runtime:
        await until(lambda: store.rows[ticket].epoch > 0)
        store.put(ticket, TimerFired(name="x"))
        runtime.look([ticket])
        with anyio.fail_after(10):
            await until(lambda: store.unhandled() == 0)
        assert runtime.stats().found_by_poll == 0


async def test_a_quarantine_is_stored_and_ends_with_its_release(store: MemoryTickets) -> None:
    ticket = store.add(1)
    store.corrupt.add(ticket)
    reporter = MemoryReporter()
    async with running(store, reporter=reporter) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: store.rows[ticket].quarantined is not None)
        assert runtime.stats().actors[ActorStatus.QUARANTINED] == 1
        store.corrupt.clear()
        await anyio.sleep(0.1)
        assert store.unhandled() == 1
        store.rows[ticket].quarantined = None
        await until(lambda: store.unhandled() == 0)
    assert len(reporter.named("ticket_quarantined")) == 1


async def test_a_ticket_in_quarantine_is_stopped_by_whoever_claims_it(
    store: MemoryTickets,
) -> None:
    ticket = store.add(1)
    store.rows[ticket].quarantined = "an operator's reason"
    async with running(store) as runtime:
        runtime.offer([store.put(ticket, TimerFired(name="x"))])
        await until(lambda: runtime.stats().actors[ActorStatus.QUARANTINED] == 1)
        assert store.unhandled() == 1


async def test_a_node_whose_turns_fail_takes_no_more_tickets(store: MemoryTickets) -> None:
    def broken(state: TicketState, envelope: Envelope) -> Decision:
        if state.ticket_id < 50:
            raise RuntimeError("a bug")
        return say(state, envelope)

    bad = [store.add(n) for n in range(1, 50)]
    reporter = MemoryReporter()
    async with running(store, broken, reporter=reporter) as runtime:
        await until(lambda: bool(reporter.named("tickets_revived")))
        runtime.offer([store.put(t, TimerFired(name="x")) for t in bad])
        await until(lambda: runtime.stats().crashes >= 45)
        orphan = store.add(100)
        runtime.look_for_orphans()
        await anyio.sleep(0.2)
        assert store.rows[orphan].epoch == 0


async def test_a_ticket_that_is_handed_over_brings_what_it_has_to_send(
    store: MemoryTickets,
) -> None:
    """Delivery looks everywhere then, and not for each message of a ticket that was here."""
    lanes = Lanes()
    async with running(store, lanes=lanes) as runtime:
        ticket, looks = store.add(1), lanes.looks
        store.put(ticket, TimerFired(name="x"))
        runtime.look([ticket])
        assert lanes.looks == looks + 1
        await until(lambda: store.unhandled() == 0)
        looks = lanes.looks
        store.put(ticket, TimerFired(name="y"))
        runtime.look([ticket])
        await until(lambda: store.unhandled() == 0)
        assert lanes.looks == looks
