"""Giving messages their place in tickets' inboxes: the one way into ``inbox``.

Lock order, everywhere: users → ticket_lanes → tickets, each by ascending id. So intake, timers,
delivery reports and rerouting can run at once without a deadlock.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.ids import ChatId, Seq, TicketId, UserId
from actors.messages import ClientWrote, Envelope, Message, Person
from storage.codec import clean, dumps, encode

_LOCK_LANES = text("""
    SELECT l.ticket_id, l.next_seq, t.owner
    FROM ticket_lanes l JOIN tickets t ON t.id = l.ticket_id
    WHERE l.ticket_id = ANY(:tickets) ORDER BY l.ticket_id FOR UPDATE OF l
""")

_KNOWN = text("SELECT key FROM inbox WHERE key = ANY(:keys)")

_INSERT = text("""
    WITH advanced AS (
        UPDATE ticket_lanes SET next_seq = next_seq + d.count
        FROM unnest(CAST(:lanes AS bigint[]), CAST(:counts AS bigint[])) AS d(ticket_id, count)
        WHERE ticket_lanes.ticket_id = d.ticket_id
    )
    INSERT INTO inbox (key, ticket_id, seq, message, raw, from_client, trace)
    SELECT key, ticket_id, seq, CAST(message AS jsonb), CAST(raw AS jsonb), from_client, trace
    FROM unnest(CAST(:keys AS text[]), CAST(:tickets AS bigint[]), CAST(:seqs AS bigint[]),
                CAST(:messages AS text[]), CAST(:raws AS text[]), CAST(:clients AS boolean[]),
                CAST(:traces AS text[]))
         WITH ORDINALITY AS d(key, ticket_id, seq, message, raw, from_client, trace, n)
    ORDER BY n
    ON CONFLICT (key) DO NOTHING
    RETURNING key, received_at
""")
# The conflict can only be between two copies of a desk row, which no lock keeps apart; a ticket's
# rows were looked up under its lane's lock, so no seq is ever given away in vain.

_UPSERT_CLIENTS = text("""
    INSERT INTO users AS u (tg_id, username, full_name, language_code)
    SELECT tg_id, username, full_name, language_code
    FROM unnest(CAST(:ids AS bigint[]), CAST(:usernames AS text[]), CAST(:names AS text[]),
                CAST(:languages AS text[])) AS d(tg_id, username, full_name, language_code)
    ORDER BY tg_id
    ON CONFLICT (tg_id) DO UPDATE SET
        username = EXCLUDED.username, full_name = EXCLUDED.full_name,
        language_code = EXCLUDED.language_code, last_seen = now(), blocked = false
    RETURNING tg_id, banned
""")

_CURRENT = text("""
    SELECT DISTINCT ON (t.client_tg_id) t.client_tg_id, t.id, t.status, t.wants_comment,
        m.waits AND t.status = 'CLOSED' AS moves_on,
        max(t.id) OVER (PARTITION BY t.client_tg_id) AS latest_id
    FROM tickets t CROSS JOIN LATERAL (
        SELECT EXISTS (SELECT FROM inbox i WHERE i.ticket_id = t.id
                       AND i.handled_at IS NULL AND i.from_client) AS waits
    ) m
    WHERE t.client_tg_id = ANY(:clients) AND t.id > :after
    ORDER BY t.client_tg_id, m.waits AND t.status = 'CLOSED' DESC,
        CASE WHEN m.waits AND t.status = 'CLOSED' THEN t.id END, t.id DESC
""")

_CREATE = text("""
    WITH made AS (
        INSERT INTO tickets (client_tg_id, main_chat_id, former_ticket_id, owner)
        SELECT client, chat, former, NULL
        FROM unnest(CAST(:clients AS bigint[]), CAST(:formers AS bigint[]),
                    CAST(:chats AS bigint[])) AS d(client, former, chat)
        ORDER BY client
        RETURNING id, client_tg_id
    ), lanes AS (
        INSERT INTO ticket_lanes (ticket_id) SELECT id FROM made
    )
    SELECT id, client_tg_id FROM made
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message on its way into a ticket's inbox, or, without a ticket, to the desk."""

    key: str
    ticket_id: TicketId | None
    message: Message | None
    raw: Mapping[str, Any] | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """Where the client's messages go now, and the client's latest ticket.

    A closed ticket comes before an open one while messages of the client wait in it
    (``moves_on``): they will all move on, oldest ticket first, so that none overtakes another.
    """

    ticket_id: TicketId
    latest_id: TicketId
    is_open: bool
    wants_comment: bool
    moves_on: bool


async def known_keys(connection: AsyncConnection, keys: Sequence[str]) -> set[str]:
    """Which of the keys are stored already."""
    return set((await connection.execute(_KNOWN, {"keys": list(keys)})).scalars())


