"""A restore as the database sees it: what was there set aside, what comes in fenced as it comes.

The tables that are there move into a schema of their own and are dropped only when everything
stands; so a restore that fails, or is killed, costs nothing. Rows are changed by triggers while
they are read in: at no instant could a run of yesterday find a ticket that it still owns.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.backup_tools import BackupError
from storage.migrate import ASIDE, LOCK_KEY
from storage.models import Base

LOCK_WAIT_MS: Final = 5_000
"""For whatever another session does with our tables; nobody works there, that was looked at."""

OURS: Final = frozenset({*Base.metadata.tables, "alembic_version"})

PEOPLE: Final = ("users", "tickets", "inbox")
"""Who has rows in none of these has nothing to lose; nodes and technicians come by themselves."""

_TABLES = text("""
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind IN ('r', 'p')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname
""")

_LIVE = text("""
    SELECT name, extract(epoch FROM now() - beat_at) AS age_s FROM public.nodes n
    WHERE to_jsonb(n) ->> 'status' IS DISTINCT FROM 'dead'
      AND beat_at > now() - make_interval(secs => :lease_s)
    ORDER BY name
""")  # by way of JSON: an older schema has no such column

_STEP: Final = "extract(epoch FROM clock_timestamp())::bigint"
"""How far epochs are raised: the seconds since 1970.

One more than in the archive is not enough, for a ticket may have changed hands since the backup;
and the same archive may be restored twice. Epochs that grow by the time are above both.
"""

_FENCE: Final = {
    "tickets": f"NEW.owner := NULL; NEW.epoch := NEW.epoch + {_STEP}; RETURN NEW;",
    "nodes": """
        NEW := jsonb_populate_record(NEW, '{"status": "dead", "dead": true}');
        RETURN NEW;
    """,
    "roles": "RETURN NULL;",
    "outbox": """
        IF NEW.state IN ('waiting', 'sending') THEN
            NEW.state := 'waiting'; NEW.uncertain := true;
        END IF;
        RETURN NEW;
    """,
    "alembic_version": "RETURN NULL;",
}
"""What is done to each row that is read in.

All that was still to be sent is uncertain, not only what was on its way: it may have gone out since
the backup. Delivery finds in Redis what did. The schema's revision comes at the very end: a node
that starts before does not take a half for the whole.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What stands in the database: tickets, and messages of which nobody knows if they are sent."""

    tickets: int
    uncertain: int


@asynccontextmanager
async def alone(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Holds the lock of those who change the schema; yields a session without time limits.

    Raises:
        BackupError: Somebody else holds it.
    """
    async with engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("SET statement_timeout = 0"))
        got = text("SELECT pg_try_advisory_lock(:key)")
        if not (await connection.execute(got, {"key": LOCK_KEY})).scalar():
            raise BackupError("another program migrates or restores this database at the moment")
        try:
            yield connection
        finally:
            await connection.invalidate()  # ends the session, and with it the lock


async def server_major(engine: AsyncEngine) -> int:
    """The server's release, such as 18."""
    async with engine.connect() as connection:
        number = (await connection.execute(text("SHOW server_version_num"))).scalar()
    return int(str(number)) // 10_000


async def set_aside(
    connection: AsyncConnection, archived: Collection[str], *, replace: bool, lease_s: float
) -> None:
    """Moves what is there out of the way, if that is allowed.

    Raises:
        BackupError: Nodes work there, there are tickets and ``replace`` is false, or tables of
            another program.
    """
    async with _transaction(connection):
        await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
        tables = await _tables(connection, "public")
        strangers = sorted(set(tables) - OURS - set(archived))
        if strangers:
            raise BackupError(
                f"the database holds tables that are not topicdesk's: {', '.join(strangers)}; "
                f"restore into one of its own"
            )
        if "nodes" in tables:
            await connection.execute(text("LOCK TABLE public.nodes IN ACCESS EXCLUSIVE MODE"))
            await _refuse_live(connection, lease_s)
        if not replace:
            await _refuse_tickets(connection, tables)
        await connection.execute(text(f"CREATE SCHEMA {ASIDE}"))
        for table in tables:
            await connection.execute(text(f'ALTER TABLE public."{table}" SET SCHEMA {ASIDE}'))


