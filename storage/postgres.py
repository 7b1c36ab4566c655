"""The connection to Postgres: engine, pool, units of work, and errors by family."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import orjson
from asyncpg.exceptions import InterfaceError as AsyncpgInterfaceError
from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from actors.errors import Transient
from storage.postgres_hosts import Hosts

DRIVER = "postgresql+asyncpg"

READ_ONLY = "25006"
"""A replica about to become the primary, or a primary that has become a replica."""

TRANSIENT_STATES = (
    "08",  # the connection failed
    "40",  # serialization failure, deadlock
    "53",  # out of connections, memory or disk
    "57P",  # shutting down, crashed, starting
    "57014",  # cancelled by a statement time-out
    "55P03",  # a lock was not to be had in time
    READ_ONLY,
)
"""SQLSTATE prefixes after which the same work may be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresOptions:
    """Where Postgres is, and how much of it this node may take. Times in seconds."""

    dsn: str
    pool_size: int = 20
    """Connections kept: committers, intake, delivery and pages seldom need more."""
    max_overflow: int = 10
    """Further ones for a burst."""
    pool_timeout_s: float = 10.0
    """How long work waits for a connection before that counts as an outage."""
    command_timeout_s: float = 15.0
    """No statement of ours takes this long unless Postgres is in trouble."""
    connect_timeout_s: float = 5.0
    """A server that is there answers sooner."""


USED_AT = "topicdesk.used_at"
"""Key in a connection's notes: when it was last given back."""

FRESH_S = 2.0
"""For so long after its last use a connection is taken to be alive, unless it is known dead."""

PING_MAX_S = 2.0
"""A server that lives answers in milliseconds; the other end of a dead wire never does."""

ROLLBACK_MAX_S = 2.0
"""The same of a ROLLBACK: whoever gives a connection back waits for it, cancelled or not."""

UNIT_TIMEOUT_S = 20.0
"""A unit of work that was begun is finished within this, even when its caller is cancelled."""


def normalise(dsn: str) -> URL:
    """The address as the driver wants it, from any usual spelling of it.

    Raises:
        ValueError: It is not a Postgres address.
    """
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme.split("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError("not a Postgres address; it begins with postgresql://")
    return make_url(f"{DRIVER}://{rest}")


def create_engine(options: PostgresOptions) -> AsyncEngine:
    """An engine with a bounded pool that tests a connection before it hands it out."""
    engine = create_async_engine(
        normalise(options.dsn),
        pool_size=options.pool_size,
        max_overflow=options.max_overflow,
        pool_timeout=options.pool_timeout_s,
        pool_use_lifo=True,  # few connections do most work, their statements prepared
        hide_parameters=True,  # people's words; errors end in logs and dead letters
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "async_creator_fn": Hosts().connect,
            "timeout": options.connect_timeout_s,
            # The server's limit and not the driver's: a migration can lift it for itself.
            "server_settings": {
                "application_name": "topicdesk",
                "jit": "off",
                "statement_timeout": str(round(options.command_timeout_s * 1000)),
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _leave_a_read_only_server)
    event.listen(engine.sync_engine, "checkin", _remember_its_use)
    event.listen(engine.sync_engine, "checkout", _test)
    dialect = engine.sync_engine.dialect
    setattr(dialect, "do_rollback", partial(_roll_back, dialect.do_rollback))  # noqa: B010
    return engine


def _remember_its_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[USED_AT] = time.monotonic()


def _test(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Has a connection replaced that is dead, and all that were made before it.

    Asking the server costs three ways there and back, half of what most of our work costs; so only
    those are asked about that were idle. One that the server closed is known without.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError("closed by the server")
    if time.monotonic() - record.info.get(USED_AT, math.inf) < FRESH_S:
        return
    try:
        with _given_up_after(PING_MAX_S, connection):
            connection.ping()
    except (connection.dbapi.Error, OSError) as error:
        raise InvalidatePoolError("does not answer") from error


def _roll_back(really: Callable[[Any], None], connection: Any) -> None:
    """ROLLBACK, with an end.

    SQLAlchemy sends it when a block of :meth:`AsyncEngine.connect` is left, in a task of its own
    that no cancel and no time-out around the block reaches.
    """
    if not connection.driver_connection.is_in_transaction():
        really(connection)  # sends nothing
        return
    with _given_up_after(ROLLBACK_MAX_S, connection):
        really(connection)


@contextmanager
def _given_up_after(limit_s: float, connection: Any) -> Iterator[None]:
    """Ends the connection, and with it what waits for its server, once that takes too long."""
    silent = asyncio.get_running_loop().call_later(limit_s, connection.driver_connection.terminate)
    try:
        yield
    finally:
        silent.cancel()


def _leave_a_read_only_server(context: ExceptionContext) -> None:
    """Connections to a primary of yesterday are as good as lost: the next ones find today's."""
    state = getattr(context.original_exception, "sqlstate", None)
    if state == READ_ONLY and context.connection is not None:
        context.is_disconnect = True


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed later: the server was away or busy, not wrong."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
        if state is not None:
            return str(state).startswith(TRANSIENT_STATES)
        return error.orig is not None and is_transient(error.orig.__cause__ or error.orig)
    return isinstance(error, OSError | TimeoutError | PoolTimeoutError | AsyncpgInterfaceError)


def _named(error: BaseException) -> str:
    """The driver's name of the error, such as ``TooManyConnectionsError``."""
    while isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return type(error).__name__


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction, committed at the end.

    Raises:
        Transient: Postgres is away; if that happened in the COMMIT, its outcome is unknown.
    """
    try:
        async with engine.begin() as connection:
            yield connection
    except Exception as error:
        if is_transient(error):
            raise Transient(f"Postgres: {_named(error)}") from error
        raise


def single(engine: AsyncEngine) -> AsyncEngine:
    """The same connections, for work of one statement, which is a transaction by itself.

    With :func:`transaction` it then takes one way to the server and back instead of three.
    """
    return engine.execution_options(isolation_level="AUTOCOMMIT")


async def unit[Result](
    work: Callable[[], Awaitable[Result]], timeout_s: float = UNIT_TIMEOUT_S
) -> Result:
    """Runs a unit of work to its end although the caller may be cancelled meanwhile.

    A connection that is torn out of a statement cannot be used again, and a half-sent COMMIT
    leaves its outcome unknown; so the work is shielded, with a deadline. A cancel that came before
    is honoured first, so that a loop of nothing but such work can be stopped.

    Raises:
        Transient: It took too long, or Postgres is away.
    """
    await anyio.lowlevel.checkpoint_if_cancelled()
    with anyio.move_on_after(timeout_s, shield=True):
        return await work()
    raise Transient("Postgres did not answer in time")
