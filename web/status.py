"""What the pages and the API ask for, and the picture of each second that all viewers share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import anyio
import orjson
import structlog

from web.shapes import (
    DeadFilter,
    DeadLetters,
    DeliveryShape,
    Done,
    DoneMany,
    History,
    Nodes,
    Overview,
    TicketDetail,
    TicketFilter,
    Tickets,
    Tree,
)

log = structlog.get_logger(__name__)

SNAPSHOT_TIMEOUT_S = 5.0
"""A node that cannot tell within this is in trouble, and the page says so."""


class Unavailable(Exception):
    """What was asked for is in the database, which does not answer now."""


class NotThere(Exception):
    """There is no such thing; the message says which."""


class Refused(Exception):
    """It cannot be done as things stand, and nothing was; the message says why."""


class Changed(Exception):
    """Not so many match as was expected; nothing was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether this node serves; ``reasons`` say why not."""

    ready: bool
    reasons: tuple[str, ...]


class Sight(Protocol):
    """What can be seen. All but :meth:`overview` and :meth:`nodes` raise :class:`Unavailable`."""

    async def readiness(self) -> Readiness: ...

    async def overview(self) -> Overview:
        """The desk as it is now, whatever is away; somebody looks, says the call."""

    async def nodes(self) -> Nodes: ...

    async def tickets(self, wanted: TicketFilter) -> Tickets: ...

    async def ticket(self, number: int) -> TicketDetail:
        """One ticket.

        Raises:
            NotThere: There is none of that number.
        """

    async def delivery(self) -> DeliveryShape: ...

    async def dead_letters(self, wanted: DeadFilter) -> DeadLetters: ...

    async def tree(self) -> Tree: ...

    async def history(self, span: str) -> History: ...


class Hands(Protocol):
    """What can be done, each in the name ``by``. All raise ``Refused`` and ``Unavailable``.

    After ``Unavailable`` it may or may not have been done; asking again is harmless.
    """

    async def poke(self, by: str, ticket: int) -> Done: ...

    async def move(self, by: str, ticket: int, node: str | None) -> Done: ...

    async def quarantine(self, by: str, ticket: int, why: str) -> Done: ...

    async def release(self, by: str, ticket: int) -> Done: ...

    async def retry(self, by: str, dead: int) -> Done: ...

    async def drop(self, by: str, dead: int, why: str) -> Done: ...

    async def retry_many(self, by: str, wanted: DeadFilter, expected: int) -> DoneMany:
        """Each by itself, oldest first.

        Raises:
            Changed: Not so many match.
        """

    async def drop_many(self, by: str, wanted: DeadFilter, expected: int, why: str) -> DoneMany:
        """As :meth:`retry_many`."""

    async def drain(self, by: str, node: str) -> Done: ...


class SharedOverview:
    """Takes a picture when somebody looks and the last one is old; never two at once.

    It is written once as JSON, and all viewers get the same bytes.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[Overview]],
        interval_s: float = 1.0,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self.interval_s = interval_s
        self._take_picture = take
        self._clock = clock
        self._lock = anyio.Lock()
        self._json: bytes | None = None
        self._taken_at = -interval_s
        self.number = 0
        """Counts the pictures."""

    async def get(self) -> bytes | None:
        """The picture, at most ``interval_s`` old; ``None`` when it could not be taken."""
        if not self._is_fresh():
            async with self._lock:
                if not self._is_fresh():
                    await self._take()
        return self._json

    async def after(self, number: int) -> tuple[int, bytes | None]:
        """The first picture after that number, waited for; the wait is shared.

        One of the waiting sleeps and takes it; when it is cancelled another does.
        """
        while self.number <= number:
            async with self._lock:
                if self.number > number:
                    break
                await anyio.sleep(max(0.0, self._taken_at + self.interval_s - self._clock()))
                if not self._is_fresh():
                    await self._take()
        return self.number, self._json

    def _is_fresh(self) -> bool:
        return self._clock() - self._taken_at < self.interval_s

    async def _take(self) -> None:
        was_known = self._json is not None or self.number == 0
        began = self._clock()
        try:
            with anyio.fail_after(SNAPSHOT_TIMEOUT_S):
                self._json = orjson.dumps(await self._take_picture())
        except Exception as error:
            self._json = None
            if was_known:  # once, not every second
                log.exception("status_unknown", error=type(error).__name__)
        self._taken_at = began
        self.number += 1
