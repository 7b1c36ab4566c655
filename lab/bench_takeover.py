"""``topicdesk bench takeover``: how fast, and at what cost, a node takes a dead one's tickets.

Postgres and Valkey are embedded; the local Telegram and the node are processes of their own, as
in production. Every ticket is open and idle, with a conversation behind it.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import anyio
from rich.console import Console
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import TopicdeskError
from actors.ids import TicketId, UserId
from actors.messages import Person
from actors.state import TicketState
from lab.bench_takeover_node import GONE, Taken
from lab.processes import INHERITED, free_port
from storage import migrate
from storage.codec import dumps, encode_state
from storage.embedded import embedded_postgres, embedded_valkey
from storage.postgres import PostgresOptions, create_engine

SECONDS_MAX: Final = 10.0
BYTES_PER_TICKET_MAX: Final = 1000
STOP_MS_MAX: Final = 50.0
"""The goals, for 100,000 tickets."""

MESSAGES_EACH: Final = 4
"""Handled messages behind each ticket: an inbox is mostly history."""

FIRST_CLIENT_ID: Final = 6_000_000_000

SAID_MAX: Final = 2000
"""Characters of a failed node's log that are shown: its end."""

_STATEMENTS: Final = (
    """INSERT INTO nodes (name, incarnation) VALUES
        (split_part(:gone, '/', 1), split_part(:gone, '/', 2))""",
    """INSERT INTO users (tg_id, username, full_name, language_code)
        SELECT CAST(:first AS bigint) + n, 'client' || n, 'Client ' || n, 'en'
        FROM generate_series(1, CAST(:tickets AS integer)) n""",
    """INSERT INTO tickets (client_tg_id, main_chat_id, main_thread_id, owner, epoch, version,
            handled_seq, snapshot)
        SELECT CAST(:first AS bigint) + n, -1001000000001, n + 1, :gone, 1,
            CAST(:messages AS bigint), CAST(:messages AS bigint),
            CAST(:snapshot AS jsonb) || jsonb_build_object('ticket_id', n)
        FROM generate_series(1, CAST(:tickets AS integer)) n""",
    """INSERT INTO ticket_lanes (ticket_id, next_seq)
        SELECT id, CAST(:messages AS bigint) + 1 FROM tickets""",
    """INSERT INTO inbox (key, ticket_id, seq, message, from_client, handled_at)
        SELECT 'tg:1:' || t.id || ':' || seq, t.id, seq, '{"type": "Opened"}', true, now()
        FROM tickets t, generate_series(1, CAST(:messages AS integer)) seq""",
)


class ChildFailed(TopicdeskError):
    """The node ended without a figure; the end of its log is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverReport:
    """What one takeover saw. ``seconds`` from the declaration until all tickets were taken."""

    tickets: int
    claimed: int
    seconds: float
    noticed_seconds: float
    per_second: float
    bytes_per_ticket: int
    base_mb: float
    longest_stop_ms: float
    longest_busy_ms: float
    load_before: float
    """Processes that wanted a core in the minute before: figures of a busy machine are its own."""

    @property
    def is_clean(self) -> bool:
        """All were taken, within the goals. The loop's are its own time, not the machine's."""
        return (
            self.claimed == self.tickets
            and self.seconds <= SECONDS_MAX
            and self.bytes_per_ticket <= BYTES_PER_TICKET_MAX
            and self.longest_busy_ms <= STOP_MS_MAX
        )


def takeover(*, tickets: Sequence[int], json_file: Path | None) -> int:
    """One takeover of each size, one after another; exits 0 when all reached the goals."""
    loop = {"use_uvloop": True}
    reports = [anyio.run(measure, count, backend_options=loop) for count in tickets]
    for report in reports:
        _print(report)
    if json_file is not None:
        figures = [asdict(report) for report in reports]
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(report.is_clean for report in reports) else 1


async def measure(tickets: int) -> TakeoverReport:
    """One takeover on servers of its own.

    Raises:
        ChildFailed: The node did not come to an end.
    """
    load = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix="topicdesk-takeover-"))
    try:
        async with (
            embedded_postgres(folder) as dsn,
            embedded_valkey(folder) as redis_url,
            telegram_settings() as settings,
        ):
            engine = create_engine(PostgresOptions(dsn=dsn, pool_size=1, command_timeout_s=600))
            try:
                await migrate.upgrade(engine)
                await fill(engine, tickets)
            finally:
                await engine.dispose()
            servers = {"POSTGRES_DSN": dsn, "REDIS_URL": redis_url}
            taken = await _child({**settings, **servers}, folder / "node.log")
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder, True)  # noqa: FBT003
    return report_of(tickets, taken, load)


async def fill(engine: AsyncEngine, tickets: int) -> None:
    """Open, idle tickets of a run that lives so far."""
    state = TicketState(
        ticket_id=TicketId(0), client=Person(id=UserId(FIRST_CLIENT_ID), name="Client"), opened=True
    )
    values = {
        "first": FIRST_CLIENT_ID,
        "tickets": tickets,
        "messages": MESSAGES_EACH,
        "gone": GONE,
        "snapshot": dumps(encode_state(state)),
    }
    async with engine.begin() as connection:
        for statement in _STATEMENTS:
            await connection.execute(text(statement), _used(statement, values))
    async with engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        # What autovacuum has done long since where tickets came one by one.
        await plain.execute(text("VACUUM ANALYZE"))
        await plain.execute(text("CHECKPOINT"))


def report_of(tickets: int, taken: Taken, load: float) -> TakeoverReport:
    """The figures as they are told: pure."""
    taking = taken.claimed_s - taken.noticed_s
    return TakeoverReport(
        tickets=tickets,
        claimed=taken.claimed,
        seconds=taken.claimed_s,
        noticed_seconds=taken.noticed_s,
        per_second=round(tickets / taking, 1) if taking > 0 else 0.0,
        bytes_per_ticket=round(taken.grown_bytes / tickets),
        base_mb=round(taken.base_bytes / 1e6, 1),
        longest_stop_ms=taken.stop_ms,
        longest_busy_ms=taken.busy_ms,
        load_before=round(load, 1),
    )


def _used(statement: str, values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


@asynccontextmanager
async def telegram_settings() -> AsyncIterator[dict[str, str]]:
    """The local Telegram; yields the settings for it."""
    async with await anyio.open_process(
        [sys.executable, "-m", "lab.telegram", "--port", "0", "--die-with-stdin"], stderr=None
    ) as process:
        assert process.stdout is not None
        ready = json.loads(await process.stdout.receive())
        yield dict(ready["settings"])
        process.terminate()
        await process.wait()


async def _child(settings: Mapping[str, str], log_file: Path) -> Taken:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with log_file.open("wb") as log:
        done = await anyio.run_process(
            [sys.executable, "-m", "lab.bench_takeover_node"],
            env={
                **inherited,
                **settings,
                "NODE_NAME": "heir",
                "HTTP_BIND": f"127.0.0.1:{free_port()}",
            },
            stderr=log,
            check=False,
        )
    if done.returncode != 0:
        said = await anyio.Path(log_file).read_text(encoding="utf-8", errors="replace")
        raise ChildFailed(f"the node ended with {done.returncode}:\n{said[-SAID_MAX:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Taken(**found)


def _print(report: TakeoverReport) -> None:
    title = f"takeover, {report.tickets:,} tickets, {os.cpu_count()} cores"
    table = Table(title=title, show_header=False, min_width=len(title))
    for name, value in asdict(report).items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)
