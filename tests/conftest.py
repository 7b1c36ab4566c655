"""Real servers for the tests: one embedded Postgres and Valkey a session, a database a test."""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import bot  # noqa: F401 - before aiogram, which is quick then
from storage import migrate
from storage.embedded import embedded_postgres, embedded_valkey
from storage.postgres import PostgresOptions, create_engine, normalise

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # nothing is a failure because the machine has much to do

WAITERS = 2
"""Workers more than processors: many tests wait for processes, time-outs and browsers."""

TEMPLATE = "template_topicdesk"
"""Migrated once; each test's database is a copy of it."""

MEMORY_MIN_BYTES = 2 * 1024**3
"""Room for the servers of all workers; containers often have 64 MB."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many workers ``-n logical`` starts; measured code is slow enough as it is."""
    del config
    processors = os.cpu_count() or 1
    return processors if "COVERAGE_RUN" in os.environ else processors + WAITERS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The file that takes longest begins first, however many others there are beside it."""
    items.sort(key=lambda item: item.path.name != "test_seeds.py")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Adapters are asyncio-only; tests of the core choose their own loops."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def servers_portal() -> Iterator[BlockingPortal]:
    """A loop in a thread of its own, on which the session's servers are kept."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """Not pytest's own folder: each start of pytest closes that to all but its owner again.

    Postgres does not run as root; as a service user it would lose its data in the middle of a run.
    """
    folder = Path(tempfile.mkdtemp(prefix="td-servers-", dir=_memory()))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """A file system in memory, where there is one: a database costs 15 ms there, not 300."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free >= MEMORY_MIN_BYTES
    return shared if roomy and os.access(shared, os.W_OK) else None


@pytest.fixture(scope="session")
def postgres_server(servers_portal: BlockingPortal, servers_folder: Path) -> Iterator[str]:
    """The DSN of a running server that holds the migrated template."""
    folder = servers_folder / "postgres"
    with servers_portal.wrap_async_context_manager(embedded_postgres(folder)) as dsn:
        servers_portal.call(_make_template, dsn)
        yield dsn


@pytest.fixture(scope="session")
def valkey_url(servers_portal: BlockingPortal, servers_folder: Path) -> Iterator[str]:
    """The URL of a running Valkey, shared by the session: use keys of your own."""
    folder = servers_folder / "valkey"
    with servers_portal.wrap_async_context_manager(embedded_valkey(folder)) as url:
        yield url


@pytest.fixture
async def postgres_dsn(postgres_server: str) -> AsyncIterator[str]:
    """A database of the test's own, at head and empty."""
    name = f"test_{secrets.token_hex(6)}"
    await _admin(postgres_server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    yield _database(postgres_server, name)
    await _admin(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def blank_dsn(postgres_server: str) -> AsyncIterator[str]:
    """A database of the test's own without any schema."""
    name = f"blank_{secrets.token_hex(6)}"
    await _admin(postgres_server, f"CREATE DATABASE {name}")
    yield _database(postgres_server, name)
    await _admin(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(postgres_dsn: str) -> AsyncIterator[AsyncEngine]:
    """An engine on the test's own database."""
    made = create_engine(PostgresOptions(dsn=postgres_dsn))
    yield made
    await made.dispose()


def _database(dsn: str, name: str) -> str:
    return normalise(dsn).set(database=name).render_as_string(hide_password=False)


async def _admin(dsn: str, statement: str) -> None:
    made = create_async_engine(normalise(dsn), isolation_level="AUTOCOMMIT")
    try:
        async with made.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await made.dispose()


async def _make_template(dsn: str) -> None:
    await _admin(dsn, f"CREATE DATABASE {TEMPLATE}")
    made = create_engine(PostgresOptions(dsn=_database(dsn, TEMPLATE)))
    with anyio.fail_after(60):
        await migrate.upgrade(made)
    await made.dispose()
