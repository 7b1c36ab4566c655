"""The schema on a real Postgres: up, down, by one at a time, and the same as the models."""

from typing import Any

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from storage import migrate
from storage.models import Base
from storage.postgres import PostgresOptions, create_engine

pytestmark = pytest.mark.anyio

SCHEMA = {
    "columns": """
        SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default,
               is_identity
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": """
        SELECT CAST(conrelid AS regclass), conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = CAST('public' AS regnamespace) AND conrelid <> 0
    """,
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "options": """
        SELECT relname, reloptions FROM pg_class
        WHERE relnamespace = CAST('public' AS regnamespace) AND relkind = 'r'
    """,
}


@pytest.fixture
async def blank(blank_dsn: str) -> Any:
    """An engine on a database without a schema."""
    engine = create_engine(PostgresOptions(dsn=blank_dsn))
    yield engine
    await engine.dispose()


async def schema(engine: AsyncEngine) -> dict[str, set[str]]:
    """All that makes a schema, but for Alembic's own table."""
    async with engine.connect() as connection:
        return {
            name: {
                str(tuple(row))
                for row in await connection.execute(text(query))
                if "alembic_version" not in str(tuple(row))
            }
            for name, query in SCHEMA.items()
        }


async def test_up_and_down_and_up_again(blank: AsyncEngine) -> None:
    assert await migrate.current(blank) is None
    await migrate.upgrade(blank)
    assert await migrate.current(blank) == migrate.head()
    up = await schema(blank)
    assert up["columns"]
    await migrate.downgrade(blank, "base")
    assert await migrate.current(blank) is None
    assert not any((await schema(blank)).values())
    await migrate.upgrade(blank)
    assert await schema(blank) == up


async def test_going_to_head_again_changes_nothing(engine: AsyncEngine) -> None:
    before = await schema(engine)
    await migrate.upgrade(engine)
    assert await schema(engine) == before


async def test_autogenerate_finds_no_difference(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_the_models_make_the_very_schema_of_the_migrations(
    engine: AsyncEngine, blank: AsyncEngine
) -> None:
    """Checks, collations and storage options too, which autogenerate does not look at."""
    async with blank.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    assert await schema(blank) == await schema(engine)


async def test_of_several_who_start_at_once_one_migrates_and_the_others_wait(
    blank_dsn: str, blank: AsyncEngine
) -> None:
    engines = [create_engine(PostgresOptions(dsn=blank_dsn, pool_size=1)) for _ in range(4)]
    async with anyio.create_task_group() as group:
        for each in engines:
            group.start_soon(migrate.upgrade, each)
    for each in engines:
        await each.dispose()
    assert await migrate.current(blank) == migrate.head()


async def test_a_migration_waits_while_another_process_has_the_lock(blank: AsyncEngine) -> None:
    async with blank.begin() as connection, anyio.create_task_group() as group:
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        await connection.execute(lock, {"key": migrate.LOCK_KEY})
        group.start_soon(migrate.upgrade, blank)
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        with anyio.fail_after(10):
            while not (await connection.execute(waiting)).scalar():  # noqa: ASYNC110 - the server tells nobody
                await anyio.sleep(0.01)
        assert await migrate.current(blank) is None
        await connection.commit()
    assert await migrate.current(blank) == migrate.head()


async def test_the_sql_on_paper_makes_the_same_schema(
    blank: AsyncEngine, engine: AsyncEngine
) -> None:
    sql = migrate.offline_sql()
    async with blank.connect() as connection:
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.execute(sql)
    assert await schema(blank) == await schema(engine)
    assert await migrate.current(blank) == migrate.head()


async def test_a_migration_that_fails_leaves_the_schema_as_it_was(blank: AsyncEngine) -> None:
    """All in one transaction: half of a schema is never left behind."""
    async with blank.begin() as connection:
        await connection.execute(text("CREATE TABLE timers (id int)"))
    before = await schema(blank)
    with pytest.raises(Exception, match="already exists"):
        await migrate.upgrade(blank)
    assert await schema(blank) == before
    assert await migrate.current(blank) is None


async def test_a_migration_may_take_longer_than_a_statement_of_the_program(
    blank_dsn: str, blank: AsyncEngine
) -> None:
    """Whoever waits for the lock waits as long as the others take."""
    hasty = create_engine(PostgresOptions(dsn=blank_dsn, command_timeout_s=0.3))
    async with blank.begin() as connection, anyio.create_task_group() as group:
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        await connection.execute(lock, {"key": migrate.LOCK_KEY})
        group.start_soon(migrate.upgrade, hasty)
        await connection.execute(text("SELECT pg_sleep(0.8)"))  # the server's clock, not ours
        await connection.commit()
    assert await migrate.current(hasty) == migrate.head()
    await hasty.dispose()
