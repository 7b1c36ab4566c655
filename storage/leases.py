"""Leases of nodes in Redis: they only tell sooner that a node may be gone."""

from collections.abc import Sequence

from actors.nodes import NodeIdentity
from storage.redis import AnyRedis
from storage.tolerant import Tolerant

_EXTEND = """
local holder = redis.pcall('GET', KEYS[1])
if holder == false or type(holder) == 'table' or holder == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
end
return 0
"""
"""Compared and extended in one step: a lease that another run holds is never renewed by us.

What is no string (an error of ``GET``) is nobody's lease: left there, it would say at each beat
that Redis is away.
"""

_DROP = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RedisLeases:
    """Implements :class:`actors.nodes.Leases`: ``lease:<name>`` holds the run's incarnation."""

    def __init__(self, redis: AnyRedis, tolerant: Tolerant) -> None:
        self._tolerant = tolerant
        self._redis = redis
        self._extend = redis.register_script(_EXTEND)
        self._drop = redis.register_script(_DROP)

    async def extend(self, node: NodeIdentity, ttl_s: float) -> bool | None:
        async def command() -> bool | None:
            keys, args = [_key(node.name)], [node.incarnation, str(round(ttl_s * 1000))]
            return bool(await self._extend(keys=keys, args=args))

        return await self._tolerant(command, None)

    async def expired(self, names: Sequence[str]) -> Sequence[str] | None:
        async def command() -> Sequence[str] | None:
            async with self._redis.pipeline(transaction=False) as pipe:  # keys of several slots
                for name in names:
                    pipe.exists(_key(name))
                found = await pipe.execute()
            return [name for name, exists in zip(names, found, strict=True) if not exists]

        return await self._tolerant(command, None)

    async def drop(self, node: NodeIdentity) -> None:
        async def command() -> None:
            await self._drop(keys=[_key(node.name)], args=[node.incarnation])

        await self._tolerant(command, None)


def _key(name: str) -> str:
    return f"lease:{name}"
