"""What a start does while the servers that it needs are away."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from structlog.testing import capture_logs

from actors.errors import TopicdeskError
from bootstrap import outside
from lab.chaos.proxy import FINE, Conditions, Link, Tcp, Unix
from storage import migrate
from storage.postgres import PostgresOptions, create_engine

pytestmark = pytest.mark.anyio


@pytest.fixture
async def link(postgres_dsn: str) -> AsyncIterator[Link]:
    sockets = parse_qs(urlsplit(postgres_dsn).query)["host"][0]
    link = Link("postgres", lambda: [Unix(Path(sockets) / ".s.PGSQL.5432")])
    async with link.serve(Tcp()):
        yield link


def options(link: Link, dsn: str) -> PostgresOptions:
    database = urlsplit(dsn).path
    return PostgresOptions(dsn=f"postgresql://postgres@127.0.0.1:{link.port}{database}")


async def test_a_start_waits_for_a_postgres_that_is_away(link: Link, postgres_dsn: str) -> None:
    link.set(Conditions(refuses=True))
    engine = create_engine(options(link, postgres_dsn))
    try:
        with capture_logs() as logs, anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(outside._at_head, engine)
                while not logs:  # noqa: ASYNC110 - logs tell nobody
                    await anyio.sleep(0.02)
                link.set(FINE)
        assert {each["event"] for each in logs} == {"postgres_away"}
        assert await migrate.current(engine) == migrate.head()
    finally:
        await engine.dispose()


async def test_a_start_that_waited_long_enough_says_why_it_ends(
    link: Link, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "POSTGRES_WAIT_S", 0.0)
    link.set(Conditions(refuses=True))
    engine = create_engine(options(link, postgres_dsn))
    try:
        with pytest.raises(TopicdeskError, match="Postgres cannot be reached"):
            await outside._at_head(engine)
    finally:
        await engine.dispose()


async def test_a_start_on_a_schema_that_is_there_waits_for_no_migration(
    postgres_dsn: str,
) -> None:
    engine = create_engine(PostgresOptions(dsn=postgres_dsn))
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migrate.LOCK_KEY})")
            with anyio.fail_after(20):
                await outside._at_head(engine)
    finally:
        await engine.dispose()
