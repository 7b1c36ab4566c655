"""The main groups: where a new ticket goes, and which groups take none for now.

What is known of a group stands in Postgres, since every node opens tickets and one looks at the
groups. A single group needs none of that: its tickets go there and wait until it is well.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.ids import ChatId
from actors.ports import Postponed, Refusal
from storage.models import OPEN
from storage.postgres import transaction, unit

OPENING_CALLS = 3
"""What a new ticket costs its group soon: the topic, the card, and what was said."""

FULL_S = 600.0
"""A group that took no more topics is asked again after so long: nobody tells when it has room."""

FRESH_S = 0.5
"""What is known of the groups' loads is read again after so long, and counted along meanwhile:
every batch of a rush would else count all open tickets."""

FULL = "full"
"""The trouble that delivery finds; the others are found by looking at the group."""

_KNOWN = text("SELECT chat_id, moved_to FROM main_groups WHERE moved_to IS NOT NULL")

_LOADS = text(
    f"""
    WITH open AS (
        SELECT main_chat_id, count(*) AS tickets, count(*) FILTER (WHERE version = 0) AS fresh
        FROM tickets WHERE {OPEN} GROUP BY main_chat_id
    ), waiting AS (
        SELECT t.main_chat_id, count(*) AS calls FROM outbox o JOIN tickets t ON t.id = o.ticket_id
        WHERE o.state IN ('waiting', 'sending') AND o.place = 'main' GROUP BY t.main_chat_id
    )
    SELECT g.chat_id AS named, coalesce(m.moved_to, g.chat_id) AS chat_id,
           m.trouble IS NOT NULL AND coalesce(m.again_at > now(), true) AS left_out,
           coalesce(o.tickets, 0) AS tickets, coalesce(o.fresh, 0) AS fresh,
           coalesce(w.calls, 0) AS calls
    FROM unnest(CAST(:chats AS bigint[])) WITH ORDINALITY AS g(chat_id, n)
    LEFT JOIN main_groups m ON m.chat_id = g.chat_id
    LEFT JOIN open o ON o.main_chat_id = coalesce(m.moved_to, g.chat_id)
    LEFT JOIN waiting w ON w.main_chat_id = coalesce(m.moved_to, g.chat_id)
    ORDER BY g.n
"""  # noqa: S608 — put together from constants
)

_NOTE = text("""
    INSERT INTO main_groups (chat_id, trouble, moved_to) VALUES (:chat, :trouble, :moved_to)
    ON CONFLICT (chat_id) DO UPDATE SET
        trouble = EXCLUDED.trouble, again_at = NULL,
        moved_to = coalesce(EXCLUDED.moved_to, main_groups.moved_to)
""")

_WELL = text("""
    UPDATE main_groups SET trouble = NULL, again_at = NULL
    WHERE chat_id = :chat AND trouble <> :full
""")

_IS_FULL = text("""
    INSERT INTO main_groups (chat_id, trouble, again_at)
    SELECT coalesce((SELECT chat_id FROM main_groups WHERE moved_to = :chat), :chat), :full,
           now() + make_interval(secs => :full_s)
    ON CONFLICT (chat_id) DO UPDATE SET trouble = EXCLUDED.trouble, again_at = EXCLUDED.again_at
    WHERE main_groups.trouble IS NULL OR main_groups.trouble = EXCLUDED.trouble
""")

_HAS_ROOM = text("""
    UPDATE main_groups SET trouble = NULL, again_at = NULL
    WHERE trouble = :full AND (chat_id = :chat OR moved_to = :chat)
""")

_FULL = text("SELECT chat_id FROM main_groups WHERE trouble = :full")

_REHOME = text("""
    UPDATE tickets SET main_chat_id = :chat
    WHERE id = :ticket AND NOT EXISTS (SELECT FROM topics WHERE lane = :lane)
""")

_NOW = text("UPDATE outbox SET not_before = NULL WHERE id = :id AND state = 'waiting'")

type Rooms = Callable[[Sequence[ChatId]], Awaitable[Sequence[float]]]
"""How many calls each group's budget still allows; infinitely many where none are counted."""


async def _unlimited(chats: Sequence[ChatId]) -> Sequence[float]:
    return [inf] * len(chats)


@dataclass(slots=True, kw_only=True)
class _Load:
    """A group as a new ticket sees it; ``room`` counts what waits for the group already."""

    chat_id: ChatId
    left_out: bool
    room: float
    tickets: int

    def rank(self) -> tuple[bool, float, int]:
        return self.left_out, -self.room, self.tickets


