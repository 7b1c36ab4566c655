"""What operators do from the pages: the audited operations, and a hint to whom they concern."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.ids import TicketId
from storage.operations import Change, OperationError, Operations
from storage.redis import AnyRedis
from storage.stats_tickets import TicketSights
from storage.tolerant import Tolerant
from web.shapes import DeadFilter, Done, DoneMany
from web.status import Changed, Refused, Unavailable

TELLING: Final = frozenset(
    ["operator_poked", "operator_moved", "operator_released", "dead_retried"]
)
"""Changes that leave the ticket's owner something to do."""

MANY_MAX: Final = 1000
"""Dead letters that one request may judge; each is a transaction of its own."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsParts:
    """``own_run`` names this node's run; ``look`` tells its tickets without any Redis.

    ``changed`` is called after each change, before anybody hears of it.
    """

    engine: AsyncEngine
    redis: AnyRedis
    tolerant: Tolerant
    own_run: Callable[[], str]
    look: Callable[[Sequence[TicketId]], None]
    changed: Callable[[], None]


class LiveHands:
    """Implements :class:`web.status.Hands`."""

    def __init__(self, parts: HandsParts) -> None:
        self._parts = parts
        self._tickets = TicketSights(parts.engine)

    async def poke(self, by: str, ticket: int) -> Done:
        return await self._do(by, lambda does: does.poke(TicketId(ticket)))

    async def move(self, by: str, ticket: int, node: str | None) -> Done:
        return await self._do(by, lambda does: does.move(TicketId(ticket), node))

    async def quarantine(self, by: str, ticket: int, why: str) -> Done:
        return await self._do(by, lambda does: does.quarantine(TicketId(ticket), why))

    async def release(self, by: str, ticket: int) -> Done:
        return await self._do(by, lambda does: does.release(TicketId(ticket)))

    async def retry(self, by: str, dead: int) -> Done:
        return await self._do(by, lambda does: does.retry(dead))

    async def drop(self, by: str, dead: int, why: str) -> Done:
        return await self._do(by, lambda does: does.drop(dead, why))

    async def retry_many(self, by: str, wanted: DeadFilter, expected: int) -> DoneMany:
        return await self._do_many(by, wanted, expected, "dead_retried", self.retry)

    async def drop_many(self, by: str, wanted: DeadFilter, expected: int, why: str) -> DoneMany:
        async def drop(by: str, dead: int) -> Done:
            return await self.drop(by, dead, why)

        return await self._do_many(by, wanted, expected, "dead_dropped", drop)

    async def drain(self, by: str, node: str) -> Done:
        """The node sees it in its row within two seconds, whatever Redis does."""
        return await self._do(by, lambda does: does.drain(node))

    async def _do_many(
        self,
        by: str,
        wanted: DeadFilter,
        expected: int,
        action: str,
        do: Callable[[str, int], Awaitable[Done]],
    ) -> DoneMany:
        try:
            found = await self._tickets.dead_ids(wanted.ticket, wanted.query)
        except (Transient, SQLAlchemyError, OSError, TimeoutError) as error:
            raise Unavailable from error
        if len(found) != expected:
            self._parts.changed()
            raise Changed(f"{len(found)} match by now, not {expected}; look again")
        if len(found) > MANY_MAX:
            raise Refused(f"{len(found)} are more than {MANY_MAX} at once; narrow the filter")
        done, kept = 0, list[str]()
        for dead in found:
            try:
                await do(by, dead)
            except Refused as error:
                kept.append(str(error))
            else:
                done += 1
        return DoneMany(action=action, done=done, kept=tuple(kept))

    async def _do(self, by: str, work: Callable[[Operations], Awaitable[Change]]) -> Done:
        try:
            change = await work(Operations(self._parts.engine, by=by))
        except OperationError as error:
            raise Refused(str(error)) from error
        except (Transient, SQLAlchemyError, OSError, TimeoutError) as error:
            raise Unavailable from error
        finally:
            self._parts.changed()  # also when nobody knows whether it was
        log.info("operator_acted", by=by, action=change.action, ticket_id=change.ticket_id)
        return Done(
            action=change.action,
            ticket_id=change.ticket_id,
            node=None if change.tell is None else change.tell.rpartition("/")[0],
            heard=await self._tell(change),
        )

    async def _tell(self, change: Change) -> bool | None:
        """Whether the owner heard of it; it finds out by itself a second later."""
        run, ticket = change.tell, change.ticket_id
        if change.action not in TELLING or run is None or ticket is None:
            return None
        if run == self._parts.own_run():
            self._parts.look([ticket])
            return True

        async def publish() -> bool:
            return int(await self._parts.redis.publish(f"own:{run}", json.dumps([ticket]))) > 0

        return await self._parts.tolerant(publish, False)  # noqa: FBT003 - while Redis is away
