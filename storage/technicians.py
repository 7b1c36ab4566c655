"""The technicians, as configured and as the tickets remember them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId, TechnicianId, UserId
from actors.messages import Technician
from storage.models import TechnicianRow
from storage.postgres import transaction, unit

_SYNC = text("""
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:names AS text[]), CAST(:chats AS bigint[]), CAST(:users AS bigint[])
        ) WITH ORDINALITY AS d(name, chat_id, user_id, n)
    ), gone AS (
        UPDATE technicians SET is_active = false
        WHERE is_active AND name NOT IN (SELECT name FROM given)
    )
    INSERT INTO technicians (name, group_chat_id, tg_user_id)
    SELECT name, chat_id, user_id FROM given ORDER BY n
    ON CONFLICT (name) DO UPDATE SET
        group_chat_id = EXCLUDED.group_chat_id, tg_user_id = EXCLUDED.tg_user_id, is_active = true
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class TechnicianSpec:
    """A technician as the settings name them."""

    name: str
    chat_id: ChatId
    user_id: UserId | None = None


class TechnicianTable:
    """The table of technicians; ``storage.cache`` stands before it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def sync(self, specs: Sequence[TechnicianSpec]) -> None:
        """Makes exactly these active; those who are gone stay for the history."""

        async def work() -> None:
            values = {
                "names": [spec.name for spec in specs],
                "chats": [spec.chat_id for spec in specs],
                "users": [spec.user_id for spec in specs],
            }
            async with transaction(self._engine) as connection:
                await connection.execute(_SYNC, values)

        await unit(work)

    async def active(self) -> tuple[Technician, ...]:
        """The active technicians, in the order of the settings at their first appearance."""
        query = select(TechnicianRow).where(TechnicianRow.is_active).order_by(TechnicianRow.id)

        async def work() -> tuple[Technician, ...]:
            async with transaction(self._engine) as connection:
                return tuple(_technician(row) for row in await connection.execute(query))

        return await unit(work)

    async def by_id(self, technician_id: TechnicianId) -> Technician | None:
        """A technician, active or not; ``None`` when there never was one of that number."""
        query = select(TechnicianRow).where(TechnicianRow.id == technician_id)

        async def work() -> Technician | None:
            async with transaction(self._engine) as connection:
                row = (await connection.execute(query)).one_or_none()
                return None if row is None else _technician(row)

        return await unit(work)


def _technician(row: Any) -> Technician:
    return Technician(
        id=TechnicianId(row.id),
        name=row.name,
        chat_id=ChatId(row.group_chat_id),
        user_id=None if row.tg_user_id is None else UserId(row.tg_user_id),
    )
