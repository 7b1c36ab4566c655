"""How the operators' commands answer: aligned text for people, JSON for machines.

What people wrote and their names are hidden unless asked for; notes of the program and of
operators are masked as in the logs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from bootstrap.masking import DEPTH_MAX, Mask
from bootstrap.masking_shapes import HIDDEN
from storage.inspection import (
    DeadInspected,
    DeadSight,
    LoggedEvent,
    TicketInspected,
    TicketSight,
)
from storage.operations import Change

PLAIN_KEYS: Final = frozenset(
    [
        "type",
        "kind",
        "place",
        "action",
        "reason",
        "effect",
        "status",
        "detail",
        "key",
        "why",
        "owner",
        "former",
        "technician",
    ]
)
"""Fields of messages and events whose texts are the program's own; any other may be somebody's."""

OPERATORS: Final = ("operator_", "dead_retried", "dead_dropped")
"""Events that only operators cause: their names and words are no participant's."""

CELL_MAX: Final = 80
"""Longer texts are cut in lists: a line is to be read, the whole is in JSON and in ``show``."""

NONE: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How to answer; ``raw`` shows what people wrote and who they are."""

    as_json: bool
    raw: bool
    mask: Mask

    # --- answers ----------------------------------------------------------------------------

    def ticket(self, seen: TicketInspected) -> str:
        ticket = asdict(seen.ticket) | {
            "client_name": self._words(seen.ticket.client_name),
            "client_username": self._words(seen.ticket.client_username),
            "quarantined": self._note(seen.ticket.quarantined),
        }
        unsent = [asdict(lane) | {"error": self._note(lane.error)} for lane in seen.unsent]
        timers = [asdict(timer) for timer in seen.timers]
        events = [asdict(event) | {"payload": self._payload(event)} for event in seen.events]
        if self.as_json:
            return _json(ticket | {"unsent": unsent, "timers": timers, "events": events})
        parts = [
            *_ticket_lines(TicketSight(**ticket)),
            *_section("Not sent yet", "lane unsent first attempts oldest error", unsent),
            *_section("Timers", "name due_at", timers),
            *_section("Log, newest last", "ts seq actor action what", map(_event, events)),
        ]
        return "\n".join(parts)

    def dead_list(self, letters: Sequence[DeadSight]) -> str:
        found = [asdict(letter) | {"error": self._note(letter.error)} for letter in letters]
        if self.as_json:
            return _json({"dead_letters": found})
        if not found:
            return "There are no dead letters."
        lines = [
            each | {"ticket": each["ticket_id"], "kind": each["kind"] or "desk"} for each in found
        ]
        for line in lines:
            line["error"] = _last_line(line["error"])
        return "\n".join(_table("id ticket seq kind attempts created_at error", lines))

    def dead_letter(self, found: DeadInspected) -> str:
        letter = asdict(found.letter) | {"error": self._note(found.letter.error)}
        message = found.message if self.raw else self._tree(found.message, "", 0)
        if self.as_json:
            return _json(letter | {"message": message})
        where = f"ticket {letter['ticket_id']}" if letter["ticket_id"] else "the desk"
        facts = [
            ("of", where),
            ("message", letter["kind"] or "an update"),
            ("seq", letter["seq"]),
            ("key", letter["key"]),
            ("attempts", letter["attempts"]),
            ("given up", letter["created_at"]),
        ]
        shown = orjson.dumps(message, option=orjson.OPT_INDENT_2).decode()
        lines = [f"Dead letter {letter['id']}", *_facts(facts), "", "Message"]
        lines += [f"  {_line(line)}" for line in shown.splitlines()]
        lines += ["", "Error", *(f"  {_line(each)}" for each in letter["error"].splitlines())]
        return "\n".join(lines)

    def change(self, change: Change, *, heard: bool | None) -> str:
        """What was done; ``heard`` is whether the owner was told, ``None`` if it could not be."""
        if self.as_json:
            payload = self.mask.value(change.payload, "", 0)
            why = self._note(change.quarantined)
            told = {"tell": change.tell, "heard": heard}
            done = {"action": change.action or None, "ticket_id": change.ticket_id}
            return _json(done | told | {"quarantined": why, "payload": payload})
        sentence = _sentence(change)
        if change.quarantined is not None and change.action != "operator_quarantined":
            sentence += " It is in quarantine: nothing is handled until it is released."
        elif heard is True and change.action != "operator_poked":
            sentence += f" {change.tell} was told."
        return _line(self._note(sentence) or "")

    def retried(self, letters: Sequence[int]) -> str:
        """What was done with all dead letters."""
        if self.as_json:
            return _json({"retried": list(letters)})
        if not letters:
            return "There are no dead letters."
        count = len(letters)
        return f"{count} dead letter{'s were' if count > 1 else ' was'} put into the inbox again."

    # --- what is hidden ---------------------------------------------------------------------

    def _words(self, words: str | None) -> str | None:
        return words if self.raw or not words else HIDDEN

    def _note(self, note: str | None) -> str | None:
        return note if self.raw or note is None else self.mask.text(note)

    def _payload(self, event: LoggedEvent) -> Any:
        if self.raw:
            return event.payload
        if event.action.startswith(OPERATORS):
            return self.mask.value(event.payload, "", 0)
        return self._tree(event.payload, "", 0)

    def _tree(self, value: object, key: str, depth: int) -> Any:
        """The value without texts that may be somebody's, and without where somebody is."""
        match value:
            case None | bool() | int():
                return value
            case str():
                return self.mask.text(value) if key in PLAIN_KEYS else self._words(value)
            case Mapping() if depth < DEPTH_MAX:
                return {
                    name: self._tree(part, str(name), depth + 1) for name, part in value.items()
                }
            case list() | tuple() if depth < DEPTH_MAX:
                return [self._tree(part, key, depth + 1) for part in value]
            case _:
                return HIDDEN


