"""One chaos run: the stage, people, the nemesis and a watch, a quiet end, and the verdict."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import anyio
import asyncpg

from lab.chaos.checker import Verdict, judge, missing
from lab.chaos.faults import FAMILIES, Planned, plan
from lab.chaos.history import Deed, History, Ledger
from lab.chaos.load import Load, LoadOptions
from lab.chaos.nemesis import Nemesis
from lab.chaos.nodes import NodeState, resent_in
from lab.chaos.servers import Servers
from lab.chaos.stage import Stage, staged
from lab.chaos.truth import Truth
from lab.chaos.watch import Watch
from lab.processes import DidNotStart

STILL_MAX_S: Final = 120.0
"""Nothing is broken, something is to come, and nothing has come for this long: it is lost. Behind
it: an answer that is 31 s late, and after it the longest back-off there is, twice."""

SETTLE_MAX_S: Final = 900.0
"""Should more and more be said twice and nothing else: even then a run ends."""

BEHIND_MAX: Final = 20
"""Whoever has so many words on their way waits: a slow machine is not to be told ever more."""

DOUBLES_S: Final = 3.0
"""Once all has arrived: whatever is sent a second time comes within this."""

LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosOptions:
    """What a run is. The same options break the same things at the same times."""

    minutes: float = 2.0
    nodes: int = 3
    clients: int = 20
    families: tuple[str, ...] = FAMILIES
    seed: int = 1
    webhook: bool | None = None
    """How updates reach the nodes; ``None``: the seed draws it."""

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def by_webhook(self) -> bool:
        if self.webhook is not None:
            return self.webhook
        return random.Random(f"mode {self.seed}").random() < 0.5  # noqa: PLR2004 - a coin

    @property
    def node_names(self) -> tuple[str, ...]:
        return tuple(f"node-{number}" for number in range(1, self.nodes + 1))

    def faults(self) -> tuple[Planned, ...]:
        return plan(self.seed, seconds=self.seconds, families=self.families, nodes=self.node_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTale:
    """How a node fared."""

    name: str
    starts: int
    failed_starts: int
    own_ends: int
    """How often it ended although nobody had asked it to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that a report tells."""

    options: ChaosOptions
    verdict: Verdict
    history: History
    nodes: tuple[NodeTale, ...]

    def as_json(self) -> dict[str, Any]:
        options = self.options
        return {
            "seed": options.seed,
            "minutes": options.minutes,
            "clients": options.clients,
            "faults": list(options.families),
            "updates_by": "webhook" if options.by_webhook else "polling",
            **self.verdict.as_json(),
            "resent": self.history.resent.total(),
            "nodes": [asdict(node) for node in self.nodes],
        }


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a view may read while the run goes on."""

    options: ChaosOptions
    history: History = field(default_factory=History)
    phase: str = "starting"
    stage: Stage | None = None
    faults: Sequence[Planned] = ()
    faults_since: float | None = None
    """On the loop's clock."""
    owed: int | None = None
    """Copies that are still to come; counted at the end only."""
    done: Outcome | None = None


async def run_chaos(options: ChaosOptions, folder: Path, progress: Progress) -> Outcome:
    """Runs it; everything has ended when this returns, also by a cancel.

    Raises:
        DidNotStart: Nodes or tickets did not come up while nothing was broken.
    """
    history = progress.history
    async with staged(
        folder, nodes=options.nodes, webhook=options.by_webhook, seed=options.seed
    ) as stage:
        progress.stage = stage
        load_options = LoadOptions(clients=options.clients, behind_max=BEHIND_MAX)
        load = Load(stage.lab, history, load_options, options.seed)
        watch = Watch(stage.lab, history, lambda: load.client_ids)
        truth = Truth(stage, history)
        progress.phase = "opening tickets"
        try:
            await load.open()
        except TimeoutError as error:
            raise DidNotStart(f"no ticket was opened, with nothing broken: {error}") from error
        async with anyio.create_task_group() as watching:
            watching.start_soon(watch.run)
            watching.start_soon(truth.run)
            await _broken(options, stage, load, progress)
            progress.phase = "settling"
            with anyio.move_on_after(SETTLE_MAX_S):
                await _settled(stage, progress)
            watching.cancel_scope.cancel()
        await watch.look()
        await truth.at_rest()
        history.ledger = await stage.servers.ledger()
        history.resent = await _resent(stage)
        history.undone = _undone(history, await stage.lab.world())
        verdict = judge(history)
        nodes = tuple(
            NodeTale(
                name=node.name,
                starts=node.starts,
                failed_starts=node.failed_starts,
                own_ends=node.own_ends,
            )
            for node in stage.nodes.values()
        )
        progress.phase = "stopping"
    progress.done = Outcome(options=options, verdict=verdict, history=history, nodes=nodes)
    return progress.done


async def _broken(options: ChaosOptions, stage: Stage, load: Load, progress: Progress) -> None:
    """The time of trouble: people write, the nemesis breaks, until its last fault has healed."""
    progress.faults = options.faults()
    progress.faults_since = anyio.current_time()
    progress.phase = "breaking"
    nemesis = Nemesis(stage, progress.history.broken, load.burst)
    async with anyio.create_task_group() as people:
        people.start_soon(load.run)
        await nemesis.run(progress.faults)
        await anyio.sleep_until(progress.faults_since + options.seconds)
        load.finish()


async def _settled(stage: Stage, progress: Progress) -> None:
    """Returns when all has arrived, nothing is left to do, and no double came late.

    Or when nothing happens any more although it should.
    """
    seen, since = -1, anyio.current_time()
    while anyio.current_time() - since < STILL_MAX_S:
        if len(progress.history.shown) != seen:
            seen, since = len(progress.history.shown), anyio.current_time()
        progress.owed = missing(progress.history)
        if not progress.owed and await _is_at_rest(stage):
            await anyio.sleep(DOUBLES_S)
            return
        await anyio.sleep(LOOK_S)


async def _is_at_rest(stage: Stage) -> bool:
    if any(node.state is not NodeState.UP for node in stage.nodes.values()):
        return False
    ledger = await _ledger(stage.servers)
    return ledger is not None and not ledger.unhandled and not ledger.unsent


async def _ledger(servers: Servers) -> Ledger | None:
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return await servers.ledger()
    return None


def _undone(history: History, world: Mapping[str, Any]) -> list[Deed]:
    """Deeds that the topics of the main group do not show."""
    topics = {
        (chat["id"], topic["thread_id"]): topic
        for chat in world["chats"]
        for topic in chat.get("topics") or ()
    }
    return [
        deed
        for deed in history.deeds
        if not _is_shown(deed, topics.get((deed.chat, deed.thread), {}))
    ]


def _is_shown(deed: Deed, topic: Mapping[str, Any]) -> bool:
    has_technician = "@" in topic.get("name", "")
    return has_technician and (deed.what != "closed" or bool(topic["closed"]))


async def _resent(stage: Stage) -> Counter[int]:
    """Calls that the program said it repeated, by the client whose ticket it was."""
    clients = await stage.servers.clients_of_tickets()
    found: Counter[int] = Counter()
    for ticket, count in resent_in(stage.logs).items():
        found[clients[ticket]] += count
    return found
