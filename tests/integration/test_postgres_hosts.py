"""A DSN of several Postgres servers: the one that may be written to is found, and left in time."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from bootstrap.parsing import postgres_dsn
from lab.chaos.proxy import Link, Tcp, Unix
from storage.migrate import current, head
from storage.postgres import PostgresOptions, create_engine, normalise, transaction
from tests.integration.redis_farm import free_ports

pytestmark = pytest.mark.anyio

CONNECT_S = 6.0


@pytest.fixture
async def port(postgres_dsn: str) -> AsyncIterator[int]:
    """The real server, which has a socket file only, on a port of 127.0.0.1."""
    async with relay(socket_of(postgres_dsn)) as number:
        yield number


def socket_of(dsn: str) -> Path:
    query = normalise(dsn).query
    return Path(f"{query['host']}/.s.PGSQL.{query.get('port', 5432)}")


@asynccontextmanager
async def relay(path: Path) -> AsyncIterator[int]:
    link = Link("postgres", lambda: [Unix(path)])
    async with link.serve(Tcp()):
        yield link.port


@asynccontextmanager
async def connected(dsn: str, *ports: int, wanted: str = "") -> AsyncIterator[AsyncEngine]:
    """An engine by the text that an operator writes."""
    url = normalise(dsn)
    login = f"{url.username}:{url.password}" if url.password else url.username
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    made = create_engine(
        PostgresOptions(
            dsn=postgres_dsn(f"postgresql://{login}@{hosts}/{url.database}{wanted}"),
            connect_timeout_s=CONNECT_S,
            pool_size=2,
            max_overflow=0,
        )
    )
    try:
        yield made
    finally:
        await made.dispose()


async def test_a_host_that_refuses_connections_is_passed_over(postgres_dsn: str, port: int) -> None:
    async with connected(postgres_dsn, *free_ports(1), port) as engine:
        async with transaction(engine) as connection:
            await connection.execute(text("CREATE TABLE written (x int)"))
        assert await current(engine) == head()


async def test_a_host_that_never_answers_costs_its_share_of_the_time_and_only_once(
    postgres_dsn: str, port: int
) -> None:
    """A machine that is gone refuses nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ports = (silent.getsockname()[1], port)
        async with connected(postgres_dsn, *ports) as engine, transaction(engine):
            with anyio.fail_after(CONNECT_S / 4):
                async with transaction(engine) as second:  # another connection, made now
                    await second.execute(text("SELECT 1"))


async def test_when_the_server_dies_the_work_goes_on_with_the_other(
    postgres_dsn: str, port: int
) -> None:
    async with AsyncExitStack() as first_lives:
        first = await first_lives.enter_async_context(relay(socket_of(postgres_dsn)))
        async with connected(postgres_dsn, first, port) as engine:
            async with transaction(engine) as connection:
                await connection.execute(text("CREATE TABLE written (x int)"))
            await first_lives.aclose()
            async with transaction(engine) as connection:
                await connection.execute(text("INSERT INTO written VALUES (1)"))


async def test_without_a_server_that_may_be_written_to_the_work_is_tried_again_later(
    postgres_dsn: str, port: int
) -> None:
    ports = (*free_ports(1), port)
    name = normalise(postgres_dsn).database
    read_only = text(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with connected(postgres_dsn, *ports) as engine, transaction(engine) as connection:
        await connection.execute(read_only)
    async with connected(postgres_dsn, *ports) as engine:
        with pytest.raises(Transient):
            async with transaction(engine):
                pass
    attrs = "?target_session_attrs=any"
    async with connected(postgres_dsn, *ports, wanted=attrs) as engine, transaction(engine) as any_:
        await any_.execute(text("SELECT 1"))


async def test_a_connection_to_a_server_that_is_no_longer_writable_is_not_used_again(
    postgres_dsn: str, port: int
) -> None:
    async with connected(postgres_dsn, *free_ports(1), port) as engine:
        async with transaction(engine) as connection:
            await connection.execute(text("SET default_transaction_read_only = on"))
        with pytest.raises(Transient):
            async with transaction(engine) as connection:
                await connection.execute(text("CREATE TABLE written (x int)"))
        async with transaction(engine) as connection:
            await connection.execute(text("CREATE TABLE written (x int)"))


async def test_no_host_at_all_is_an_outage_and_tells_no_password() -> None:
    dsn = "postgresql+asyncpg://u:p4ssw0rd@/d"
    async with connected(dsn, *free_ports(2)) as engine:
        with pytest.raises(Transient) as raised:
            async with transaction(engine):
                pass
    assert "p4ssw0rd" not in f"{raised.value!r} {raised.value.__cause__!r}"
