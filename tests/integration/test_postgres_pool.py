"""The pool: a connection that died is replaced before anyone works with it."""

import time
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import asyncpg as adapter
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import postgres
from storage.postgres import PostgresOptions, create_engine, transaction
from tests.fakes.relay import Relay, open_relay

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(blank_dsn: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(PostgresOptions(dsn=blank_dsn, pool_size=1, max_overflow=0))
    yield made
    await made.dispose()


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When a connection was asked whether it is alive."""
    asked: list[float] = []
    ping = adapter.AsyncAdapt_asyncpg_connection.ping

    def counted(connection: adapter.AsyncAdapt_asyncpg_connection) -> None:
        asked.append(time.monotonic())
        ping(connection)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(adapter.AsyncAdapt_asyncpg_connection, "ping", counted)
    return asked


async def _backend(engine: AsyncEngine) -> int:
    async with transaction(engine) as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


async def test_a_connection_that_the_server_closed_is_replaced_unnoticed(
    engine: AsyncEngine, blank_dsn: str
) -> None:
    first = await _backend(engine)
    other = create_engine(PostgresOptions(dsn=blank_dsn, pool_size=1))
    async with transaction(other) as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:it, 5000)"), {"it": first})
    await other.dispose()
    assert await _backend(engine) != first


async def test_only_a_connection_that_was_idle_is_asked(
    engine: AsyncEngine, pings: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _backend(engine)
    assert await _backend(engine) == first
    assert pings == []
    monkeypatch.setattr(postgres, "FRESH_S", 0.0)
    assert await _backend(engine) == first
    assert len(pings) == 1


async def test_one_that_does_not_answer_is_replaced(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await _backend(engine)

    def dead(connection: adapter.AsyncAdapt_asyncpg_connection) -> None:
        raise connection.dbapi.InterfaceError("gone")

    monkeypatch.setattr(postgres, "FRESH_S", 0.0)
    monkeypatch.setattr(adapter.AsyncAdapt_asyncpg_connection, "ping", dead)
    assert await _backend(engine) != first


async def test_one_behind_a_dead_wire_is_replaced_within_seconds(
    blank_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was open stays open without an answer; new connections come through."""
    monkeypatch.setattr(postgres, "FRESH_S", 0.0)
    monkeypatch.setattr(postgres, "PING_MAX_S", 0.2)
    async with open_relay(blank_dsn) as relay:
        engine = create_engine(PostgresOptions(dsn=relay.dsn, pool_size=1, max_overflow=0))
        first = await _backend(engine)
        relay.silence()
        with anyio.fail_after(10):
            assert await _backend(engine) != first
        await engine.dispose()


async def test_one_is_given_back_within_seconds_although_nobody_answers(
    blank_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving the block sends a ROLLBACK, and no cancel reaches whoever waits for its answer."""
    monkeypatch.setattr(postgres, "ROLLBACK_MAX_S", 0.2)
    left = anyio.Event()

    async def ask(engine: AsyncEngine, relay: Relay) -> None:
        with suppress(DBAPIError), anyio.move_on_after(0.1):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
                relay.silence()
        left.set()

    async with open_relay(blank_dsn) as relay, anyio.create_task_group() as group:
        engine = create_engine(PostgresOptions(dsn=relay.dsn, pool_size=1, max_overflow=0))
        group.start_soon(ask, engine, relay)
        try:
            with anyio.fail_after(10):
                await left.wait()
        finally:
            relay.cut()  # else whoever waits would wait for ever
        relay.mend()
        assert await _backend(engine)
        await engine.dispose()
