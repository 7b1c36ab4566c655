"""Which message in one chat is the copy of which in another, as delivery has recorded it."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.books import Counterpart, LinkedMessage
from actors.ids import ChatId, MessageId, TicketId, UserId
from actors.places import CLIENT, Place
from storage.postgres import single, transaction, unit

_FIND = text("""
    SELECT l.ticket_id, l.src_chat_id, l.src_message_id, t.place FROM (
        SELECT ticket_id, src_chat_id, src_message_id, outbox_id FROM message_links
        WHERE dst_chat_id = :chat AND dst_message_id = :message
        UNION ALL
        SELECT ticket_id, src_chat_id, src_message_id, outbox_id FROM message_links
        WHERE src_chat_id = :chat AND src_message_id = :message
    ) AS l LEFT JOIN topics t ON t.ticket_id = l.ticket_id AND t.chat_id = :chat
    ORDER BY l.outbox_id DESC LIMIT 1
""")

_COUNTERPART = text("""
    WITH copied AS (
        SELECT src_chat_id AS chat_id, src_message_id AS message_id FROM message_links
        WHERE dst_chat_id = :chat AND dst_message_id = :message AND ticket_id = :ticket
        ORDER BY outbox_id DESC LIMIT 1
    ), source AS (
        SELECT chat_id, message_id FROM copied
        UNION ALL
        SELECT CAST(:chat AS bigint), CAST(:message AS bigint) WHERE NOT EXISTS (SELECT FROM copied)
    ), found AS (
        SELECT s.message_id, false AS is_copy, 0 AS outbox_id, CAST(NULL AS bigint) AS bot_id
        FROM source s
        WHERE s.chat_id = :in_chat
        UNION ALL
        SELECT l.dst_message_id, true, l.outbox_id, l.bot_id FROM source s JOIN message_links l
            ON l.src_chat_id = s.chat_id AND l.src_message_id = s.message_id
        WHERE l.dst_chat_id = :in_chat AND l.ticket_id = :ticket
    )
    SELECT f.message_id, f.is_copy, f.bot_id, f.is_copy AND (
        SELECT count(*) FROM message_links o
        WHERE o.dst_chat_id = :in_chat AND o.dst_message_id = f.message_id
    ) > 1 AS is_shared
    FROM found f ORDER BY f.outbox_id DESC LIMIT 1
""")


class PostgresLinks:
    """Implements :class:`actors.ports.MessageBook`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._single = single(engine)

    async def find(self, chat_id: ChatId, message_id: MessageId) -> LinkedMessage | None:
        row = await self._one(_FIND, chat=chat_id, message=message_id)
        if row is None:
            return None
        topic = None if row.place is None else Place.parse(row.place)
        return LinkedMessage(
            ticket_id=TicketId(row.ticket_id),
            place=CLIENT if chat_id > 0 else topic,
            source_chat_id=ChatId(row.src_chat_id),
            source_message_id=MessageId(row.src_message_id),
        )

    async def counterpart(
        self, ticket_id: TicketId, chat_id: ChatId, message_id: MessageId, in_chat: ChatId
    ) -> Counterpart | None:
        row = await self._one(
            _COUNTERPART, ticket=ticket_id, chat=chat_id, message=message_id, in_chat=in_chat
        )
        if row is None:
            return None
        return Counterpart(
            message_id=MessageId(row.message_id),
            is_copy=row.is_copy,
            is_shared=row.is_shared,
            bot_id=None if row.bot_id is None else UserId(row.bot_id),
        )

    async def _one(self, query: Any, **values: int) -> Any:
        async def work() -> Any:
            async with transaction(self._single) as connection:
                return (await connection.execute(query, values)).one_or_none()

        return await unit(work)
