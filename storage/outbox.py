"""The durable outbox: what is to be sent, lane by lane, and what came of it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.effects import Copy, Delete, OpenTopic
from actors.ids import ChatId, MessageId, ThreadId, TicketId, UserId
from actors.messages import Deleted, DeliveryFailed, Envelope, FailureReason, Person, TopicOpened
from actors.nodes import NodeIdentity
from actors.places import MAIN, Place, PlaceKind
from actors.ports import (
    Address,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    TopicLost,
    Undeliverable,
)
from storage import lanes
from storage.codec import decode_effect
from storage.main_groups import MainGroups
from storage.nodes import LIVES
from storage.outbox_rows import DETAIL_LENGTH_MAX, links, outcomes
from storage.outbox_topics import lose_topic, remember_bot, remember_topic
from storage.postgres import single, transaction, unit
from storage.receipts import give_receipts

PRESS_LIFE_S = 150
"""How long Telegram waits for the answer to a button press."""

_EXPIRE = text("""
    UPDATE outbox SET state = 'superseded', settled_at = now(), error = 'too late'
    WHERE state IN ('waiting', 'sending') AND lane LIKE 'press:%'
      AND created_at < now() - make_interval(secs => :life_s)
""")

_HEADS = """
    SELECT o.id, o.created_at, o.trace, o.ticket_id, o.lane, o.place, o.kind, o.effect, o.attempts,
           o.uncertain OR o.state = 'sending' AS uncertain,
           t.client_tg_id, t.main_chat_id, u.full_name, u.username, u.language_code,
           tp.thread_id, tp.chat_id AS topic_chat_id, tp.bot_id, tech.group_chat_id
    FROM {lanes}
    CROSS JOIN LATERAL (
        SELECT w.*, bool_or(coalesce(w.not_before > now(), false)
                            OR own.owner IS DISTINCT FROM :owner) OVER (
                   ORDER BY w.position, w.id
               ) AS held
        FROM outbox w JOIN tickets own ON own.id = w.ticket_id
        WHERE w.lane = l.lane AND w.state IN ('waiting', 'sending')
        ORDER BY w.position, w.id LIMIT :per_lane
    ) o
    JOIN tickets t ON t.id = o.ticket_id
    JOIN users u ON u.tg_id = t.client_tg_id
    LEFT JOIN topics tp ON tp.lane = o.lane
    LEFT JOIN technicians tech
      ON tech.id = CAST(substring(o.place FROM '^mirror:([0-9]+)$') AS bigint)
    WHERE o.held IS NOT TRUE
    ORDER BY l.n, o.position, o.id LIMIT :limit
"""

_GIVEN = "unnest(CAST(:lanes AS text[])) WITH ORDINALITY AS l(lane, n)"
_ALL = """(
    SELECT w.lane, min(w.id) AS n FROM outbox w JOIN tickets t ON t.id = w.ticket_id
    WHERE w.state IN ('waiting', 'sending') AND t.owner = :owner GROUP BY w.lane
    HAVING min(w.position) < 0
        OR min(w.id) FILTER (WHERE w.not_before > now()) IS DISTINCT FROM min(w.id)
    ORDER BY min(w.id) LIMIT :limit
) AS l"""
# Lanes whose first row waits for its time are left out before the cut, so they crowd out nobody.

_HEADS_GIVEN = text(_HEADS.format(lanes=_GIVEN)).columns(effect=JSONB)
_HEADS_ALL = text(_HEADS.format(lanes=_ALL)).columns(effect=JSONB)

_STARTING = text(
    f"""
    UPDATE outbox o SET
        state = 'sending', attempts = o.attempts + 1, uncertain = false, started_at = now()
    FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS integer[])) AS d(id, attempts), tickets t
    WHERE o.id = d.id AND o.attempts = d.attempts AND o.state IN ('waiting', 'sending')
      AND t.id = o.ticket_id AND t.owner = :owner AND {LIVES.format(owner=":owner")}
    RETURNING o.id
"""  # noqa: S608 — put together from constants
)
# "attempts" as read: of two runs that believe they own a row exactly one may start it.

_SETTLE = text("""
    WITH settled AS (
        UPDATE outbox o SET
            state = d.state, message_id = coalesce(d.message_id, o.message_id), error = d.error,
            uncertain = d.uncertain, not_before = now() + make_interval(secs => d.after_s),
            settled_at = CASE WHEN d.state = 'waiting' THEN NULL ELSE now() END
        FROM unnest(
            CAST(:ids AS bigint[]), CAST(:states AS text[]), CAST(:message_ids AS bigint[]),
            CAST(:errors AS text[]), CAST(:uncertains AS boolean[]),
            CAST(:afters AS double precision[])
        ) AS d(id, state, message_id, error, uncertain, after_s)
        WHERE o.id = d.id AND o.state IN ('waiting', 'sending')
        RETURNING o.id
    ), linked AS (
        INSERT INTO message_links (src_chat_id, src_message_id, dst_chat_id, dst_message_id,
                                   ticket_id, outbox_id, bot_id)
        SELECT * FROM unnest(
            CAST(:src_chats AS bigint[]), CAST(:src_messages AS bigint[]),
            CAST(:dst_chats AS bigint[]), CAST(:dst_messages AS bigint[]),
            CAST(:tickets AS bigint[]), CAST(:outbox_ids AS bigint[]), CAST(:bots AS bigint[])
        ) ON CONFLICT DO NOTHING
    )
    SELECT id FROM settled
