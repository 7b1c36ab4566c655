"""``topicdesk bench status``: what the status page costs a node with very many tickets.

The node is ``topicdesk run`` in a process of its own; viewers hold ``/api/stream`` open and read.
Processor time is that of the node's process, with and without them, so what the node does anyway
(beats, polls) is told apart from what looking costs.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import anyio
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from lab.bench_takeover import fill, telegram_settings
from lab.bench_takeover_node import GONE
from lab.processes import BotProcess, free_port
from storage import migrate
from storage.embedded import embedded_postgres, embedded_valkey
from storage.postgres import PostgresOptions, create_engine

COST_MAX: Final = 0.02
"""The goal: of one core, for 100,000 actors and 50 viewers."""

SETTLE_S: Final = 5.0
"""After the last ticket was taken, and after the viewers came: what that began is over."""

TAKEN_WITHIN_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """Shares are of one core; ``cost`` is what the viewers add to the node's own."""

    tickets: int
    viewers: int
    seconds: float
    alone_share: float
    looked_at_share: float
    cost: float
    postgres_alone_share: float
    postgres_looked_at_share: float
    pictures_per_viewer: float
    picture_bytes: int
    counts_equal: bool
    """The page's count of open tickets is the database's."""
    load_before: float

    @property
    def is_clean(self) -> bool:
        return self.counts_equal and self.cost <= COST_MAX and self.pictures_per_viewer > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured, and how busy the machine was before."""

    tickets: int
    viewers: int
    seconds: float
    load: float


@dataclass(slots=True)
class Viewers:
    """What they read."""

    pictures: int = 0
    size: int = 0
    last: bytes = b""


def status(*, tickets: int, viewers: int, seconds: float, json_file: Path | None) -> int:
    """Measures and prints; exits 0 when the goal was reached."""
    report = anyio.run(measure, tickets, viewers, seconds, backend_options={"use_uvloop": True})
    title = f"status page, {tickets:,} tickets, {viewers} viewers"
    table = Table(title=title, show_header=False, min_width=len(title))
    for name, value in asdict(report).items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0 if report.is_clean else 1


async def measure(tickets: int, viewers: int, seconds: float) -> StatusReport:
    """One node on servers of its own, alone and then looked at."""
    load = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix="topicdesk-status-"))
    try:
        async with (
            embedded_postgres(folder) as dsn,
            embedded_valkey(folder) as redis_url,
            telegram_settings() as settings,
        ):
            await _fill(dsn, tickets)
            servers = {"POSTGRES_DSN": dsn, "REDIS_URL": redis_url}
            bind = {"HTTP_BIND": f"127.0.0.1:{free_port()}", "NODE_NAME": "heir"}
            environment = {**settings, **servers, **bind}
            async with BotProcess(environment, log_file=folder / "node.log") as node:
                await _until_taken(node, tickets)
                plan = Plan(tickets=tickets, viewers=viewers, seconds=seconds, load=load)
                return await _compared(node, folder, plan)
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder, True)  # noqa: FBT003


async def _fill(dsn: str, tickets: int) -> None:
    engine = create_engine(PostgresOptions(dsn=dsn, pool_size=1, command_timeout_s=600))
    try:
        await migrate.upgrade(engine)
        await fill(engine, tickets)
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE nodes SET status = 'dead' WHERE owner = :owner"), {"owner": GONE}
            )
    finally:
        await engine.dispose()


async def _until_taken(node: BotProcess, tickets: int) -> None:
    async with aiohttp.ClientSession() as session:
        with anyio.fail_after(TAKEN_WITHIN_S):
            while True:
                if (await _status(session, node))["ownership"]["owned"] >= tickets:
                    return
                await anyio.sleep(1)


async def _status(session: aiohttp.ClientSession, node: BotProcess) -> Any:
    async with session.get(f"{node.url}/api/status") as response:
        return await response.json()


async def _compared(node: BotProcess, folder: Path, plan: Plan) -> StatusReport:
    viewers, seconds = plan.viewers, plan.seconds
    process, postgres = psutil.Process(node.pid), _postgres(folder)
    await anyio.sleep(SETTLE_S)
    alone = await _shares([[process], postgres()], seconds)
    async with _looking(node, viewers) as seen:
        await anyio.sleep(SETTLE_S)
        seen.pictures = seen.size = 0
        looked_at = await _shares([[process], postgres()], seconds)
        pictures, size = seen.pictures, seen.size
        last = json.loads(seen.last.partition(b"data: ")[2]) if seen.last else None
    opened = 0 if last is None else last["tickets"]["NEW"] + last["tickets"]["WORK"]
    return StatusReport(
        tickets=plan.tickets,
        viewers=viewers,
        seconds=seconds,
        alone_share=alone[0],
        looked_at_share=looked_at[0],
        cost=round(looked_at[0] - alone[0], 4),
        postgres_alone_share=alone[1],
        postgres_looked_at_share=looked_at[1],
        pictures_per_viewer=round(pictures / viewers, 1) if viewers else 0.0,
        picture_bytes=round(size / pictures) if pictures else 0,
        counts_equal=opened == plan.tickets,
        load_before=round(plan.load, 1),
    )


def _postgres(folder: Path) -> Any:
    """A function that finds the processes of the embedded Postgres now."""
    [file] = folder.rglob("postmaster.pid")
    server = psutil.Process(int(file.read_text().split()[0]))
    return lambda: [server, *server.children(recursive=True)]


async def _shares(groups: Sequence[Sequence[Any]], seconds: float) -> list[float]:
    """Of one core, of each group of processes, from now on for so long."""
    began, before = time.perf_counter(), [sum(map(_used_s, group)) for group in groups]
    await anyio.sleep(seconds)
    after = [sum(map(_used_s, group)) for group in groups]
    span = time.perf_counter() - began
    return [round((b - a) / span, 4) for a, b in zip(before, after, strict=True)]


def _used_s(process: Any) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)


@asynccontextmanager
async def _looking(node: BotProcess, viewers: int) -> AsyncIterator[Viewers]:
    """So many pages are open."""
    seen = Viewers()
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        anyio.create_task_group() as group,
    ):
        for _ in range(viewers):
            group.start_soon(_look, session, node, seen)
        yield seen
        group.cancel_scope.cancel()


async def _look(session: aiohttp.ClientSession, node: BotProcess, seen: Viewers) -> None:
    async with session.get(f"{node.url}/api/stream") as response:
        while True:
            event = await response.content.readuntil(b"\n\n")
            if event.startswith(b"event: status"):
                seen.pictures += 1
                seen.size += len(event)
                seen.last = event
