"""Bringing the schema to head, by exactly one process at a time."""

import io
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

import migrations
from actors.errors import TopicdeskError
from storage.postgres import DRIVER

LOCK_KEY = 0x746F_7069_6364  # "topicd"
"""The advisory lock that a migrating process holds; others wait and then find nothing to do."""

HEAD = "head"

ASIDE = "topicdesk_restore"
"""The schema into which a restore sets aside what it replaces; gone when the restore is whole."""


class RestoreUnfinished(TopicdeskError):
    """A restore was broken off: what is in the database is not the whole of it."""


def _config(connection: Connection | None = None, output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output is not None else Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("sqlalchemy.url", f"{DRIVER}://")
    config.attributes["connection"] = connection
    return config


async def upgrade(engine: AsyncEngine, revision: str = HEAD) -> None:
    """Applies what is missing up to ``revision``; waits while another process does."""
    await _locked(engine, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Takes the schema back to ``revision`` (``base``: to nothing)."""
    await _locked(engine, lambda config: command.downgrade(config, revision))


async def current(engine: AsyncEngine) -> str | None:
    """The schema's revision, ``None`` for a database without one."""
    async with engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )


def head() -> str | None:
    """The newest revision that this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def knows(revision: str) -> bool:
    """Whether that revision is one of this program's."""
    return any(
        step.revision == revision
        for step in ScriptDirectory.from_config(_config()).walk_revisions()
    )


def offline_sql() -> str:
    """The statements from nothing to head, for whoever applies them by hand."""
    output = io.StringIO()
    command.upgrade(_config(output=output), HEAD, sql=True)
    return output.getvalue()


async def _locked(engine: AsyncEngine, work: Callable[[Config], None]) -> None:
    """Runs a migration under the lock, which ends with the transaction whatever happens."""

    def run(connection: Connection) -> None:
        work(_config(connection))

    async with engine.begin() as connection:
        # A large table may take longer than any statement of the program, and others wait for it.
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        unfinished = text("SELECT to_regnamespace(:schema) IS NOT NULL")
        if (await connection.execute(unfinished, {"schema": ASIDE})).scalar():
            raise RestoreUnfinished(
                "a restore of this database was broken off; run `topicdesk restore` once more"
            )
        await connection.run_sync(run)