""")

_UNREADABLE = text("""
    UPDATE outbox SET state = 'undeliverable', settled_at = now(), error = 'unreadable'
    WHERE id = ANY(:ids) AND state IN ('waiting', 'sending')
""")

_TAGGED = text("""
    SELECT message_id FROM outbox
    WHERE ticket_id = :ticket AND tag = :tag AND place = :place AND message_id IS NOT NULL
    ORDER BY id DESC LIMIT 1
""")

_BACKLOG = text("""
    SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
           count(*) FILTER (WHERE state = 'sending') AS sending,
           count(*) FILTER (WHERE uncertain) AS uncertain,
           coalesce(extract(epoch FROM now() - min(created_at)), 0) AS oldest_s,
           (SELECT count(*) FROM outbox WHERE state = 'undeliverable') AS undeliverable
    FROM outbox WHERE state IN ('waiting', 'sending')
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What is still to be sent, ``oldest_s`` in seconds; and what never could be, of all time."""

    waiting: int
    sending: int
    uncertain: int
    oldest_s: float
    undeliverable: int


class PostgresOutbox:
    """Implements :class:`actors.ports.Outbox` for the present run of one node."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: Callable[[], NodeIdentity],
        *,
        receipts: bool = False,
        groups: MainGroups | None = None,
    ) -> None:
        """``receipts``: whoever wrote to the client sees a reaction when it has arrived.

        ``groups`` are where a ticket may go whose main group makes no topic for it.
        """
        self._groups = groups
        self._receipts = receipts
        self._engine = engine
        self._single = single(engine)
        self._node = node

    async def heads(
        self, lanes: Sequence[str] | None, per_lane: int, limit: int
    ) -> Sequence[OutboxRow]:
        async def work() -> Sequence[Any]:
            owner = self._node().owner
            values: dict[str, Any] = {"per_lane": per_lane, "limit": limit, "owner": owner}
            if lanes is not None:
                given = {**values, "lanes": list(lanes)}
                async with transaction(self._single) as connection:
                    return (await connection.execute(_HEADS_GIVEN, given)).all()
            async with transaction(self._engine) as connection:
                await connection.execute(_EXPIRE, {"life_s": PRESS_LIFE_S})
                return (await connection.execute(_HEADS_ALL, values)).all()

        readable: list[OutboxRow] = []
        unreadable: list[Any] = []
        for row in await unit(work):
            try:
                readable.append(_row(row))
            except ValueError:
                unreadable.append(row)
        if unreadable:
            await unit(lambda: self._give_up(unreadable))
        return readable

    async def _give_up(self, rows: Sequence[Any]) -> None:
        """One row that this program cannot read must not stop its lane, let alone the others."""
        letters = [
            lanes.Letter(
                key=f"sent:{row.id}:failed",
                ticket_id=TicketId(row.ticket_id),
                message=DeliveryFailed(
                    place=Place.parse(row.place),
                    effect=row.kind,
                    reason=FailureReason.REFUSED,
                    detail="unreadable",
                ),
            )
            for row in rows
            if row.place is not None
        ]
        async with transaction(self._engine) as connection:
            if letters:
                await lanes.post(connection, letters)
            await connection.execute(_UNREADABLE, {"ids": [row.id for row in rows]})

    async def starting(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        async def work() -> Collection[int]:
            values = {
                "ids": [row.id for row in rows],
                "attempts": [row.attempts for row in rows],
                "owner": self._node().owner,
            }
            async with transaction(self._single) as connection:
                return set((await connection.execute(_STARTING, values)).scalars())

        return await unit(work) if rows else ()

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        return await unit(lambda: self._settle(settlements)) if settlements else []

    async def _settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        """Tickets are told first (their lanes' locks come before the outbox rows' own)."""
        values = {**outcomes(settlements), **links(settlements)}
        if all(map(self._is_plain, settlements)):
            async with transaction(self._single) as connection:
                await connection.execute(_SETTLE, values)
            return []
        async with transaction(self._engine) as connection:
            letters = [letter for s in settlements if (letter := _report(s)) is not None]
            fresh = await lanes.post(connection, letters) if letters else {}
            settled = set((await connection.execute(_SETTLE, values)).scalars())
            for settlement in settlements:
                if isinstance(settlement, TopicLost):
                    await lose_topic(connection, settlement)
                elif isinstance(settlement, Sent) and settlement.thread_id is not None:
                    await remember_topic(connection, settlement)
                elif isinstance(settlement, Sent) and settlement.sticks:
                    await remember_bot(connection, settlement)
                await self._seen(connection, settlement)
            if self._receipts:
                await give_receipts(connection, settlements, settled)
        return [envelope for envelope in fresh.values() if envelope is not None]

    def _is_plain(self, settlement: Settlement) -> bool:
        """Whether the row and its link are all that changes: so it is with nearly all."""
        effect = settlement.row.effect
        match settlement:
            case TopicLost():
                return False
            case Sent(thread_id=thread_id, sticks=sticks) if thread_id is not None or sticks:
                return False
        if isinstance(effect, OpenTopic) or _report(settlement) is not None:
            return False
        return not (self._receipts and isinstance(effect, Copy) and effect.receipt is not None)

    async def _seen(self, connection: AsyncConnection, settlement: Settlement) -> None:
        """What the opening of a main topic says about its group."""
        row = settlement.row
        if self._groups is None or not isinstance(row.effect, OpenTopic):
            return
        if row.effect.place != MAIN or row.address is None:
            return
        match settlement:
            case Sent():
                await self._groups.has_room(connection, row.address.chat_id)
            case Postponed(refusal=refusal) if refusal is not None:
                await self._groups.leave(connection, settlement)

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        async def work() -> int | None:
            values = {"ticket": ticket_id, "place": str(place), "tag": tag}
            async with transaction(self._single) as connection:
                found: int | None = (await connection.execute(_TAGGED, values)).scalar()
                return found

        found = await unit(work)
        return None if found is None else MessageId(found)

    async def backlog(self) -> Backlog:
        async def work() -> Any:
            async with transaction(self._engine) as connection:
                return (await connection.execute(_BACKLOG)).one()

        row = await unit(work)
        return Backlog(
            waiting=row.waiting,
            sending=row.sending,
            uncertain=row.uncertain,
            oldest_s=float(row.oldest_s),
            undeliverable=row.undeliverable,
        )


def _row(row: Any) -> OutboxRow:
    place = None if row.place is None else Place.parse(row.place)
    thread = None if row.thread_id is None else ThreadId(row.thread_id)
    return OutboxRow(
        id=row.id,
        ticket_id=TicketId(row.ticket_id),
        lane=row.lane,
        effect=decode_effect(row.effect),
        address=None if place is None else Address(chat_id=_chat(row, place), thread_id=thread),
        client=Person(
            id=UserId(row.client_tg_id),
            name=row.full_name,
            username=row.username,
            language=row.language_code,
        ),
        attempts=row.attempts,
        uncertain=row.uncertain,
        created_at=row.created_at,
        bot_id=None if row.bot_id is None else UserId(row.bot_id),
        trace=row.trace,
    )


def _chat(row: Any, place: Place) -> ChatId:
    """The chat of a place; a topic that exists stays in its chat whatever the settings say now."""
    match place.kind:
        case PlaceKind.CLIENT:
            return ChatId(row.client_tg_id)
        case PlaceKind.MAIN:
            return ChatId(row.topic_chat_id or row.main_chat_id)
        case PlaceKind.MIRROR:
            return ChatId(row.topic_chat_id or row.group_chat_id)
        case _:
            assert_never(place.kind)


def _report(settlement: Settlement) -> lanes.Letter | None:
    """What the ticket hears of it."""
    row = settlement.row
    match settlement:
        case Sent(thread_id=thread_id) if thread_id is not None:
            assert isinstance(row.effect, OpenTopic), row
            assert row.address is not None, row
            return lanes.Letter(
                key=f"sent:{row.id}:opened",
                ticket_id=row.ticket_id,
                trace=row.trace,
                message=TopicOpened(
                    place=row.effect.place, chat_id=row.address.chat_id, thread_id=thread_id
                ),
            )
        case Sent() if isinstance(row.effect, Delete):
            return lanes.Letter(
                key=f"sent:{row.id}:deleted",
                ticket_id=row.ticket_id,
                trace=row.trace,
                message=Deleted(
                    by=row.effect.by,
                    chat_id=row.effect.of_chat,
                    message_id=row.effect.message_id,
                ),
            )
        case Undeliverable(reason=reason, detail=detail):
            place = getattr(row.effect, "place", None)
            if place is None:
                return None
            return lanes.Letter(
                key=f"sent:{row.id}:failed",
                ticket_id=row.ticket_id,
                trace=row.trace,
                message=DeliveryFailed(
                    place=place,
                    effect=type(row.effect).__name__,
                    reason=reason,
                    detail=detail[:DETAIL_LENGTH_MAX],
                    content=row.effect.content if isinstance(row.effect, Copy) else None,
                    row=row.id,
                ),
            )
        case _:
            return None
