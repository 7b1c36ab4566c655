"""Redis is a convenience: when it is away, its users go on without it, and without waiting."""

from collections.abc import Awaitable, Callable

import anyio
import structlog
from redis.exceptions import RedisClusterException, RedisError

log = structlog.get_logger(__name__)

TIMEOUT_S = 0.3
"""A Redis that is well answers in a millisecond; whoever asks must not wait for one that is not."""

AWAY = (RedisError, RedisClusterException, OSError, TimeoutError)
"""What a Redis that is away raises; errors of a whole cluster are no ``RedisError``."""

PAUSE_S = 2.0
"""While Redis is away it is asked this often, by one user; the others go on at once."""


class Tolerant:
    """Runs Redis commands; answers with a default while Redis does not. Shared by all its users."""

    def __init__(
        self, clock: Callable[[], float] = anyio.current_time, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._away_until = 0.0
        self.away = False
        """Whether the last answer failed to come."""

    async def __call__[Answer](
        self, command: Callable[[], Awaitable[Answer]], default: Answer
    ) -> Answer:
        """The command's answer, or ``default`` when Redis is away. Never raises for Redis."""
        now = self._clock()
        if self.away and now < self._away_until:
            return default
        self._away_until = now + PAUSE_S
        try:
            with anyio.fail_after(self._timeout_s):
                answer = await command()
        except AWAY as error:
            if not self.away:
                log.warning("redis_away", error=type(error).__name__)
            self.away = True
            return default
        if self.away:
            log.info("redis_back")
        self.away = False
        return answer
