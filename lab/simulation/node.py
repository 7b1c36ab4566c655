"""One simulated node: the real runtime, delivery and node, over simulated ports."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import anyio
from aiogram.methods import TelegramMethod
from anyio.abc import TaskGroup

from actors.ids import TicketId
from actors.messages import Envelope, Person, Technician
from actors.nodes import NodeIdentity
from actors.ports import ClientCard, Incoming, Made, OutboxRow, Stored
from bot.calls import Calls
from bot.delivery import Delivery, DeliveryOptions, PaceOptions
from bot.delivery.pace import Pace
from bot.texts import Texts
from lab.simulation.bugs import Bug
from lab.simulation.clock import PROCESS, VirtualTime
from lab.simulation.decisions import Decisions
from lab.simulation.inbox import MemoryInbox, MemoryTopicBook
from lab.simulation.links import NoLinks
from lab.simulation.mistakes import inbox_of, node_options, node_type, told
from lab.simulation.network import Bus, FaultyLink, Life, Weather
from lab.simulation.nodes import MemoryNodeStore
from lab.simulation.outbox import MemoryOutbox
from lab.simulation.plan import Plan
from lab.simulation.redis import Leased, MemoryLeases, MemoryMarks, NoPresses
from lab.simulation.store import MemoryTicketStore
from lab.simulation.telegram import SimulatedTelegram
from lab.simulation.trace import Trace
from lab.simulation.world import BEGINNING, Session, World
from supervisor.node import NodeState
from supervisor.options import RuntimeOptions
from supervisor.router import Router
from supervisor.runtime import Runtime

WORKERS = 6
"""Fewer make a run faster, and are all busy at times."""

TIGHT = {
    "mailbox_messages_max": 4,
    "window_messages_max": 8,
    "turn_messages_max": 3,
    "commit_turns_max": 2,
    "poll_tickets_max": 3,
    "timers_max": 2,
}
"""Bounds that a few people reach."""

LAG_INTERVAL_S = 1.0
"""A loop of virtual time lags only where a run has it lag, and then for longer."""


def runtime_options(plan: Plan) -> RuntimeOptions:
    """Short back-offs let a run settle soon after its faults."""
    options = RuntimeOptions(
        workers=WORKERS,
        poll_interval_s=plan.poll_s,
        timer_interval_s=plan.poll_s,
        backoff_max_s=1.0,
        idle_timeout_s=20.0,
    )
    return replace(options, **TIGHT) if plan.is_tight else options


def delivery_options(plan: Plan) -> DeliveryOptions:
    options = DeliveryOptions(
        poll_interval_s=plan.poll_s,
        title_gap_s=8.0,
        retry_max_s=4.0,
        closed_max_s=8.0,
        unrecorded_max_s=4.0,
    )
    return replace(options, in_flight_max=2, group_max=2) if plan.is_tight else options


PACE = PaceOptions(bot_per_s=0.0, private_per_s=10.0, private_burst=20, group_per_min=0.0)
"""Telegram's own limits of a minute would make every run wait; 429 is drawn instead."""


type Handled = Callable[[str, TicketId, int], object]


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What all nodes share."""

    plan: Plan
    world: World
    telegram: SimulatedTelegram
    weather: Weather
    trace: Trace
    bus: Bus
    roster: tuple[Technician, ...]
    decisions: Decisions
    time: VirtualTime
    spawn: Callable[..., object]
    """Starts what may outlive whoever started it."""
    leased: Leased
    """Hears of each lease that is taken or extended."""
    handled: Handled
    """Hears of each message that a process takes for handled: process, ticket, seq."""
    leases: dict[str, tuple[str, float]] = field(default_factory=dict)
    marks: dict[str, Made] = field(default_factory=dict)
    watch: Callable[[Life, str], object] = lambda _life, _what: None
    """Hears of each request and call of all processes."""
    runs: int = 0
    """Runs of nodes so far."""


class _Roster:
    def __init__(self, technicians: tuple[Technician, ...]) -> None:
        self._technicians = technicians

    async def active(self) -> tuple[Technician, ...]:
        return self._technicians


class _NoDirectory:
    async def card(self, client: Person) -> ClientCard | None:  # noqa: ARG002 - it knows nobody
        return None


class _Rendered:
    """Calls, remembered with the rows that each was made for."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._rows: deque[tuple[TelegramMethod[Any], Sequence[OutboxRow]]] = deque(maxlen=512)

    async def render(self, row: OutboxRow) -> TelegramMethod[Any] | None:
        method = await self._calls.render(row)
        if method is not None:
            self._rows.append((method, (row,)))
        return method

    def join(self, rows: Sequence[OutboxRow]) -> TelegramMethod[Any]:
        method = self._calls.join(rows)
        self._rows.append((method, rows))
        return method

    async def album(self, rows: Sequence[OutboxRow]) -> TelegramMethod[Any]:
        method = await self._calls.album(rows)
        self._rows.append((method, rows))
        return method

    def rows_of(self, method: TelegramMethod[Any]) -> Sequence[OutboxRow]:
        return next(rows for known, rows in reversed(self._rows) if known is method)


