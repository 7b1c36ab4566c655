"""The desk's part of the inbox: updates that concern no single ticket, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.codec import clean
from storage.postgres import transaction, unit

ATTEMPTS_MAX = 5
"""Failures of one update before it goes to the dead letters."""

_WAITING = text("""
    SELECT id, key, raw, attempts FROM inbox
    WHERE ticket_id IS NULL AND handled_at IS NULL AND id > :after ORDER BY id LIMIT :limit
""").columns(raw=JSONB)

_HANDLED = text("UPDATE inbox SET handled_at = now() WHERE id = ANY(:ids)")

_FAILED = text("""
    WITH failed AS (
        UPDATE inbox SET attempts = attempts + 1,
            handled_at = CASE WHEN attempts + 1 >= :attempts_max THEN now() END
        WHERE id = :id AND handled_at IS NULL
        RETURNING key, raw, attempts, handled_at
    ), buried AS (
        INSERT INTO dead_letters (key, message, error, attempts)
        SELECT key, raw, :error, attempts FROM failed WHERE handled_at IS NOT NULL
    )
    SELECT handled_at IS NOT NULL FROM failed
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRow:
    """One update for the desk, as Telegram sent it."""

    id: int
    key: str
    raw: Mapping[str, Any]
    attempts: int


class DeskMail:
    """Reads and marks the desk's updates."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def waiting(self, after_id: int, limit: int) -> Sequence[DeskRow]:
        """Unhandled updates after ``after_id``, oldest first.

        Raises:
            Transient: Postgres is away.
        """

        async def work() -> list[DeskRow]:
            async with transaction(self._engine) as connection:
                rows = await connection.execute(_WAITING, {"after": after_id, "limit": limit})
                return [
                    DeskRow(id=row.id, key=row.key, raw=row.raw or {}, attempts=row.attempts)
                    for row in rows
                ]

        return await unit(work)

    async def handled(self, ids: Sequence[int]) -> None:
        """Marks updates as done; harmless when repeated."""

        async def work() -> None:
            async with transaction(self._engine) as connection:
                await connection.execute(_HANDLED, {"ids": list(ids)})

        await unit(work)

    async def failed(self, row_id: int, error: str, *, final: bool) -> bool:
        """Counts a failure; says whether the update was given up and put to the dead letters.

        A ``final`` failure gives it up at once.
        """

        async def work() -> bool:
            attempts_max = 1 if final else ATTEMPTS_MAX
            values = {"id": row_id, "error": clean(error), "attempts_max": attempts_max}
            async with transaction(self._engine) as connection:
                return bool((await connection.execute(_FAILED, values)).scalar())

        return await unit(work)
