"""The connection to Redis (or Valkey): one bounded pool, short time-outs, no queueing.

Nothing in Redis is needed for correctness. Whoever uses it goes through
:class:`~storage.tolerant.Tolerant`, which answers "absent" while it is away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import (
    BlockingConnectionPool,
    Connection,
    Redis,
    RedisCluster,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from storage.redis_address import ClusterAddress, SentinelAddress, parse
from storage.redis_connections import Plain, Tls, Unix
from storage.redis_many import cluster_client, sentinel_client

type AnyRedis = Redis | RedisCluster
"""What the adapters run on. On a cluster a command or a script has keys of one slot only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisOptions:
    """Where Redis is, and how much of it this node may take. Times in seconds."""

    url: str
    """One of the forms of :mod:`storage.redis_address`; may hold a password: never log it."""
    pool_size: int = 32
    """Connections: a command takes a millisecond, so this is some 10,000 commands a second."""
    pool_timeout_s: float = 0.3
    """How long a command waits for a free connection; longer than that, the answer is too late."""
    connect_timeout_s: float = 0.3
    command_timeout_s: float = 0.4
    """A Redis that is well answers in a millisecond."""
    health_check_interval_s: int = 15
    """A connection that rested longer is pinged first: firewalls forget idle ones silently."""


_CONNECTIONS: Final = {
    Connection: Plain,
    SSLConnection: Tls,
    UnixDomainSocketConnection: Unix,
}


def create_redis(options: RedisOptions) -> AnyRedis:
    """A client whose connections are made when they are needed; call ``aclose()`` at the end.

    Raises:
        ValueError: The address is of no kind that there is. It is not quoted: it may be secret.
    """
    try:
        address = parse(options.url)
    except ValueError as error:
        raise ValueError(f"not a Redis address: it {error}") from None
    common: dict[str, Any] = {
        "health_check_interval": options.health_check_interval_s,
        "client_name": "topicdesk",
        # Once more, at once: a restarted server leaves dead connections in the pool.
        "retry": Retry(NoBackoff(), 1),
    }
    if isinstance(address, ClusterAddress):
        return cluster_client(address, common, options.pool_size)
    common |= {
        "max_connections": options.pool_size,
        "timeout": options.pool_timeout_s,
        "socket_connect_timeout": options.connect_timeout_s,
        "socket_timeout": options.command_timeout_s,
    }
    if isinstance(address, SentinelAddress):
        return sentinel_client(address, common)
    pool = BlockingConnectionPool.from_url(address, **common)
    pool.connection_class = _CONNECTIONS[pool.connection_class]
    return Redis.from_pool(pool)


async def server_info(redis: AnyRedis) -> Mapping[str, Any]:
    """What a server says of itself; in a cluster any one of them."""
    about: Mapping[str, Any]
    if isinstance(redis, RedisCluster):
        await redis.initialize()
        about = await redis.info("server", target_nodes=redis.get_default_node())
    else:
        about = await redis.info("server")
    return about
