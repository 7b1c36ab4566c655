"""``stats:`` — what nodes tell each other for the status page, in Redis, while somebody looks."""

from collections.abc import Mapping, Sequence
from typing import Final

from storage.redis import AnyRedis
from storage.tolerant import Tolerant

LOOKING_S: Final = 4
"""After the last look the nodes tell for so long; whoever looks says so each second."""

TOLD_S: Final = 5
"""What a node told is forgotten then: it is gone, or nobody looks."""

BYTES_MAX: Final = 1_000_000
"""More is no picture of ours."""

_LOOKING: Final = "stats:looking"


class SharedStats:
    """Pictures as bytes, by a node's name. While Redis is away nobody looks and nobody tells."""

    def __init__(self, redis: AnyRedis, tolerant: Tolerant) -> None:
        self._redis = redis
        self._tolerant = tolerant

    async def look(self, names: Sequence[str]) -> Mapping[str, bytes] | None:
        """Says that somebody looks; what these nodes told. ``None`` while Redis is away."""

        async def command() -> Mapping[str, bytes] | None:
            async with self._redis.pipeline(transaction=False) as pipe:  # keys of several slots
                pipe.set(_LOOKING, 1, ex=LOOKING_S)
                for name in names:
                    pipe.get(_key(name))
                _, *found = await pipe.execute()
            told = zip(names, found, strict=True)
            return {name: each for name, each in told if each and len(each) <= BYTES_MAX}

        return await self._tolerant(command, None)

    async def is_looked_at(self) -> bool:
        """Whether somebody looks, on whatever node."""

        async def command() -> bool:
            return bool(await self._redis.exists(_LOOKING))

        return await self._tolerant(command, False)  # noqa: FBT003 - the answer while it is away

    async def tell(self, name: str, picture: bytes) -> None:
        """This node as it is now."""

        async def command() -> None:
            await self._redis.set(_key(name), picture, ex=TOLD_S)

        await self._tolerant(command, None)


def _key(name: str) -> str:
    return f"stats:node:{name}"
