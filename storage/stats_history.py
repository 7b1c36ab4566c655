"""Minutes for the charts, crashes with their traces: written by each node, bounded in time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.codec import clean, dumps
from storage.postgres import transaction, unit

KEPT_H: Final = 25
"""Hours of minutes: a day, and an hour to look back from its first."""

CRASHES_KEPT_D: Final = 7

CRASHES_MAX: Final = 100
"""Crashes written at once; a node that crashes more in a second has one story to tell."""

TEXT_MAX: Final = 20_000
"""Characters of a trace; the end of it tells most."""

_WRITE = text("""
    INSERT INTO stats_minutes (minute, run, data)
    SELECT to_timestamp(d.minute), :run, CAST(d.data AS jsonb)
    FROM unnest(CAST(:minutes AS bigint[]), CAST(:data AS text[])) AS d(minute, data)
    ON CONFLICT (minute, run) DO UPDATE SET data = EXCLUDED.data
""")

_READ = text("""
    SELECT extract(epoch FROM minute) AS minute, run, data FROM stats_minutes
    WHERE minute >= to_timestamp(:since) ORDER BY minute
""").columns(data=JSONB)

_FORGET = text("""
    WITH minutes AS (
        DELETE FROM stats_minutes WHERE minute < now() - make_interval(hours => :hours)
    )
    DELETE FROM crashes WHERE ts < now() - make_interval(days => :days)
""")

_CRASHED = text("""
    INSERT INTO crashes (ts, ticket_id, seq, run, error, trace)
    SELECT d.ts, d.ticket_id, d.seq, :run, d.error, d.trace
    FROM unnest(
        CAST(:ts AS timestamptz[]), CAST(:tickets AS bigint[]), CAST(:seqs AS bigint[]),
        CAST(:errors AS text[]), CAST(:traces AS text[])
    ) AS d(ts, ticket_id, seq, error, trace)
    JOIN tickets t ON t.id = d.ticket_id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What one run did in one minute that began at ``minute`` (seconds since 1970)."""

    minute: int
    run: str
    data: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashSeen:
    """One turn that failed by a bug."""

    ts: datetime
    ticket_id: int
    seq: int | None
    error: str
    trace: str


class StatsHistory:
    """All raise ``Transient`` while Postgres is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(self, minutes: Sequence[Minute]) -> None:
        """Minutes of one run; one that is there is replaced."""
        if minutes:
            await self._run(
                _WRITE,
                run=minutes[0].run,
                minutes=[each.minute for each in minutes],
                data=[dumps(each.data) for each in minutes],
            )

    async def crashed(self, run: str, crashes: Sequence[CrashSeen]) -> None:
        """Notes crashes; those of tickets that are not there are left out."""
        if crashes:
            await self._run(
                _CRASHED,
                run=run,
                ts=[each.ts for each in crashes],
                tickets=[each.ticket_id for each in crashes],
                seqs=[each.seq for each in crashes],
                errors=[clean(each.error)[:TEXT_MAX] for each in crashes],
                traces=[clean(each.trace)[-TEXT_MAX:] for each in crashes],
            )

    async def forget(self) -> None:
        """Drops what is older than it may be."""
        await self._run(_FORGET, hours=KEPT_H, days=CRASHES_KEPT_D)

    async def since(self, moment: int) -> Sequence[Minute]:
        """Minutes of all runs from that moment on (seconds since 1970), oldest first."""

        async def work() -> Sequence[Any]:
            async with transaction(self._engine) as connection:
                return (await connection.execute(_READ, {"since": moment})).all()

        return [
            Minute(minute=int(row.minute), run=row.run, data=_numbers(row.data))
            for row in await unit(work)
        ]

    async def _run(self, statement: Any, **values: object) -> None:
        async def work() -> None:
            async with transaction(self._engine) as connection:
                await connection.execute(statement, values)

        await unit(work)


def _numbers(data: Mapping[str, Any]) -> dict[str, float | None]:
    """Only what is a number: a newer program may have written more."""
    return {
        name: value
        for name, value in data.items()
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    }
