"""What happened to one ticket, line by line, for whoever looks for the cause."""

from collections.abc import Iterator
from typing import assert_never

from actors.effects import AnswerPress, Copy, Effect
from actors.messages import ClientWrote, Message, StaffWrote, TechnicianWrote
from lab.simulation.rows import DeadRow, InboxRow, NodeRow, SendRow, TicketRow, TimerRow, TopicRow
from lab.simulation.table import Change
from lab.simulation.trace import Note, Trace
from lab.simulation.world import Commit

WORDS_MAX = 40
"""Of a message; the rest is not needed to know it again."""


def timeline(trace: Trace, ticket: int, limit: int) -> list[str]:
    """The last lines about a ticket, and about nodes; all tickets' for 0."""
    lines = [
        f"{at:9.3f}  {who:<14}  {what}"
        for at, entry in trace.entries
        for who, what in _lines(entry, ticket)
    ]
    if len(lines) <= limit:
        return lines
    return [f"… {len(lines) - limit} lines before", *lines[-limit:]]


def _lines(entry: Note | Commit, ticket: int) -> Iterator[tuple[str, str]]:
    match entry:
        case Note():
            if entry.ticket in {0, ticket} or not ticket:
                yield entry.who, entry.what
        case Commit():
            for change in entry.changes:
                told = _told(change)
                if told is not None and (told[0] in {0, ticket} or not ticket):
                    number = f"#{told[0]} " if told[0] and not ticket else ""
                    yield entry.by, f"{entry.what}: {number}{told[1]}"
        case _:
            assert_never(entry)


def _told(change: Change) -> tuple[int, str] | None:
    """The ticket (0 for none) and words for a change; ``None`` for what says nothing new."""
    before, row = change.before, change.after or change.before
    match row:
        case TicketRow():
            return row.id, _ticket(before, row)
        case InboxRow():
            if before is None:
                message = "the desk" if row.message is None else _message(row.message)
                return row.ticket_id or 0, f"inbox {row.seq} ← {row.key} {message}"
            return None
        case SendRow():
            return row.ticket_id, _send(before, row)
        case TopicRow():
            verb = "is" if change.after is not None else "is no longer"
            return row.ticket_id, f"topic of {row.lane} {verb} {row.thread_id}"
        case TimerRow():
            due = "off" if row.due_at is None else f"due at {row.due_at:.3f}"
            return row.ticket_id, f"timer {row.name} {due} (arming {row.arming})"
        case DeadRow():
            return row.ticket_id, f"dead letter: seq {row.seq} after {row.attempts} attempts"
        case NodeRow():
            if before is not None and before.owner == row.owner and before.status == row.status:
                return None
            return 0, f"{row.owner} is {row.status}"
        case _:
            return None


def _ticket(before: TicketRow | None, row: TicketRow) -> str:
    if before is None:
        return f"ticket of client {row.client_id} is made, former {row.former_ticket_id}"
    parts: list[str] = []
    if row.owner != before.owner or row.epoch != before.epoch:
        parts.append(f"owner {row.owner}, epoch {row.epoch}")
    if row.version != before.version:
        parts.append(f"version {row.version}, handled {row.handled_seq}, {row.status}")
    if row.quarantined != before.quarantined:
        parts.append(f"quarantined: {row.quarantined}")
    return "; ".join(parts) or "ticket touched"


def _send(before: SendRow | None, row: SendRow) -> str:
    if before is None:
        return f"outbox {row.id} ← {_effect(row.effect)} in {row.lane}, of seq {row.cause_seq}"
    doubt = ", uncertain" if row.uncertain else ""
    why = f" ({row.error})" if row.error else ""
    later = f", not before {row.not_before:.3f}" if row.not_before > before.not_before else ""
    return f"outbox {row.id} {row.state}, attempt {row.attempts}{doubt}{later}{why}"


def _effect(effect: Effect) -> str:
    name = type(effect).__name__
    if isinstance(effect, Copy):
        return f"{name} «{effect.content.text[:WORDS_MAX]}»"
    return name if isinstance(effect, AnswerPress) else f"{name} to {effect.place}"


def _message(message: Message) -> str:
    name = type(message).__name__
    if isinstance(message, ClientWrote | StaffWrote | TechnicianWrote):
        return f"{name} «{message.content.text[:WORDS_MAX]}»"
    return name