def _sentence(change: Change) -> str:
    ticket, what = f"Ticket {change.ticket_id}", change.payload
    place = "the desk" if change.ticket_id is None else f"ticket {change.ticket_id}"
    match change.action:
        case "":
            return f"{ticket} is with {what['owner']} already; nothing was changed."
        case "operator_poked":
            return f"{ticket}: {what['owner']} was told to look."
        case "operator_moved":
            return f"{ticket} was moved from {what['former'] or 'nobody'} to {what['owner']}."
        case "operator_quarantined":
            return f"{ticket} is in quarantine until it is released: {what['why']}"
        case "operator_released":
            return f"{ticket} was released (it had been stopped: {what['why']})."
        case "dead_retried":
            return f"Dead letter {what['dead_id']} was put into the inbox of {place} again."
        case "dead_dropped":
            return f"Dead letter {what['dead_id']} of {place} was dropped: {what['why']}"
        case action:
            raise AssertionError(action)


def _ticket_lines(ticket: TicketSight) -> list[str]:
    name = f"{ticket.client_name} (@{ticket.client_username})"
    client = name if ticket.client_username else ticket.client_name
    topic = f"{ticket.main_thread_id or 'not open yet'} in {ticket.main_chat_id}"
    waiting = f", {ticket.mail_waiting} waiting" if ticket.mail_waiting else ""
    since = f" since {_shown(ticket.mail_oldest)}" if ticket.mail_oldest else ""
    facts: list[tuple[str, object]] = [
        ("status", f"{ticket.status} ({ticket.workflow})"),
        ("quarantine", ticket.quarantined),
        ("owner", _owner(ticket)),
        ("messages", f"{ticket.handled_seq} of {ticket.last_seq} handled{waiting}{since}"),
        ("dead letters", ticket.dead_letters),
        ("client", f"{ticket.client_tg_id} {client}"),
        ("technician", ticket.technician),
        ("topic", topic),
        ("former", ticket.former_ticket_id),
        ("created", ticket.created_at),
        ("closed", ticket.closed_at),
        ("row", f"epoch {ticket.epoch}, version {ticket.version}"),
    ]
    return [f"Ticket {ticket.id}", *_facts(facts)]


def _owner(ticket: TicketSight) -> str | None:
    if ticket.owner is None:
        return None
    if ticket.owner_status is None or ticket.owner_beat_age_s is None:
        return f"{ticket.owner} (that run is over)"
    return (
        f"{ticket.owner} ({ticket.owner_status}, "
        f"last heard of {round(ticket.owner_beat_age_s)} s ago)"
    )


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    payload: Mapping[str, Any] = event["payload"]
    content = payload.get("content")
    what = [f"{key}={part}" for key, part in payload.items() if isinstance(part, str | int)]
    if isinstance(content, Mapping):
        what += [str(part) for part in (content.get("kind"), content.get("text")) if part]
    return {**event, "what": ", ".join(what)}


# --- plain text -----------------------------------------------------------------------------


def _facts(facts: Iterable[tuple[str, object]]) -> list[str]:
    return [f"  {name:<13} {_line(_shown(value))}" for name, value in facts]


def _section(title: str, columns: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    table = _table(columns, list(rows))
    return ["", title, *(f"  {line}" for line in table)] if len(table) > 1 else []


def _table(columns: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = columns.split()
    cells = [[_cell(row[name]) for name in names] for row in rows]
    heads = ["TIME" if name == "ts" else name.removesuffix("_at").upper() for name in names]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (heads, *cells)
    ]


def _cell(value: object) -> str:
    shown = _line(_shown(value))
    return shown if len(shown) <= CELL_MAX else f"{shown[: CELL_MAX - 1]}…"


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return NONE if value is None or value == "" else str(value)


def _line(words: str) -> str:
    """On one line, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def _last_line(error: str) -> str:
    """Of a traceback: what it was, without where."""
    return next((line for line in reversed(error.splitlines()) if line.strip()), "")


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode()
