"""``cache:`` — the technicians for ten minutes, clients' cards for fifteen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio
from pydantic import TypeAdapter, ValidationError

from actors.errors import Transient
from actors.messages import Person, Technician
from actors.ports import ClientCard, Directory
from storage.redis import AnyRedis
from storage.tolerant import Tolerant

TECHNICIANS_KEY = "cache:technicians"
TECHNICIANS_TTL_S = 600
CARD_PREFIX = "cache:card:"
CARD_TTL_S = 900

IN_MEMORY_S = 10.0
"""How long this process trusts its own copy: the hot path asks nobody."""

_technicians = TypeAdapter(tuple[Technician, ...])
_card = TypeAdapter(ClientCard)


@dataclass(slots=True)
class Asked:
    """How often a cache was asked, and could answer by itself."""

    hits: int = 0
    misses: int = 0


class TechnicianSource(Protocol):
    async def active(self) -> tuple[Technician, ...]: ...


class CachedRoster:
    """The active technicians: from memory, else from Redis, else from the table."""

    def __init__(
        self,
        source: TechnicianSource,
        redis: AnyRedis,
        tolerant: Tolerant,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._source = source
        self._redis = redis
        self._tolerant = tolerant
        self._clock = clock
        self._known: tuple[Technician, ...] | None = None
        self._until = 0.0
        self.asked = Asked()

    async def active(self) -> tuple[Technician, ...]:
        """The technicians, at most ten minutes old; older ones while Postgres is away.

        Raises:
            Transient: Postgres is away and nothing was known before.
        """
        if self._known is not None and self._clock() < self._until:
            self.asked.hits += 1
            return self._known
        self.asked.misses += 1
        cached = await self._tolerant(self._read, None)
        if cached is None:
            try:
                cached = await self._source.active()
            except Transient:
                if self._known is None:
                    raise
                return self._known
            await self._tolerant(partial(self._write, cached), None)
        self._known, self._until = cached, self._clock() + IN_MEMORY_S
        return cached

    async def invalidate(self) -> None:
        """The table has changed: the next question goes there."""
        self._known = None

        async def forget() -> None:
            await self._redis.delete(TECHNICIANS_KEY)

        await self._tolerant(forget, None)

    async def _read(self) -> tuple[Technician, ...] | None:
        found = await self._redis.get(TECHNICIANS_KEY)
        if found is None:
            return None
        try:
            return _technicians.validate_json(found)
        except ValidationError:  # written by another version
            return None

    async def _write(self, technicians: tuple[Technician, ...]) -> None:
        value = _technicians.dump_json(technicians)
        await self._redis.set(TECHNICIANS_KEY, value, ex=TECHNICIANS_TTL_S)


class CachedDirectory:
    """Cards of the directory, kept so that a restart or a broken sheet still has them."""

    def __init__(self, source: Directory, redis: AnyRedis, tolerant: Tolerant) -> None:
        self._source = source
        self._redis = redis
        self._tolerant = tolerant
        self.asked = Asked()

    async def card(self, client: Person) -> ClientCard | None:
        """What the directory knows now, else what it knew within the last fifteen minutes."""
        key = f"{CARD_PREFIX}{client.id}"
        fresh = await self._source.card(client)
        if fresh is None:
            kept = await self._tolerant(lambda: self._read(key), None)
            self.asked.hits += kept is not None
            self.asked.misses += kept is None
            return kept

        async def write() -> None:
            await self._redis.set(key, _card.dump_json(fresh), ex=CARD_TTL_S)

        await self._tolerant(write, None)
        return fresh

    async def _read(self, key: str) -> ClientCard | None:
        found = await self._redis.get(key)
        if found is None:
            return None
        try:
            return _card.validate_json(found)
        except ValidationError:  # written by another version
            return None
