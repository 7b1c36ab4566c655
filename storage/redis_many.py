"""Redis on several machines: clients that follow a failover, of sentinels or of a cluster.

All of a client's waits are shorter than what :class:`~storage.tolerant.Tolerant` gives a command:
one that is cancelled learns nothing, and would ask the dead machine again and again.
"""

from collections.abc import Mapping
from typing import Any, Final

import anyio
from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
)
from redis.backoff import NoBackoff

from storage.redis_address import ClusterAddress, SentinelAddress
from storage.redis_connections import Plain, Tls, ToldOfLoss
from storage.tolerant import AWAY

SENTINEL_TIMEOUT_S: Final = 0.15
"""For a sentinel to take the connection, and again to answer; all of them are asked at once."""

NODE_CONNECT_TIMEOUT_S: Final = 0.1
NODE_COMMAND_TIMEOUT_S: Final = 0.2
"""For one server of a cluster, and then there is time left to ask another where the keys went."""


class _Managed(ToldOfLoss, SentinelManagedConnection):
    pass


class _ManagedTls(ToldOfLoss, SentinelManagedConnection, SSLConnection):
    pass


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Who finds all connections taken waits for one, as with a single server."""


class _Sentinels(Sentinel):
    """Asks all sentinels at once: those of the machine that has just died never answer."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        found: list[tuple[str, int]] = []

        async def ask(sentinel: Redis) -> None:
            try:
                masters: Any = await sentinel.sentinel_masters()
            except AWAY:
                return
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                found.append((state["ip"], state["port"]))
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for sentinel in self.sentinels:
                group.start_soon(ask, sentinel)
        if not found:
            raise MasterNotFoundError("no sentinel knows of a master")
        return found[0]


class _SentinelRedis(Redis):
    """The client of the master; closes the connections to the sentinels, too."""

    sentinels: Sentinel

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        await self.sentinels.aclose()


def sentinel_client(address: SentinelAddress, common: Mapping[str, Any]) -> Redis:
    """A client of whoever is the master; each new connection asks the sentinels who that is.

    Args:
        address: The sentinels, and the name under which they know the master.
        common: What connections have in common: times, retries, the size of the pool.
    """
    tls = {"connection_class": _ManagedTls} if address.tls else {"connection_class": _Managed}
    sentinels = _Sentinels(  # type: ignore[no-untyped-call]  # redis-py's own constructor
        [(host.name, host.port) for host in address.sentinels],
        sentinel_kwargs={
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "password": address.sentinel_password,
            "ssl": address.tls,
            # Once more: a sentinel that was restarted leaves a dead connection behind.
            "retry": Retry(NoBackoff(), 1),
        },
    )
    client: _SentinelRedis = sentinels.master_for(
        address.service,
        redis_class=_SentinelRedis,
        connection_pool_class=_SentinelPool,
        db=address.database,
        username=address.username,
        password=address.password,
        **tls,
        **common,
    )
    client.sentinels = sentinels
    return client


class _Cluster(RedisCluster):
    """A client of all servers of a cluster, which it finds at its first command."""

    def __init__(self, *, at_once: int, **options: Any) -> None:
        super().__init__(max_connections=2 * at_once, **options)
        # redis-py refuses a command that finds no free connection; here it waits. Pipelines and
        # listeners go past this: the other half of the connections is theirs.
        self._at_once = anyio.Semaphore(at_once)
        self._written = [(node.host, int(node.port)) for node in self.startup_nodes]
        kind = Tls if self.connection_kwargs["connection_class"] is SSLConnection else Plain
        self.connection_kwargs["connection_class"] = kind
        for node in self.startup_nodes:
            node.connection_class = kind

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        async with self._at_once:
            return await super().execute_command(*args, **kwargs)

    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> RedisCluster:
        """Finds the servers, by the names in the settings when none of the known ones answers."""
        more = additional_startup_nodes_info or []
        return await super().initialize([*more, *self._forgotten()], last_failed_node_name)

    def _forgotten(self) -> list[tuple[str, int]]:
        """Servers of the settings that are no longer among the known ones."""
        known = self.nodes_manager.startup_nodes
        return [(host, port) for host, port in self._written if f"{host}:{port}" not in known]

    async def look_again(self) -> None:
        """Asks anew which server holds what."""
        await self.initialize()
        await self.nodes_manager.initialize(self._forgotten())

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Closes what redis-py leaves open after an error; takes the argument of ``Redis``."""
        del close_connection_pool
        await super().aclose()
        for nodes in ("nodes_cache", "startup_nodes"):
            await self.nodes_manager.aclose(nodes)


def cluster_client(
    address: ClusterAddress, common: Mapping[str, Any], at_once: int
) -> RedisCluster:
    """A client of a cluster; ``at_once`` commands run at the same time, further ones wait."""
    return _Cluster(
        at_once=at_once,
        startup_nodes=[ClusterNode(host.name, host.port) for host in address.servers],
        username=address.username,
        password=address.password,
        ssl=address.tls,
        **common,
        socket_connect_timeout=NODE_CONNECT_TIMEOUT_S,
        socket_timeout=NODE_COMMAND_TIMEOUT_S,
    )


async def look_again(redis: Redis | RedisCluster) -> None:
    """For who only listens: in no other way does it learn of a failover in a cluster."""
    if isinstance(redis, _Cluster):
        await redis.look_again()