async def _refuse_live(connection: AsyncConnection, lease_s: float) -> None:
    live = (await connection.execute(_LIVE, {"lease_s": lease_s})).all()
    if live:
        named = ", ".join(f"{row.name} ({float(row.age_s):.0f} s ago)" for row in live)
        raise BackupError(
            f"nodes work with this database, last heard of: {named}; stop them first "
            f"(one that was killed is forgotten after {lease_s:.0f} s)"
        )


async def _refuse_tickets(connection: AsyncConnection, tables: Collection[str]) -> None:
    for table in PEOPLE:
        some = text(f"SELECT EXISTS (SELECT FROM public.{table})")  # noqa: S608 - a constant
        if table in tables and (await connection.execute(some)).scalar():
            raise BackupError(
                "the database is not empty; --replace puts the backup in the place of all of it"
            )


async def fence_what_comes(connection: AsyncConnection, archived: Collection[str]) -> None:
    """From now on rows are fenced as they are read in; to be called between schema and data."""
    async with _transaction(connection):
        for table, body in _FENCE.items():
            if table not in archived:
                continue
            await connection.execute(
                text(f"""
                    CREATE FUNCTION {ASIDE}.fence_{table}() RETURNS trigger LANGUAGE plpgsql
                    AS $fence$ BEGIN {body.replace(":", r"\:")} END $fence$
                """)
            )
            await connection.execute(
                text(f"""
                    CREATE TRIGGER fenced BEFORE INSERT ON public.{table}
                    FOR EACH ROW EXECUTE FUNCTION {ASIDE}.fence_{table}()
                """)
            )


async def finish(connection: AsyncConnection, revision: str) -> Counts:
    """What was read in is the database now; what was set aside is gone."""
    stamp = text("INSERT INTO public.alembic_version (version_num) VALUES (:revision)")
    async with _transaction(connection):
        await connection.execute(text(f"DROP SCHEMA {ASIDE} CASCADE"))  # with its triggers
        await connection.execute(stamp, {"revision": revision})
    await connection.execute(text("ANALYZE"))
    counted = text("""
        SELECT (SELECT count(*) FROM public.tickets) AS tickets, count(*) AS uncertain
        FROM public.outbox WHERE uncertain AND state = 'waiting'
    """)
    row = (await connection.execute(counted)).one()
    return Counts(tickets=row.tickets, uncertain=row.uncertain)


async def undo(connection: AsyncConnection, archived: Collection[str]) -> bool:
    """Puts back what a restore had set aside; says whether there was anything unfinished."""
    async with _transaction(connection):
        there = text("SELECT to_regnamespace(:schema) IS NOT NULL")
        if not (await connection.execute(there, {"schema": ASIDE})).scalar():
            return False
        half = [t for t in await _tables(connection, "public") if t in OURS or t in archived]
        if half:
            named = ", ".join(f'public."{table}"' for table in half)
            await connection.execute(text(f"DROP TABLE {named} CASCADE"))
        for table in await _tables(connection, ASIDE):
            await connection.execute(text(f'ALTER TABLE {ASIDE}."{table}" SET SCHEMA public'))
        await connection.execute(text(f"DROP SCHEMA {ASIDE} CASCADE"))
    return True


async def _tables(connection: AsyncConnection, schema: str) -> list[str]:
    return list((await connection.execute(_TABLES, {"schema": schema})).scalars())


@asynccontextmanager
async def _transaction(connection: AsyncConnection) -> AsyncIterator[None]:
    """A transaction on a session that else commits each statement by itself."""
    await connection.execute(text("BEGIN"))
    try:
        yield
    except BaseException:
        await connection.execute(text("ROLLBACK"))
        raise
    await connection.execute(text("COMMIT"))
