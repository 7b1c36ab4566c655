"""``topicdesk tickets`` and ``topicdesk dead``: what operators look at and change by hand."""

import getpass
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.ids import TicketId
from bootstrap.operations_text import Form
from bootstrap.settings import StorageSettings
from storage.embedded import FolderInUse, KeptOptions, embedded_postgres
from storage.embedded.running import has_postgres, running_postgres, running_valkey
from storage.inspection import Inspection
from storage.operations import Change, OperationError, Operations
from storage.postgres import PostgresOptions, create_engine
from storage.redis import RedisOptions, create_redis
from storage.tolerant import Tolerant

EMBEDDED: Final = KeptOptions(busy_wait_s=0.2)
"""A program that holds the data is joined, not waited for."""

NEWS: Final = frozenset(["operator_moved", "operator_released", "dead_retried"])
"""Changes that leave the ticket's owner something to do."""

UNKNOWN_RELATION: Final = ("42P01", "42703")
"""SQLSTATEs of a table or column that is not there: the schema is older than the program."""


def operator_name() -> str:
    """The login name of whoever runs the command; a container's user may have none."""
    try:
        return getpass.getuser()
    except OSError:
        return f"uid {os.getuid()}"


async def show(settings: StorageSettings, form: Form, ticket: int) -> str:
    """One ticket with all that waits for it."""
    async with _database(settings) as engine:
        return form.ticket(await Inspection(engine).ticket(TicketId(ticket)))


async def poke(settings: StorageSettings, form: Form, ticket: int) -> str:
    """Tells the ticket's owner to look at it.

    Raises:
        OperationError: Nobody heard it.
    """
    async with _database(settings) as engine:
        change = await _operations(engine).poke(TicketId(ticket))
    if change.tell is None:
        raise OperationError(f"ticket {ticket} has no living owner, and no node is up")
    heard = await _hint(settings, change.tell, [TicketId(ticket)])
    if not heard:
        why = "Redis does not answer" if heard is None else "it does not listen"
        raise OperationError(
            f"{change.tell} was not told ({why}); a node that is up finds waiting mail by itself"
        )
    return form.change(change, heard=heard)


async def move(settings: StorageSettings, form: Form, ticket: int, node: str | None) -> str:
    """Gives the ticket to a node that is up: that one, or the idlest of the others."""
    return await _changed(settings, form, lambda does: does.move(TicketId(ticket), node))


async def quarantine(settings: StorageSettings, form: Form, ticket: int, why: str) -> str:
    """Stops the ticket until it is released."""
    return await _changed(settings, form, lambda does: does.quarantine(TicketId(ticket), why))


async def release(settings: StorageSettings, form: Form, ticket: int) -> str:
    """Lets a ticket in quarantine go on."""
    return await _changed(settings, form, lambda does: does.release(TicketId(ticket)))


async def dead_list(settings: StorageSettings, form: Form, ticket: int | None, limit: int) -> str:
    """The newest dead letters, of one ticket or of all."""
    async with _database(settings) as engine:
        wanted = None if ticket is None else TicketId(ticket)
        return form.dead_list(await Inspection(engine).dead_letters(wanted, limit))


async def dead_show(settings: StorageSettings, form: Form, dead: int) -> str:
    """One dead letter with its message and its traceback."""
    async with _database(settings) as engine:
        return form.dead_letter(await Inspection(engine).dead_letter(dead))


async def retry(settings: StorageSettings, form: Form, dead: int) -> str:
    """Puts a dead letter's message into the inbox again."""
    return await _changed(settings, form, lambda does: does.retry(dead))


async def retry_all(settings: StorageSettings, form: Form) -> str:
    """Retries every dead letter, oldest first, each by itself.

    Raises:
        OperationError: Some were kept; the others are retried nevertheless.
    """
    done: list[int] = []
    kept: list[str] = []
    async with _database(settings) as engine:
        operations, tell = _operations(engine), dict[str, set[TicketId]]()
        for dead in await Inspection(engine).dead_ids():
            try:
                change = await operations.retry(dead)
            except OperationError as error:
                kept.append(str(error))
                continue
            done.append(dead)
            if change.tell is not None and change.ticket_id is not None:
                tell.setdefault(change.tell, set()).add(change.ticket_id)
    for owner, tickets in tell.items():
        await _hint(settings, owner, sorted(tickets))
    if kept:
        raise OperationError("; ".join([f"{len(done)} retried, {len(kept)} not", *kept]))
    return form.retried(done)


async def drop(settings: StorageSettings, form: Form, dead: int, why: str) -> str:
    """Removes a dead letter."""
    return await _changed(settings, form, lambda does: does.drop(dead, why))


async def _changed(
    settings: StorageSettings, form: Form, work: Callable[[Operations], Awaitable[Change]]
) -> str:
    """Makes a change, and tells the owner, who would find it a second later without that."""
    async with _database(settings) as engine:
        change = await work(_operations(engine))
    heard = None
    if change.action in NEWS and change.tell is not None and change.ticket_id is not None:
        heard = await _hint(settings, change.tell, [change.ticket_id])
    return form.change(change, heard=heard)


def _operations(engine: AsyncEngine) -> Operations:
    return Operations(engine, by=operator_name())


@asynccontextmanager
async def _database(settings: StorageSettings) -> AsyncIterator[AsyncEngine]:
    """The database, also the embedded one of a program that runs on this machine.

    Raises:
        OperationError: It is not there, does not answer, or its schema is too old.
        EmbeddedServerError: The embedded server does not start.
    """
    async with AsyncExitStack() as stack:
        engine = create_engine(
            PostgresOptions(dsn=await _dsn(settings, stack), pool_size=1, max_overflow=1)
        )
        stack.push_async_callback(engine.dispose)
        try:
            yield engine
        except Transient as error:
            raise OperationError(f"{error}; see `topicdesk doctor`") from error
        except SQLAlchemyError as error:
            cause = error.orig if isinstance(error, DBAPIError) else None
            if getattr(cause, "sqlstate", None) in UNKNOWN_RELATION:
                raise OperationError(
                    "the database has not the schema of this version; run `topicdesk migrate`"
                ) from error
            name = type(cause or error).__name__
            raise OperationError(f"Postgres: {name}; see `topicdesk doctor`") from error


async def _dsn(settings: StorageSettings, stack: AsyncExitStack) -> str:
    external = settings.database
    if external is not None:
        return external.get_secret_value()
    if not has_postgres(settings.data_dir):
        raise OperationError(
            f"there is no database in {settings.data_dir}; set DATA_DIR, or POSTGRES_HOST"
        )
    try:
        return await stack.enter_async_context(embedded_postgres(settings.data_dir, EMBEDDED))
    except FolderInUse:
        dsn = running_postgres(settings.data_dir)
        if dsn is None:
            raise
        return dsn


async def _hint(settings: StorageSettings, owner: str, tickets: Sequence[TicketId]) -> bool | None:
    """Tells a run to look at its tickets; ``None`` when Redis is away.

    ``False``: nobody was there to hear it.
    """
    external = settings.redis
    url = running_valkey(settings.data_dir) if external is None else external.get_secret_value()
    if url is None:
        return None
    async with aclosing(create_redis(RedisOptions(url=url, pool_size=1))) as redis:

        async def publish() -> int | None:
            return int(await redis.publish(f"own:{owner}", json.dumps(tickets)))

        heard = await Tolerant()(publish, None)
    return None if heard is None else heard > 0
