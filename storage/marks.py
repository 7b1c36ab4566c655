"""``fwd:`` — which rows were sent in the last two hours, should their record be lost in a crash."""

from collections.abc import Mapping

import orjson

from actors.ids import MessageId, ThreadId, UserId
from actors.ports import Made
from storage.redis import AnyRedis
from storage.tolerant import Tolerant

PREFIX = "fwd:"

KEPT_S = 7200
"""Longer than any restart; after it an uncertain row is simply sent once more."""


class RedisMarks:
    """Marks of sent rows, written right after each call. Remembers nothing while Redis is away."""

    def __init__(self, redis: AnyRedis, tolerant: Tolerant) -> None:
        self._redis = redis
        self._tolerant = tolerant

    async def mark(self, sent: Mapping[str, Made]) -> None:
        """Remembers what was made, by the rows' marks, in one round trip."""

        async def command() -> None:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for mark, made in sent.items():
                    value = orjson.dumps([made.message_id, made.thread_id, made.bot_id])
                    pipeline.set(f"{PREFIX}{mark}", value, ex=KEPT_S)
                await pipeline.execute()

        await self._tolerant(command, None)

    async def find(self, mark: str) -> Made | None:
        """What the row's call made, ``None`` when nothing is known of it."""

        async def command() -> bytes | str | None:
            found: bytes | str | None = await self._redis.get(f"{PREFIX}{mark}")
            return found

        found = await self._tolerant(command, None)
        if found is None:
            return None
        message_id, thread_id, bot_id = (*orjson.loads(found), None)[:3]
        return Made(
            message_id=None if message_id is None else MessageId(message_id),
            thread_id=None if thread_id is None else ThreadId(thread_id),
            bot_id=None if bot_id is None else UserId(bot_id),
        )
