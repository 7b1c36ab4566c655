"""Postgres and Valkey of a chaos run: the embedded ones, with handles to hurt them."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import anyio
import asyncpg
import psutil  # type: ignore[import-untyped]
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lab.chaos.history import Ledger
from lab.chaos.proxy import Unix
from storage.embedded import embedded_postgres, embedded_valkey

FLUSH_TIMEOUT_S: Final = 2.0
ANSWER_TIMEOUT_S: Final = 2.0
CONNECT_TIMEOUT_S: Final = 5.0
"""Whoever is well answers in milliseconds."""

LEDGER: Final = """
    WITH seqs AS (
        SELECT seq, lag(seq) OVER (PARTITION BY ticket_id ORDER BY id) AS former FROM events
    ), twice AS (
        SELECT 1 FROM events WHERE action = 'said' GROUP BY ticket_id, seq HAVING count(*) > 1
    )
    SELECT (SELECT count(*) FROM tickets) AS tickets,
           (SELECT count(*) FROM seqs WHERE seq < former)
               + (SELECT count(*) FROM twice) AS stale_commits,
           (SELECT count(*) FROM inbox WHERE handled_at IS NULL) AS unhandled,
           (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')) AS unsent,
           (SELECT count(*) FROM outbox WHERE state = 'undeliverable') AS undeliverable,
           (SELECT count(*) FROM dead_letters) AS dead_letters,
           (SELECT count(*) FROM tickets WHERE quarantined IS NOT NULL) AS quarantined
"""

COUNTS: Final = """
    SELECT (SELECT count(*) FROM tickets) AS tickets,
           (SELECT count(*) FROM tickets WHERE status = 'NEW') AS new,
           (SELECT count(*) FROM tickets WHERE status = 'WORK') AS work,
           (SELECT count(*) FROM tickets WHERE status = 'CLOSED') AS closed,
           (SELECT count(*) FROM inbox WHERE handled_at IS NULL) AS mail,
           (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')) AS unsent,
           (SELECT count(*) FROM outbox WHERE state = 'undeliverable') AS undeliverable,
           (SELECT count(*) FROM dead_letters) AS dead_letters,
           (SELECT count(*) FROM tickets WHERE quarantined IS NOT NULL) AS quarantined
"""


class Servers:
    """The real servers, reached directly and not through a link."""

    def __init__(self, folder: Path, postgres_socket: Path, redis_socket: Path) -> None:
        self._folder = folder
        self._postgres_socket = postgres_socket
        self._redis_socket = redis_socket

    @classmethod
    @asynccontextmanager
    async def started(cls, folder: Path) -> AsyncIterator["Servers"]:
        """Runs both with their data in ``folder`` for as long as the block lasts."""
        async with embedded_postgres(folder) as dsn, embedded_valkey(folder) as url:
            sockets = unquote(urlsplit(dsn).query.partition("host=")[2].partition("&")[0])
            yield cls(folder, Path(sockets), Path(unquote(urlsplit(url).path)))

    @property
    def postgres(self) -> Unix:
        return Unix(self._postgres_socket / ".s.PGSQL.5432")

    @property
    def redis(self) -> Unix:
        return Unix(self._redis_socket)

    # --- what the nemesis does; their keepers start again what has ended ----------------------

    def restart_postgres(self) -> None:
        """A fast shutdown: sessions are cut, what was committed is written."""
        self._signal("postgres", "postmaster.pid", signal.SIGINT)

    def crash_postgres(self) -> None:
        """As if its machine had lost power; it recovers from its log."""
        self._signal("postgres", "postmaster.pid", signal.SIGQUIT)

    def pause_postgres(self) -> None:
        """All its processes stand still; connections stay, without an answer."""
        self._signal("postgres", "postmaster.pid", signal.SIGSTOP, children=True)

    def resume_postgres(self) -> None:
        self._signal("postgres", "postmaster.pid", signal.SIGCONT, children=True)

    def kill_redis(self) -> None:
        self._signal("valkey", "valkey.pid", signal.SIGKILL)

    def pause_redis(self) -> None:
        self._signal("valkey", "valkey.pid", signal.SIGSTOP)

    def resume_redis(self) -> None:
        self._signal("valkey", "valkey.pid", signal.SIGCONT)

    async def flush_redis(self) -> bool:
        """Forgets everything; ``False`` when it was away."""
        async with Redis(unix_socket_path=str(self._redis_socket)) as redis:
            with suppress(RedisError, OSError), anyio.move_on_after(FLUSH_TIMEOUT_S):
                await redis.flushall()
                return True
        return False

    def _signal(
        self, server: str, pid_file: str, number: signal.Signals, *, children: bool = False
    ) -> None:
        for process in self._processes(self._folder / server, pid_file, children=children):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    @staticmethod
    def _processes(home: Path, pid_file: str, *, children: bool) -> Iterator[psutil.Process]:
        """The server, if it runs at this moment: never another process that has its old pid."""
        with suppress(OSError, ValueError, IndexError, psutil.Error):
            server = psutil.Process(int((home / pid_file).read_text().split(maxsplit=1)[0]))
            if Path(server.cwd()) == Path(os.path.realpath(home)):
                yield server  # first, so that it makes no further children
                if children:
                    yield from server.children(recursive=True)

    # --- looking ----------------------------------------------------------------------------

    async def redis_answers(self) -> bool:
        async with Redis(unix_socket_path=str(self._redis_socket), socket_timeout=1) as redis:
            with suppress(RedisError, OSError, TimeoutError):
                return bool(await redis.ping())
        return False

    async def postgres_answers(self) -> bool:
        with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await self._connected()
            try:
                return bool(await connection.fetchval("SELECT true", timeout=ANSWER_TIMEOUT_S))
            finally:
                await connection.close(timeout=ANSWER_TIMEOUT_S)
        return False

    async def ledger(self) -> Ledger:
        """What Postgres holds now."""
        connection = await self._connected()
        try:
            row = await connection.fetchrow(LEDGER)
        finally:
            await connection.close()
        return Ledger(**dict(row))

    async def clients_of_tickets(self) -> dict[int, int]:
        """The client's id by number of ticket."""
        connection = await self._connected()
        try:
            rows = await connection.fetch("SELECT id, client_tg_id FROM tickets")
        finally:
            await connection.close()
        return {row["id"]: row["client_tg_id"] for row in rows}

    async def owners(self) -> dict[int, tuple[str, int]]:
        """Owner and epoch of each open ticket, by its number."""
        connection = await self._connected()
        try:
            rows = await connection.fetch(
                "SELECT id, owner, epoch FROM tickets WHERE status <> 'CLOSED'"
            )
        finally:
            await connection.close()
        return {row["id"]: (row["owner"], row["epoch"]) for row in rows}

    async def counts(self) -> dict[str, int]:
        """What a status page should say, asked of Postgres directly."""
        connection = await self._connected()
        try:
            return dict(await connection.fetchrow(COUNTS))
        finally:
            await connection.close()

    async def _connected(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=str(self._postgres_socket),
            port=5432,
            user="postgres",
            password="",  # not from the environment
            database="topicdesk",
            timeout=CONNECT_TIMEOUT_S,
        )
