"""A group that got another id: whatever is on record is readdressed to it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId
from storage.postgres import transaction, unit

_MOVES = tuple(
    text(f"UPDATE {table} SET {column} = :new WHERE {column} = :old")  # noqa: S608 — constants
    for table, column in (
        ("tickets", "main_chat_id"),
        ("technicians", "group_chat_id"),
        ("tech_threads", "chat_id"),
        ("topics", "chat_id"),
        ("message_links", "src_chat_id"),
        ("message_links", "dst_chat_id"),
    )
)


async def move_chat(engine: AsyncEngine, old: ChatId, new: ChatId) -> int:
    """Readdresses everything from ``old`` to ``new``; returns how many rows that were.

    May be repeated: new tickets keep the old id until the settings name the new one.
    """

    async def work() -> int:
        async with transaction(engine) as connection:
            values = {"old": old, "new": new}
            return sum([(await connection.execute(move, values)).rowcount for move in _MOVES])

    return await unit(work)
