"""The desk's answers in words: lists of tickets, one ticket, the technicians."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from actors.messages import Technician
from bot.desk.access import DeskTools
from bot.desk.buttons import Shelf
from bot.people import clean_name
from bot.titles import cut, utf16_length
from storage.queries import EventLine, FeedbackGiven, Page, TicketDetail, TicketSummary

PER_PAGE: Final = 10
"""Tickets on a page: two lines each still fit on a phone, and ten of them into one message."""

NAME_UNITS_MAX: Final = 64
EVENT_UNITS_MAX: Final = 120
SEARCH_UNITS_MAX: Final = 100
"""Lengths of what people wrote, so that a whole answer stays below 4,096 units."""

EVENTS_SHOWN: Final = 10
NUMBERS_SHOWN: Final = 20
"""Tickets of one technician that are named; the rest is counted."""

LINES_UNITS_MAX: Final = 3700
"""Technicians beyond this are left out as whole lines, and counted."""


def list_text(desk: DeskTools, shelf: Shelf, page: Page[TicketSummary]) -> str:
    if not page.items:
        return desk.say("desk-list-empty", shelf=shelf)
    return _with_lines(desk, desk.say("desk-list-title", shelf=shelf, total=page.total), page.items)


def found_text(desk: DeskTools, words: str, page: Page[TicketSummary]) -> str:
    shown = cut(clean_name(words), SEARCH_UNITS_MAX, ellipsis=True)
    if not page.items:
        return desk.say("desk-found-nothing", words=shown)
    return _with_lines(
        desk, desk.say("desk-found-title", words=shown, total=page.total), page.items
    )


def _with_lines(desk: DeskTools, title: str, tickets: Sequence[TicketSummary]) -> str:
    return "\n".join([title, "", *(_line(desk, ticket) for ticket in tickets)])


def _line(desk: DeskTools, ticket: TicketSummary) -> str:
    line = desk.say(
        "desk-line",
        status=ticket.status,
        ticket=ticket.id,
        client=_client(ticket),
        technician=ticket.technician or "",
        time=_time(ticket.created_at),
    )
    link = topic_link(ticket)
    return line if link is None else f"{line}\n      {link}"


def topic_link(ticket: TicketSummary) -> str | None:
    """Where the members of the main group find the ticket's topic, once there is one."""
    if ticket.main_thread_id is None:
        return None
    return f"https://t.me/c/{str(ticket.main_chat_id).removeprefix('-100')}/{ticket.main_thread_id}"


def ticket_text(desk: DeskTools, detail: TicketDetail) -> str:
    """Status, people, times, feedback, the newest events and the way to the topic."""
    ticket = detail.ticket
    lines = [
        desk.say("desk-ticket-title", status=ticket.status, ticket=ticket.id),
        desk.say("desk-ticket-client", client=_client(ticket), id=ticket.client_id),
        desk.say("desk-ticket-technician", technician=ticket.technician or ""),
        desk.say("desk-ticket-created", time=_time(ticket.created_at)),
    ]
    if ticket.closed_at is not None:
        lines.append(desk.say("desk-ticket-closed", time=_time(ticket.closed_at)))
    if ticket.former_ticket_id is not None:
        lines.append(desk.say("desk-ticket-former", former=ticket.former_ticket_id))
    lines.append(topic_link(ticket) or desk.say("desk-ticket-no-topic"))
    if detail.feedback is not None:
        lines += ["", _feedback(desk, ticket, detail.feedback)]
    events = detail.events[-EVENTS_SHOWN:]
    if events:
        lines += ["", desk.say("desk-ticket-events"), *(_event(desk, event) for event in events)]
    return "\n".join(lines)


def _feedback(desk: DeskTools, ticket: TicketSummary, given: FeedbackGiven) -> str:
    q1, q2, q3 = (score or 0 for score in given.scores)
    comment = cut(clean_lines(given.comment or ""), EVENT_UNITS_MAX * 4, ellipsis=True)
    return desk.say("feedback-summary", ticket=ticket.id, q1=q1, q2=q2, q3=q3, comment=comment)


def _event(desk: DeskTools, event: EventLine) -> str:
    name = str(event.payload.get("author") or event.payload.get("by") or "")
    words = cut(clean_lines(event.text), EVENT_UNITS_MAX, ellipsis=True)
    return desk.say(
        "desk-event",
        time=_time(event.ts),
        actor=event.actor,
        action=event.action,
        name=cut(clean_name(name), NAME_UNITS_MAX, ellipsis=True),
        technician=cut(str(event.payload.get("technician") or ""), NAME_UNITS_MAX),
        words=words,
    )


def technicians_text(
    desk: DeskTools,
    roster: Sequence[Technician],
    tickets: Mapping[str, Sequence[int]],
    *,
    complete: bool,
) -> str:
    """Everybody with the open tickets that are theirs, by name; ``complete`` if none is missing."""
    if not roster:
        return desk.say("desk-techs-none")
    lines = [desk.say("desk-techs-title", count=len(roster)), ""]
    used, left_out = 0, 0
    for technician in roster:
        line = _technician(desk, technician, tickets.get(technician.name, ()))
        used += utf16_length(line) + 1
        if used > LINES_UNITS_MAX:
            left_out += 1
        else:
            lines.append(line)
    if left_out:
        lines.append(desk.say("desk-more", count=left_out))
    if not complete:
        lines += ["", desk.say("desk-techs-incomplete")]
    return "\n".join(lines)


def _technician(desk: DeskTools, technician: Technician, tickets: Sequence[int]) -> str:
    numbers = ", ".join(f"#{number}" for number in tickets[:NUMBERS_SHOWN])
    if len(tickets) > NUMBERS_SHOWN:
        numbers += ", …"
    name = cut(clean_name(technician.name), NAME_UNITS_MAX, ellipsis=True)
    return desk.say("desk-tech-line", technician=name, count=len(tickets), numbers=numbers)


def _client(ticket: TicketSummary) -> str:
    name = cut(clean_name(ticket.client_name), NAME_UNITS_MAX, ellipsis=True)
    return f"{name} (@{ticket.client_username})" if ticket.client_username else name


def clean_lines(text: str) -> str:
    """What somebody wrote, on one line, without what could turn or hide the rest of it."""
    return " ".join(clean_name(line) for line in text.split("\n") if line.strip())


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
