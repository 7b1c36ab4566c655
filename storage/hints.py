"""Hints between nodes through Redis: "these tickets of yours have mail". May be lost."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence

import anyio
import structlog
from anyio.abc import TaskStatus

from actors.ids import TicketId
from storage.redis import AnyRedis
from storage.redis_many import look_again
from storage.tolerant import AWAY, Tolerant

log = structlog.get_logger(__name__)

WAITING_MAX = 10_000
"""Hints that wait to be sent; what is more is found by the owners' polls."""

LISTEN_S = 1.0
"""How long one wait for a message lasts before it is looked whether the run is another now."""

ASKED_AFTER = 3
SILENT_MAX = 5
"""Waits without a word, after which the server is asked for one, and after which it is given up:
a machine that is gone closes no connection."""

RETRY_S = 1.0
"""A Redis that is back is listened to again within this time."""


class RedisHints:
    """Implements :class:`actors.nodes.Hints`: one channel per run, ``own:<owner>``."""

    def __init__(self, redis: AnyRedis, tolerant: Tolerant) -> None:
        self._redis = redis
        self._tolerant = tolerant
        self._waiting: defaultdict[str, set[TicketId]] = defaultdict(set)
        self._count = 0
        self._filled = anyio.Event()

    def tell(self, owner: str, tickets: Sequence[TicketId]) -> None:
        if self._count >= WAITING_MAX:
            return
        self._waiting[owner].update(tickets)
        self._count += len(tickets)
        self._filled.set()

    async def send(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Publishes what was told, until cancelled; several hints to one run are one message."""
        task_status.started()
        while True:
            await self._filled.wait()
            self._filled = anyio.Event()
            waiting, self._waiting = self._waiting, defaultdict(set)
            self._count = 0
            for owner, tickets in waiting.items():
                await self._publish(owner, sorted(tickets))

    async def listen(
        self,
        owner: Callable[[], str],
        receive: Callable[[Sequence[TicketId]], None],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Passes on what others tell this run, until cancelled; follows when the run changes."""
        task_status.started()
        while True:
            try:
                await self._listen_as(owner, receive)
            except AWAY as error:
                log.debug("hints_off", error=type(error).__name__)
                await anyio.sleep(RETRY_S)

    async def _listen_as(
        self, owner: Callable[[], str], receive: Callable[[Sequence[TicketId]], None]
    ) -> None:
        name = owner()
        await look_again(self._redis)
        async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(_channel(name))
            silent = 0
            while owner() == name:
                message = await channel.get_message(timeout=LISTEN_S)
                silent = silent + 1 if message is None else 0
                if message is not None and message["type"] == "message":
                    receive(_tickets(message["data"]))
                elif silent == ASKED_AFTER:
                    await channel.ping()
                elif silent > SILENT_MAX:
                    raise TimeoutError("no answer")

    async def _publish(self, owner: str, tickets: Sequence[TicketId]) -> None:
        async def command() -> None:
            await self._redis.publish(_channel(owner), json.dumps(tickets))

        await self._tolerant(command, None)


def _channel(owner: str) -> str:
    return f"own:{owner}"


def _tickets(data: object) -> Sequence[TicketId]:
    """The tickets that a message names; what is no such message names none."""
    try:
        found = json.loads(data) if isinstance(data, str | bytes) else ()
    except ValueError:
        found = ()
    if not isinstance(found, list):
        return ()
    return [TicketId(each) for each in found if type(each) is int and each > 0]
