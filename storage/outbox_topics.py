"""Delivery's address book: which topic a lane has, written with the settlement that made it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.effects import OpenTopic
from actors.ports import Sent, TopicLost

_LEAVE = text("""
    DELETE FROM topics WHERE chat_id = :chat_id AND thread_id = :thread_id AND lane <> :lane
""")

_REMEMBER = text("""
    INSERT INTO topics (lane, ticket_id, place, chat_id, thread_id)
    VALUES (:lane, :ticket_id, :place, :chat_id, :thread_id)
    ON CONFLICT (lane) DO UPDATE SET
        chat_id = EXCLUDED.chat_id, thread_id = EXCLUDED.thread_id, opened_at = now()
""")

_WRITES = text("UPDATE topics SET bot_id = :bot_id WHERE lane = :lane")

_FORGET = text("DELETE FROM topics WHERE lane = :lane AND thread_id = :thread_id")

# Nothing when the topic was made anew already, or is about to be: the report came twice.
_REOPEN = text("""
    INSERT INTO outbox (position, ticket_id, cause_seq, lane, place, kind, effect, trace)
    SELECT -1, o.ticket_id, o.cause_seq, o.lane, o.place, o.kind,
           jsonb_set(o.effect, '{title}', coalesce((
               SELECT r.effect -> 'title' FROM outbox r
               WHERE r.ticket_id = o.ticket_id AND r.lane = o.lane AND r.id > o.id
                 AND r.kind = 'RenameTopic' AND r.state = 'sent'
               ORDER BY r.id DESC LIMIT 1), o.effect -> 'title')), o.trace
    FROM outbox o
    WHERE o.ticket_id = :ticket_id AND o.lane = :lane AND o.kind = 'OpenTopic'
      AND NOT EXISTS (SELECT FROM topics t WHERE t.lane = :lane)
      AND NOT EXISTS (SELECT FROM outbox w WHERE w.lane = :lane AND w.kind = 'OpenTopic'
                      AND w.state IN ('waiting', 'sending'))
    ORDER BY o.id DESC LIMIT 1
""")


async def remember_topic(connection: AsyncConnection, sent: Sent) -> None:
    """Notes the topic that was made; whoever had that thread before has it no longer."""
    row = sent.row
    assert isinstance(row.effect, OpenTopic), row
    assert row.address is not None, row
    values = {
        "lane": row.lane,
        "chat_id": row.address.chat_id,
        "thread_id": sent.thread_id,
    }
    await connection.execute(_LEAVE, values)
    rest = {"ticket_id": row.ticket_id, "place": str(row.effect.place)}
    await connection.execute(_REMEMBER, values | rest)


async def remember_bot(connection: AsyncConnection, sent: Sent) -> None:
    """Notes which bot writes the topic's texts, for all nodes and the time after a restart."""
    await connection.execute(_WRITES, {"lane": sent.row.lane, "bot_id": sent.bot_id})


async def lose_topic(connection: AsyncConnection, lost: TopicLost) -> None:
    """Forgets the topic and puts its opening, with the newest title, before all that waits."""
    row = lost.row
    if row.address is not None and row.address.thread_id is not None:
        known = {"lane": row.lane, "thread_id": row.address.thread_id}
        await connection.execute(_FORGET, known)
    await connection.execute(_REOPEN, {"lane": row.lane, "ticket_id": row.ticket_id})
