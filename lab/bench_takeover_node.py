"""``python -m lab.bench_takeover_node``: the node that takes over, and what it sees of itself.

The whole program as ``topicdesk run`` starts it, with a ticker in the same loop. It declares the
other run dead, as a third node would, and prints one line of JSON when all tickets are its own.
"""

import gc
import json
import os
import time
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import structlog
import uvloop
from sqlalchemy import text

from bootstrap.app import Application, started
from bootstrap.logs import configure_logging
from bootstrap.settings import load_settings

GONE: Final = "gone/1"
"""The run whose tickets are taken."""

TICK_S: Final = 0.001
"""The ticker wants to run so often; how late it does is how long the loop stood."""

SETTLED_S: Final = 3.3
"""After its start. It has its connections by then, and has just looked who lives: the worst moment
for a death, of which it hears at its next look."""

TAKEN_WITHIN_S: Final = 120.0
"""No takeover that is worth a figure takes longer."""

_DECLARE = text("UPDATE nodes SET status = 'dead' WHERE owner = :owner")
_OWNED = text("SELECT count(*) FROM tickets WHERE owner = :owner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the node saw. Times since the other run was declared dead; memory is resident."""

    claimed: int
    noticed_s: float
    """Until the first tickets were its own: a node hears of a death by its next look."""
    claimed_s: float
    """Until the last ones were."""
    base_bytes: int
    grown_bytes: int
    stop_ms: float
    """The longest time that the loop did nothing else, by the clock on the wall."""
    busy_ms: float
    """The same in processor time: without what other processes took of the machine."""


class Ticker:
    """Runs in the loop that it watches."""

    def __init__(self) -> None:
        self.stop_s = 0.0
        self.busy_s = 0.0

    async def run(self) -> None:
        while True:
            slept_at, used = time.perf_counter(), time.thread_time()
            await anyio.sleep(TICK_S)
            self.stop_s = max(self.stop_s, time.perf_counter() - slept_at - TICK_S)
            self.busy_s = max(self.busy_s, time.thread_time() - used)


class Witness:
    """Hears what the program says of its takeover, as anybody who reads its log."""

    def __init__(self) -> None:
        self.revived = anyio.Event()
        self.revived_at = 0.0

    def __call__(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        del logger, method
        if event["event"] == "tickets_revived":
            self.revived_at = time.perf_counter()
            self.revived.set()
        return event


def resident_bytes() -> int:
    """Of this process, once what nobody needs is gone."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def take_over() -> Taken:
    """Runs the program until it has taken everything."""
    settings = load_settings(os.environ, None)
    configure_logging(
        level="INFO", style="json", node=settings.node_name, secrets=settings.secrets()
    )
    witness = Witness()
    structlog.configure(processors=[witness, *structlog.get_config()["processors"]])
    async with started(settings) as application:
        await anyio.sleep(SETTLED_S)
        return await _watched(application, witness)


async def _watched(application: Application, witness: Witness) -> Taken:
    base, ticker = resident_bytes(), Ticker()
    async with anyio.create_task_group() as group:
        group.start_soon(ticker.run)
        await anyio.sleep(TICK_S)
        async with application.engine.begin() as connection:
            await connection.execute(_DECLARE, {"owner": GONE})
        declared_at = time.perf_counter()
        with anyio.fail_after(TAKEN_WITHIN_S):
            # No word of the first tickets is to be had, only of the last.
            while not sum(application.runtime.stats().actors.values()):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            noticed_at = time.perf_counter()
            await witness.revived.wait()
        noticed_at = min(noticed_at, witness.revived_at)  # few tickets: all between two looks
        group.cancel_scope.cancel()
    async with application.engine.begin() as connection:
        values = {"owner": application.node.identity.owner}
        claimed = (await connection.execute(_OWNED, values)).scalar_one()
    return Taken(
        claimed=claimed,
        noticed_s=round(noticed_at - declared_at, 3),
        claimed_s=round(witness.revived_at - declared_at, 3),
        base_bytes=base,
        grown_bytes=resident_bytes() - base,
        stop_ms=round(ticker.stop_s * 1000, 1),
        busy_ms=round(ticker.busy_s * 1000, 1),
    )


if __name__ == "__main__":
    found = anyio.run(take_over, backend_options={"loop_factory": uvloop.new_event_loop})
    print(json.dumps(asdict(found)), flush=True)
