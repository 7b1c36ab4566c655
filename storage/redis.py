"""The connection to Redis (or Valkey): one bounded pool, short time-outs, no queueing.

Nothing in Redis is needed for correctness. Whoever uses it goes through
:class:`~storage.tolerant.Tolerant`, which answers "absent" while it is away.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

SCHEMES: Final = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """Where Redis is, and how much of it this node may take. Times in seconds."""

    url: str
    """``redis://``, ``rediss://`` (TLS) or ``unix://``; may hold a password: never log it."""
    pool_size: int = 32
    """Connections: a command takes a millisecond, so this is some 10,000 commands a second."""
    pool_timeout_s: float = 0.3
    """How long a command waits for a free connection; longer than that, the answer is too late."""
    connect_timeout_s: float = 0.3
    command_timeout_s: float = 0.4
    """A Redis that is well answers in a millisecond."""
    health_check_interval_s: int = 15
    """A connection that rested longer is pinged first: firewalls forget idle ones silently."""


class _ToldOfLoss(AbstractConnection):
    """uvloop raises RuntimeError for what is written to a connection that has just closed.

    As any other loss of a connection it is an OSError here, so that the command is tried again
    and whoever does without Redis learns of it.
    """

    async def _send_packed_command(self, command: Iterable[bytes]) -> None:
        try:
            await super()._send_packed_command(command)
        except RuntimeError as error:
            raise ConnectionResetError(str(error)) from error


class _Plain(_ToldOfLoss, Connection):
    pass


class _Tls(_ToldOfLoss, SSLConnection):
    pass


class _Unix(_ToldOfLoss, UnixDomainSocketConnection):
    pass


_CONNECTIONS: Final = {
    Connection: _Plain,
    SSLConnection: _Tls,
    UnixDomainSocketConnection: _Unix,
}


def create_redis(options: RedisOptions) -> Redis:
    """A client whose connections are made when they are needed; call ``aclose()`` at the end.

    Raises:
        ValueError: The address is of no kind that there is. It is not quoted: it may be secret.
    """
    scheme, separator, _ = options.url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError("not a Redis address; it begins with redis://, rediss:// or unix://")
    pool = BlockingConnectionPool.from_url(
        options.url,
        max_connections=options.pool_size,
        timeout=options.pool_timeout_s,
        socket_connect_timeout=options.connect_timeout_s,
        socket_timeout=options.command_timeout_s,
        health_check_interval=options.health_check_interval_s,
        client_name="topicdesk",
        # Once more, at once: a restarted server leaves dead connections in the pool.
        retry=Retry(NoBackoff(), 1),
    )
    pool.connection_class = _CONNECTIONS[pool.connection_class]
    return Redis.from_pool(pool)