class _Reporter:
    """What the runtime and the node say goes into the trace when somebody should know."""

    def __init__(self, trace: Trace, life: Life, handled: Handled) -> None:
        self._trace = trace
        self._life = life
        self._handled = handled

    def info(self, event: str, /, **facts: object) -> None:
        if event == "message_handled":
            self._handled(
                self._life.run, cast("TicketId", facts["ticket_id"]), cast("int", facts["seq"])
            )

    def warning(self, event: str, /, **facts: object) -> None:
        self._note(event, facts)

    def error(self, event: str, /, **facts: object) -> None:
        self._note(event, facts)

    def _note(self, event: str, facts: dict[str, object]) -> None:
        ticket = facts.get("ticket_id", 0)
        why = facts.get("error") or facts.get("why") or ""
        words = f"{event}: {why}" if why else event
        self._trace.note(self._life.run, words, ticket if isinstance(ticket, int) else 0)


class Machine:
    """One life of a node's process, from its start to its crash or its planned end."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self._around = around
        self._name = name
        around.runs += 1
        self._process = f"{name}.{around.runs}"
        self._is_slow = False
        self._scope = anyio.CancelScope()
        self.life = Life(name=name, run=self._process, end=self._end, watch=around.watch)
        session = Session(
            world=around.world,
            link=FaultyLink(around.plan, around.weather, around.trace, self.life),
            by=self._process,
        )
        rng = around.plan.rng(f"jitter {self._process}")
        reporter = _Reporter(around.trace, self.life, around.handled)
        store = MemoryTicketStore(session, self._who)
        outbox = MemoryOutbox(session, self._who)
        bugs = around.world.bugs
        self.inbox = inbox_of(bugs, MemoryInbox(session), around.spawn, self.offer)
        self.topics = MemoryTopicBook(session)
        calls = Calls(
            texts=Texts("en"),
            roster=_Roster(around.roster),
            directory=_NoDirectory(),
            tags=outbox,
            links=NoLinks(),
        )
        self._rendered = _Rendered(calls)
        self.delivery = Delivery(
            outbox=outbox,
            call=self._call,
            calls=cast("Calls", self._rendered),
            pace=Pace(PACE, around.time.now),
            marks=MemoryMarks(around.marks, around.weather, self.life),
            presses=NoPresses(),
            mailroom=self,
            options=delivery_options(around.plan),
            clock=around.time.now,
        )
        self.runtime = Runtime(
            store=store,
            hints=self.delivery,
            decide=around.decisions.decide,
            give_up=around.decisions.give_up,
            reporter=reporter,
            jitter=rng.random,
            mailroom=self,
            options=runtime_options(around.plan),
            clock=around.time.now,
        )
        self.node = node_type(bugs)(
            new_run=self._new_run,
            store=MemoryNodeStore(session),
            leases=MemoryLeases(
                around.leases,
                lambda: around.weather.redis_away,
                is_quiet=lambda: around.weather.quiet,
                clock=around.plan.clock_of("redis", around.time.now),
                leased=around.leased,
                life=self.life,
                careless=Bug.STOLEN_LEASE in bugs,
            ),
            hints=around.bus,
            worker=self.runtime,
            sender=self.delivery,
            reporter=reporter,
            options=replace(
                node_options(bugs),
                lag_interval_s=LAG_INTERVAL_S,
                watch_interval_s=around.plan.watch_s,
            ),
            clock=around.time.now,
        )
        self._router = Router(self.runtime, around.bus, lambda: self.node.identity.owner)

    @property
    def serves(self) -> bool:
        """By its own word; one that stands still says nothing."""
        awake = not self.life.is_over and self.life.awake is None
        return awake and self.node.state is NodeState.SERVING

    @property
    def owner(self) -> str:
        """The present run."""
        return self.node.identity.owner

    @property
    def process(self) -> str:
        return self._process

    @property
    def busy(self) -> Collection[TicketId]:
        """Tickets with a turn or a call under way."""
        return {*self.runtime.busy, *self.delivery.busy}

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        """Implements :class:`actors.ports.Mailroom`."""
        self._router.offer(told(self._around.world.bugs, envelopes))

    async def accept(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        """Intake: what came from Telegram is stored, then handed on; raises ``Transient``."""
        stored = await self.inbox.put(batch)
        self.offer([each.envelope for each in stored if each.envelope is not None])
        return stored

    async def run(self) -> None:
        """Runs until it is killed or has been drained."""
        PROCESS.set(self._process)
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    await group.start(self.node.run)
                    await group.start(self.runtime.run)
                    await group.start(self.delivery.run)
        finally:
            self.runtime.close()
            self.delivery.close()
        self._around.bus.leave(self.node.identity.owner)

    # --- held by somebody else --------------------------------------------------------------

    @property
    def is_held(self) -> bool:
        return self.life.is_hindered or self._is_slow

    def freeze(self) -> None:
        """It takes no step until :meth:`thaw`, as after SIGSTOP."""
        self.life.awake = anyio.Event()
        self._around.time.freeze(self._process)

    def slow_down(self, delay: Callable[[], float]) -> None:
        """Each of its steps comes ``delay()`` seconds late until :meth:`thaw`."""
        self._is_slow = True
        self._around.time.slow_down(self._process, delay)

    def thaw(self) -> None:
        awake, self.life.awake = self.life.awake, None
        if awake is not None:
            awake.set()
        self._is_slow = False
        self._around.time.thaw(self._process)

    async def drain(self) -> None:
        """Ends as SIGTERM ends a node: nothing is cut off that can be finished.

        A cancel kills it at once: nobody else will.
        """
        try:
            with anyio.move_on_after(15):
                await self.node.drain()
        finally:
            self.life.kill()

    def _end(self) -> None:
        self._scope.cancel()
        self.thaw()

    def _who(self) -> NodeIdentity:
        return self.node.identity

    def _new_run(self) -> NodeIdentity:
        self._around.runs += 1
        identity = NodeIdentity(
            name=self._name, incarnation=str(self._around.runs), started_at=BEGINNING
        )
        self._around.bus.listen(identity.owner, self._heard)
        return identity

    def _heard(self, tickets: Sequence[Any]) -> None:
        if not self.life.is_over:
            self.runtime.look(told(self._around.world.bugs, tickets))
            self.delivery.look()

    async def _call(self, method: TelegramMethod[Any]) -> Any:
        rows = self._rendered.rows_of(method)
        return await self._around.telegram.call(method, rows, self.life)


class Fleet:
    """All nodes: what runs now, by name, and starting anew what has ended."""

    def __init__(self, around: Surroundings, group: TaskGroup) -> None:
        self._around = around
        self._group = group
        self.machines: dict[str, Machine] = {}

    @property
    def names(self) -> list[str]:
        return [f"node-{number + 1}" for number in range(self._around.plan.nodes)]

    def start(self, name: str) -> Machine:
        """Starts a new process of that node; whatever ran under the name is killed."""
        before = self.machines.get(name)
        if before is not None and not before.life.is_over:
            before.life.kill()
        machine = self.machines[name] = Machine(name, self._around)
        self._around.trace.note(machine.life.run, "starts")
        self._group.start_soon(machine.run, name=machine.life.run)
        return machine

    def flush_redis(self) -> None:
        """Redis forgets leases and marks."""
        self._around.leases.clear()
        self._around.marks.clear()

    def serving(self) -> list[Machine]:
        return [machine for machine in self.machines.values() if machine.serves]
