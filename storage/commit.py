"""The fenced commit: everything that a group of turns decided, or nothing of it.

One statement carries all turns. It begins with the tickets' update by id, epoch and version; every
other row is joined to what that update returned, so a turn that is fenced leaves no trace, and the
others stand. Empty parts are left out of the statement; there are few combinations, each prepared
once per connection.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.ports import Turn
from storage.turn_rows import Columns, columns

_LOCK = """
    locked AS MATERIALIZED (
        SELECT t.id FROM tickets t
        WHERE t.id = ANY(CAST(:t_id AS bigint[])) ORDER BY t.id FOR NO KEY UPDATE
    )"""

_TICKETS = """
    done AS (
        UPDATE tickets t SET
            status = d.status, assigned_tech_id = d.tech, wants_comment = d.wants,
            main_thread_id = coalesce(d.thread, t.main_thread_id),
            handled_seq = d.handled, snapshot = CAST(d.snapshot AS jsonb), version = t.version + 1,
            closed_at = CASE WHEN d.status = 'CLOSED' THEN coalesce(t.closed_at, now()) END
        FROM locked l, unnest(
            CAST(:t_id AS bigint[]), CAST(:t_epoch AS bigint[]), CAST(:t_version AS bigint[]),
            CAST(:t_status AS text[]), CAST(:t_tech AS bigint[]), CAST(:t_thread AS bigint[]),
            CAST(:t_wants AS boolean[]), CAST(:t_handled AS bigint[]), CAST(:t_snapshot AS text[])
        ) AS d(id, epoch, version, status, tech, thread, wants, handled, snapshot)
        WHERE t.id = l.id AND t.id = d.id AND t.epoch = d.epoch AND t.version = d.version
        RETURNING t.id, t.handled_seq, t.owner, t.epoch
    ), marked AS (
        UPDATE inbox i SET
            handled_at = clock_timestamp(), handled_by = done.owner, handled_epoch = done.epoch
        FROM done
        WHERE i.ticket_id = done.id AND i.handled_at IS NULL AND i.seq <= done.handled_seq
    )"""

_EVENTS = """
    logged AS (
        INSERT INTO events (ticket_id, seq, actor, action, payload)
        SELECT d.ticket_id, d.seq, d.actor, d.action, CAST(d.payload AS jsonb)
        FROM unnest(
            CAST(:e_ticket_id AS bigint[]), CAST(:e_seq AS bigint[]), CAST(:e_actor AS text[]),
            CAST(:e_action AS text[]), CAST(:e_payload AS text[])
        ) WITH ORDINALITY AS d(ticket_id, seq, actor, action, payload, n)
        JOIN done ON done.id = d.ticket_id ORDER BY d.n
    )"""

_OUTBOX = """
    wanted AS (
        SELECT d.* FROM unnest(
            CAST(:o_ticket_id AS bigint[]), CAST(:o_cause_seq AS bigint[]), CAST(:o_lane AS text[]),
            CAST(:o_place AS text[]), CAST(:o_kind AS text[]), CAST(:o_effect AS text[]),
            CAST(:o_tag AS text[]), CAST(:o_history_after AS bigint[]), CAST(:o_again AS bigint[]),
            CAST(:o_trace AS text[])
        ) WITH ORDINALITY
            AS d(ticket_id, cause_seq, lane, place, kind, effect, tag, after, again, trace, n)
        JOIN done ON done.id = d.ticket_id
    ), again AS (
        UPDATE outbox o SET state = 'superseded'
        FROM wanted w
        WHERE o.id = w.again AND o.ticket_id = w.ticket_id AND o.state = 'undeliverable'
        RETURNING o.id, o.lane, o.place, o.kind, o.effect, o.tag
    ), sent AS (
        INSERT INTO outbox (ticket_id, cause_seq, lane, place, kind, effect, tag, trace)
        SELECT ticket_id, cause_seq, lane, place, kind, effect, tag, trace FROM (
            SELECT ticket_id, cause_seq, lane, place, kind, CAST(effect AS jsonb) AS effect, tag,
                   trace, n, 0 AS part
            FROM wanted WHERE after IS NULL AND again IS NULL
            UNION ALL
            SELECT w.ticket_id, w.cause_seq, a.lane, a.place, a.kind, a.effect, a.tag, w.trace,
                   w.n, 0
            FROM wanted w JOIN again a ON a.id = w.again
            UNION ALL
            SELECT w.ticket_id, w.cause_seq, w.lane, w.place, 'Copy',
                   jsonb_build_object('type', 'Copy', 'place', CAST(w.effect AS jsonb) -> 'place',
                                      'content', coalesce(newest.content, e.payload -> 'content'),
                                      'label', e.payload -> 'label'),
                   NULL, w.trace, w.n, e.id
            FROM wanted w JOIN events e
              ON e.ticket_id = w.ticket_id AND e.action = 'said' AND e.seq > w.after
            LEFT JOIN LATERAL (
                SELECT c.payload -> 'content' AS content FROM events c
                WHERE c.ticket_id = w.ticket_id AND c.action = 'edited' AND c.seq > e.seq
                  AND c.payload #> '{content,chat_id}' = e.payload #> '{content,chat_id}'
                  AND c.payload #> '{content,message_id}' = e.payload #> '{content,message_id}'
                ORDER BY c.id DESC LIMIT 1
            ) AS newest ON true
            WHERE w.after IS NOT NULL AND NOT EXISTS (
                SELECT FROM events g
                WHERE g.ticket_id = w.ticket_id AND g.action = 'deleted'
                  AND g.payload -> 'chat_id' = e.payload #> '{content,chat_id}'
                  AND g.payload -> 'message_id' = e.payload #> '{content,message_id}'
            )
        ) AS everything ORDER BY n, part
        RETURNING ticket_id, lane
    )"""

_TIMERS = """
    armed AS (
        INSERT INTO timers AS old (ticket_id, name, due_at)
        SELECT d.ticket_id, d.name, now() + make_interval(secs => d.after_s)
        FROM unnest(
            CAST(:m_ticket_id AS bigint[]), CAST(:m_name AS text[]),
            CAST(:m_after_s AS double precision[])
        ) AS d(ticket_id, name, after_s) JOIN done ON done.id = d.ticket_id
        ON CONFLICT (ticket_id, name) DO UPDATE
        SET due_at = EXCLUDED.due_at, arming = old.arming + 1
    )"""

_THREADS = """
    threaded AS (
        INSERT INTO tech_threads (ticket_id, technician_id, chat_id, thread_id)
        SELECT d.* FROM unnest(
            CAST(:h_ticket_id AS bigint[]), CAST(:h_technician_id AS bigint[]),
            CAST(:h_chat_id AS bigint[]), CAST(:h_thread_id AS bigint[])
        ) AS d(ticket_id, technician_id, chat_id, thread_id) JOIN done ON done.id = d.ticket_id
        ON CONFLICT (ticket_id, technician_id) DO UPDATE
        SET chat_id = EXCLUDED.chat_id, thread_id = EXCLUDED.thread_id
    )"""

_FEEDBACK = """
    rated AS (
        INSERT INTO feedback (ticket_id, q1, q2, q3, comment)
        SELECT d.ticket_id, d.q1, d.q2, d.q3, d.comment FROM unnest(
            CAST(:f_ticket_id AS bigint[]), CAST(:f_q1 AS smallint[]), CAST(:f_q2 AS smallint[]),
            CAST(:f_q3 AS smallint[]), CAST(:f_comment AS text[])
        ) AS d(ticket_id, q1, q2, q3, comment) JOIN done ON done.id = d.ticket_id
        ON CONFLICT (ticket_id) DO UPDATE
        SET q1 = EXCLUDED.q1, q2 = EXCLUDED.q2, q3 = EXCLUDED.q3, comment = EXCLUDED.comment
    )"""

_DEAD = """
    buried AS (
        INSERT INTO dead_letters (ticket_id, seq, key, message, error, attempts)
        SELECT d.ticket_id, d.seq, d.key, CAST(d.message AS jsonb), d.error, d.attempts FROM unnest(
            CAST(:x_ticket_id AS bigint[]), CAST(:x_seq AS bigint[]), CAST(:x_key AS text[]),
            CAST(:x_message AS text[]), CAST(:x_error AS text[]), CAST(:x_attempts AS integer[])
        ) AS d(ticket_id, seq, key, message, error, attempts) JOIN done ON done.id = d.ticket_id
    )"""

_PARTS = {
    "events": ("e", _EVENTS),
    "outbox": ("o", _OUTBOX),
    "timers": ("m", _TIMERS),
    "threads": ("h", _THREADS),
    "feedback": ("f", _FEEDBACK),
    "dead": ("x", _DEAD),
}
"""The optional parts of the statement: prefix of their parameters, and text."""

_statements: dict[tuple[str, ...], TextClause] = {}


def _statement(parts: tuple[str, ...]) -> TextClause:
    """The statement with just these parts, built once."""
    found = _statements.get(parts)
    if found is None:
        with_parts = ",".join([_LOCK, _TICKETS, *(_PARTS[part][1] for part in parts)])
        lanes = (
            "SELECT done.id, sent.lane FROM done LEFT JOIN sent ON sent.ticket_id = done.id"
            if "outbox" in parts
            else "SELECT done.id, CAST(NULL AS text) AS lane FROM done"
        )
        found = _statements[parts] = text(f"WITH {with_parts} {lanes}")
    return found


def _parameters(rows: Columns, parts: tuple[str, ...]) -> dict[str, list[Any]]:
    values = {f"t_{name}": column for name, column in rows.tickets.items()}
    for part in parts:
        prefix = _PARTS[part][0]
        table: dict[str, list[Any]] = getattr(rows, part)
        values |= {f"{prefix}_{name}": column for name, column in table.items()}
    return values


async def write(connection: AsyncConnection, turns: Sequence[Turn]) -> dict[int, list[str]]:
    """Writes what is not fenced; returns the lanes with new rows of each ticket that was."""
    rows = columns(turns)
    parts = tuple(part for part in _PARTS if getattr(rows, part))
    result = await connection.execute(_statement(parts), _parameters(rows, parts))
    written: dict[int, list[str]] = {}
    for ticket_id, lane in result:
        found = written.setdefault(ticket_id, [])
        if lane is not None and lane not in found:
            found.append(lane)
    return written