async def lock_clients(
    connection: AsyncConnection, clients: Mapping[UserId, Person]
) -> set[UserId]:
    """Locks the clients' rows, making or refreshing them: their routing is now ours alone.

    Returns those who are banned.
    """
    people = [clients[client_id] for client_id in sorted(clients)]
    values = {
        "ids": [int(person.id) for person in people],
        "usernames": [_clean(person.username) for person in people],
        "names": [clean(person.name) for person in people],
        "languages": [_clean(person.language) for person in people],
    }
    rows = await connection.execute(_UPSERT_CLIENTS, values)
    return {UserId(row.tg_id) for row in rows if row.banned}


async def current_tickets(
    connection: AsyncConnection, clients: Sequence[UserId], after: TicketId | None = None
) -> dict[UserId, Current]:
    """Where each client's messages go, among the tickets after ``after``.

    The clients' rows must be locked.
    """
    values = {"clients": [int(client) for client in clients], "after": after or 0}
    rows = await connection.execute(_CURRENT, values)
    return {
        UserId(row.client_tg_id): Current(
            ticket_id=TicketId(row.id),
            latest_id=TicketId(row.latest_id),
            is_open=row.status != "CLOSED",
            wants_comment=row.wants_comment,
            moves_on=row.moves_on,
        )
        for row in rows
    }


async def create_tickets(
    connection: AsyncConnection,
    main_chats: Sequence[ChatId],
    formers: Mapping[UserId, TicketId | None],
) -> dict[UserId, TicketId]:
    """A new ticket for each client, in the main group beside. The clients' rows must be locked."""
    if not formers:
        return {}
    clients = sorted(formers)
    values = {
        "clients": clients,
        "formers": [formers[c] for c in clients],
        "chats": list(main_chats),
    }
    rows = await connection.execute(_CREATE, values)
    return {UserId(row.client_tg_id): TicketId(row.id) for row in rows}


async def post(
    connection: AsyncConnection, letters: Sequence[Letter]
) -> dict[str, Envelope | None]:
    """Puts letters into their inboxes in order, each key once; returns what was new, by key.

    Takes the lanes' locks, so it comes after ``lock_clients`` and before any write to tickets.
    """
    counts = Counter(letter.ticket_id for letter in letters if letter.ticket_id is not None)
    next_seq: dict[int, int] = {}
    owners: dict[int | None, str | None] = {}
    if counts:
        tickets = sorted(counts)
        locked = (await connection.execute(_LOCK_LANES, {"tickets": tickets})).all()
        next_seq = {row.ticket_id: row.next_seq for row in locked}
        owners = {row.ticket_id: row.owner for row in locked}
    known = await known_keys(connection, [letter.key for letter in letters])
    fresh: dict[str, Letter] = {}
    for letter in letters:
        if letter.key not in known and letter.key not in fresh:
            fresh[letter.key] = letter
    if not fresh:
        return {}
    seqs: list[int | None] = []
    given: Counter[int] = Counter()
    for letter in fresh.values():
        if letter.ticket_id is None:
            seqs.append(None)
        else:
            seqs.append(next_seq[letter.ticket_id] + given[letter.ticket_id])
            given[letter.ticket_id] += 1
    received = await _insert(connection, list(fresh.values()), seqs, given)
    return {
        letter.key: _envelope(letter, seq, received[letter.key], owners.get(letter.ticket_id))
        for letter, seq in zip(fresh.values(), seqs, strict=True)
        if letter.key in received
    }


async def _insert(
    connection: AsyncConnection,
    letters: Sequence[Letter],
    seqs: Sequence[int | None],
    given: Mapping[int, int],
) -> dict[str, datetime]:
    """Inserts the rows and moves their lanes on by ``given``; when each came, by key."""
    values = {
        "lanes": list(given),
        "counts": list(given.values()),
        "keys": [letter.key for letter in letters],
        "tickets": [letter.ticket_id for letter in letters],
        "seqs": list(seqs),
        "messages": [
            None if letter.message is None else _dump(encode(letter.message)) for letter in letters
        ],
        "raws": [_dump(letter.raw) for letter in letters],
        "clients": [isinstance(letter.message, ClientWrote) for letter in letters],
        "traces": [letter.trace for letter in letters],
    }
    return {row.key: row.received_at for row in await connection.execute(_INSERT, values)}


def _envelope(
    letter: Letter, seq: int | None, received_at: datetime, owner: str | None
) -> Envelope | None:
    if letter.ticket_id is None or seq is None or letter.message is None:
        return None
    return Envelope(
        ticket_id=letter.ticket_id,
        seq=Seq(seq),
        key=letter.key,
        received_at=received_at,
        message=letter.message,
        owner=owner,
        trace=letter.trace,
    )


def _dump(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else dumps(value)


def _clean(words: str | None) -> str | None:
    return None if words is None else clean(words)
