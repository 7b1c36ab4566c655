"""``topicdesk backup`` and ``topicdesk restore``: the database into a file, and back."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import anyio
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap.settings import StorageSettings
from storage import backup, backup_tools, migrate
from storage.backup_tools import BackupError, Tools
from storage.embedded import FolderInUse, KeptOptions, embedded_postgres
from storage.embedded.running import has_postgres, running_postgres
from storage.postgres import PostgresOptions, create_engine
from supervisor.options import NodeOptions

EMBEDDED: Final = KeptOptions(busy_wait_s=0.2)
"""A program that holds the data is joined, not waited for."""

UNDO_TIMEOUT_S: Final = 60.0
"""Putting back what was there changes only the catalogue; a lock may have to be waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A database with the programs that fit it."""

    dsn: str
    engine: AsyncEngine
    tools: Tools


async def write(settings: StorageSettings, file: Path) -> str:
    """Writes a backup, while nodes work or not; returns a sentence on what it holds.

    The file has its name only when it is whole, and nobody but its owner may read it.

    Raises:
        BackupError: It was not written.
        EmbeddedServerError: The embedded server does not start.
    """
    part = _private(file)
    try:
        async with _place(settings, fresh=False) as place:
            await backup_tools.dump(place.tools, place.dsn, part)
            archive = await backup_tools.examine(place.tools, part)
        part.rename(file)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return f"Wrote {file}: {_size(file):,} bytes, schema {archive.revision}."


def _private(file: Path) -> Path:
    """An empty file beside ``file`` that only its owner may read."""
    part = file.absolute().with_name(f"{file.name}.part")
    if file.exists():
        raise BackupError(f"{file} is there already; a backup never replaces another")
    try:
        part.touch(mode=0o600)
        part.chmod(0o600)  # one that was left behind may be open to others
    except OSError as error:
        raise BackupError(f"{part} cannot be written: {error.strerror}") from error
    return part


def _size(file: Path) -> int:
    return file.stat().st_size


def _absolute(file: Path) -> Path:
    if not file.is_file():
        raise BackupError(f"{file} is not there")
    return file.absolute()


async def read(settings: StorageSettings, file: Path, *, replace: bool) -> str:
    """Restores a backup; returns a sentence on what is there now.

    All or nothing: what was there before stands until the backup stands in its place.

    Raises:
        BackupError: The database is as it was before.
        EmbeddedServerError: The embedded server does not start.
    """
    file = _absolute(file)
    async with _place(settings, fresh=True) as place:
        archive = await backup_tools.examine(place.tools, file)
        _check_known(archive.revision)
        async with backup.alone(place.engine) as connection:
            await backup.undo(connection, archive.tables)  # of one that was killed
            await backup.set_aside(
                connection, archive.tables, replace=replace, lease_s=NodeOptions().lease_s
            )
            try:
                await _read_in(place, file, connection, archive)
                counts = await backup.finish(connection, archive.revision)
            except BaseException:
                with anyio.move_on_after(UNDO_TIMEOUT_S, shield=True):
                    await backup.undo(connection, archive.tables)
                raise
        await migrate.upgrade(place.engine)
    return (
        f"Restored {file}: {counts.tickets} tickets, none with an owner, schema {migrate.head()}. "
        f"Messages that may have been sent since the backup: {counts.uncertain}."
    )


async def _read_in(
    place: _Place, file: Path, connection: AsyncConnection, archive: backup_tools.Archive
) -> None:
    await backup_tools.read_into(place.tools, place.dsn, file, "pre-data")
    await backup.fence_what_comes(connection, archive.tables)
    await backup_tools.read_into(place.tools, place.dsn, file, "data")
    await backup_tools.read_into(place.tools, place.dsn, file, "post-data")


def _check_known(revision: str) -> None:
    if not migrate.knows(revision):
        raise BackupError(
            f"the backup is of schema {revision}, which this version does not know: "
            f"install the version that wrote it, or a newer one"
        )


@asynccontextmanager
async def _place(settings: StorageSettings, *, fresh: bool) -> AsyncIterator[_Place]:
    async with AsyncExitStack() as stack:
        dsn = await _dsn(settings, stack, fresh=fresh)
        engine = create_engine(PostgresOptions(dsn=dsn, pool_size=1, max_overflow=1))
        stack.push_async_callback(engine.dispose)
        try:
            major = await backup.server_major(engine)
            tools = backup_tools.find_tools(major, embedded=settings.database is None)
            yield _Place(dsn=dsn, engine=engine, tools=tools)
        except (OSError, SQLAlchemyError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else None
            name = type((cause and cause.__cause__) or cause or error).__name__
            raise BackupError(f"Postgres: {name}; see `topicdesk doctor`") from error


async def _dsn(settings: StorageSettings, stack: AsyncExitStack, *, fresh: bool) -> str:
    """The database, also the embedded one of a program that runs; ``fresh``: made if need be."""
    if settings.database is not None:
        return settings.database.get_secret_value()
    if not fresh and not has_postgres(settings.data_dir):
        raise BackupError(
            f"there is no database in {settings.data_dir}; set DATA_DIR, or POSTGRES_HOST"
        )
    try:
        return await stack.enter_async_context(embedded_postgres(settings.data_dir, EMBEDDED))
    except FolderInUse:
        dsn = running_postgres(settings.data_dir)
        if dsn is None:
            raise
        return dsn
