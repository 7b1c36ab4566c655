"""``lock:`` — a button press in work. A debounce only: order and truth come from the inbox."""

import hashlib
from collections import OrderedDict

from storage.redis import AnyRedis
from storage.tolerant import Tolerant

PREFIX = "lock:"

HELD_S = 60
"""A press is answered within seconds; a lock that was forgotten ends by itself."""

REMEMBERED_MAX = 10_000
"""Presses in work at once, far above what people can do."""


class RedisPressLocks:
    """One lock per person and button; released when the press has been answered."""

    def __init__(self, redis: AnyRedis, tolerant: Tolerant) -> None:
        self._redis = redis
        self._tolerant = tolerant
        self._held: OrderedDict[str, str] = OrderedDict()

    async def acquire(self, user_id: int, data: str, callback_id: str) -> bool:
        """Whether this press may go on; always, while Redis is away.

        The same press delivered again (same ``callback_id``) may go on too: the inbox knows it.
        """
        key = f"{PREFIX}{user_id}:{hashlib.blake2s(data.encode(), digest_size=12).hexdigest()}"

        async def command() -> bool:
            if await self._redis.set(key, callback_id, nx=True, ex=HELD_S):
                return True
            holder = await self._redis.get(key)
            held_by = holder.decode() if isinstance(holder, bytes) else holder
            return held_by is None or held_by == callback_id

        taken = await self._tolerant(command, default=True)
        if taken:
            self._held[callback_id] = key
            if len(self._held) > REMEMBERED_MAX:
                self._held.popitem(last=False)
        return taken

    async def release(self, callback_id: str) -> None:
        """The press has been answered; the same button may be pressed again."""
        key = self._held.pop(callback_id, None)
        if key is None:
            return

        async def command() -> None:
            await self._redis.delete(key)

        await self._tolerant(command, None)