class MainGroups:
    """The groups of the staff, by the ids in the settings and those they have moved to since.

    ``chat in groups`` says whether a chat is one of them, as far as this node has heard.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        chat_ids: Sequence[ChatId],
        rooms: Rooms = _unlimited,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._engine = engine
        self._chat_ids = tuple(chat_ids)
        self._rooms = rooms
        self._fresh_s = fresh_s
        self._moved: dict[ChatId, ChatId] = {}
        self._known: list[_Load] = []
        self._known_until = -inf

    def __contains__(self, chat_id: object) -> bool:
        return chat_id in self._chat_ids or chat_id in self._moved.values()

    async def load(self) -> None:
        """Recalls which groups have moved."""

        async def work() -> dict[ChatId, ChatId]:
            async with transaction(self._engine) as connection:
                rows = await connection.execute(_KNOWN)
                return {ChatId(row.chat_id): ChatId(row.moved_to) for row in rows}

        moved = await unit(work)
        self._moved = {old: new for old, new in moved.items() if old in self._chat_ids}

    async def choose(self, connection: AsyncConnection, count: int) -> list[ChatId]:
        """Groups for so many new tickets: with the most budget left, then the fewest tickets.

        When all are left out, the tickets wait in the best of them.
        """
        if len(self._chat_ids) == 1:
            [only] = self._chat_ids
            return [self._moved.get(only, only)] * count
        if not count:
            return []
        if time.monotonic() >= self._known_until:
            self._known = await self._loads(connection)
            self._known_until = time.monotonic() + self._fresh_s
        loads, chosen = self._known, list[ChatId]()
        for _ in range(count):
            best = min(loads, key=_Load.rank)
            chosen.append(best.chat_id)
            best.room -= OPENING_CALLS
            best.tickets += 1
        return chosen

    async def leave(self, connection: AsyncConnection, refused: Postponed) -> None:
        """A group did not let a ticket's topic be made: the ticket goes to another, if one may.

        At the first refusal at once; later it waits as long as the settlement says, in case that
        the others refuse it, too.
        """
        self._known_until = -inf
        row = refused.row
        assert row.address is not None, row
        chat_id = row.address.chat_id
        if refused.refusal is Refusal.FULL:
            values = {"chat": chat_id, "full": FULL, "full_s": FULL_S}
            await connection.execute(_IS_FULL, values)
        if len(self._chat_ids) == 1:
            return
        others = [
            load
            for load in await self._loads(connection)
            if load.chat_id != chat_id and not load.left_out
        ]
        if not others:
            return
        chat = min(others, key=_Load.rank).chat_id
        moved = {"chat": chat, "ticket": row.ticket_id, "lane": row.lane}
        await connection.execute(_REHOME, moved)
        if not row.attempts:
            await connection.execute(_NOW, {"id": row.id})

    async def has_room(self, connection: AsyncConnection, chat_id: ChatId) -> None:
        """A topic has just been made there; it is full no longer."""
        await connection.execute(_HAS_ROOM, {"chat": chat_id, "full": FULL})

    async def note(self, chat_id: ChatId, trouble: str | None, moved_to: ChatId | None) -> None:
        """What a look at the group has shown; what is full stays so until a topic is made."""
        self._known_until = -inf
        if moved_to is not None:
            self._moved[chat_id] = moved_to

        async def work() -> None:
            async with transaction(self._engine) as connection:
                if trouble is None and moved_to is None:
                    await connection.execute(_WELL, {"chat": chat_id, "full": FULL})
                else:
                    values = {"chat": chat_id, "trouble": trouble, "moved_to": moved_to}
                    await connection.execute(_NOTE, values)

        await unit(work)

    async def full(self) -> set[ChatId]:
        """The groups that took no more topics when they were last asked."""

        async def work() -> set[ChatId]:
            async with transaction(self._engine) as connection:
                return set((await connection.execute(_FULL, {"full": FULL})).scalars())

        return await unit(work)

    async def _loads(self, connection: AsyncConnection) -> list[_Load]:
        rows = (await connection.execute(_LOADS, {"chats": list(self._chat_ids)})).all()
        for row in rows:
            if row.named != row.chat_id:
                self._moved[ChatId(row.named)] = ChatId(row.chat_id)
        rooms = await self._rooms([ChatId(row.chat_id) for row in rows])
        return [
            _Load(
                chat_id=ChatId(row.chat_id),
                left_out=row.left_out,
                room=room - row.calls - row.fresh * OPENING_CALLS,
                tickets=row.tickets,
            )
            for row, room in zip(rows, rooms, strict=True)
        ]


def main_groups(engine: AsyncEngine, groups: ChatId | MainGroups) -> MainGroups:
    """One group is named by its id alone."""
    return groups if isinstance(groups, MainGroups) else MainGroups(engine, [groups])
