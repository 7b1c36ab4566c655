"""Tickets: lists, and one with its time line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from web.shapes.base import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketLine(Shape):
    """One ticket in a list."""

    id: int
    status: str
    state: str
    """The actor's: as in ``Overview.actors``; ``asleep`` when nothing is known of it in memory."""
    client_name: str
    technician: str | None
    node: str | None
    """Name of the node that owns it."""
    created_at: datetime
    closed_at: datetime | None
    waiting: int
    """Messages in its inbox that are not handled."""
    wait_s: float
    """Age of the oldest of them; 0 without any."""
    unsent: int
    crashes: int
    """Kept on record: the last week."""
    dead_letters: int
    quarantined: str | None
    """Why it is stopped; ``None`` while it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets(Shape):
    """The worst N of the tickets that match; every count is of all that match."""

    taken_at: datetime
    total: int
    by_status: dict[str, int]
    """Of those that match query and state, whatever their status (so that tabs can show them)."""
    by_state: dict[str, int]
    """``waiting`` (mail is unhandled), ``unsent``, ``quarantined``, ``dead_letters``, ``crashed``:
    of those that match query and status, whatever their state. A ticket may be in several."""
    tickets: tuple[TicketLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentStep(Shape):
    """One effect of a message on its way to Telegram."""

    outbox_id: int
    kind: str
    lane: str
    state: str
    """``waiting``, ``sending``, ``sent``, ``superseded``, ``undeliverable``."""
    decided_at: datetime
    """When it was committed."""
    sent_at: datetime | None
    """When its (last) call began."""
    confirmed_at: datetime | None
    """When Telegram's answer was on record."""
    attempts: int
    message_id: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageStep(Shape):
    """One message of a ticket: received → handled → committed → sent → confirmed."""

    seq: int
    key: str
    kind: str
    """The message's type, such as ``ClientSaid``."""
    from_client: bool
    received_at: datetime
    handled_at: datetime | None
    """When the transaction of its turn began; ``None`` while it waits."""
    committed_at: datetime | None
    """When that transaction wrote it, a moment before it was durable."""
    owner: str | None
    """The run that handled it, where it is known."""
    epoch: int | None
    attempts: int
    events: tuple[str, ...]
    """What it made the ticket do, by name."""
    sent: tuple[SentStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash(Shape):
    """One failure of a turn that was a bug of ours."""

    at: datetime
    node: str
    seq: int | None
    error: str
    """The exception's type and text in one line."""
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsentLane(Shape):
    """What one lane has of a ticket that is not sent."""

    lane: str
    unsent: int
    oldest_at: datetime
    attempts: int
    not_before: datetime | None
    first: str
    """Kind of the first effect."""
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer(Shape):
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerPeriod(Shape):
    """A run that handled messages of the ticket, newest first; the present owner is the first."""

    owner: str
    epoch: int
    first_at: datetime | None
    """Its first and last handled message; ``None`` while it has handled none."""
    last_at: datetime | None
    handled: int
    is_present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine(Shape):
    """One line of the ticket's log; operators' actions are among them with ``payload.by``."""

    at: datetime
    seq: int
    actor: str
    action: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter(Shape):
    """A message that was given up."""

    id: int
    ticket_id: int | None
    """``None``: it was the desk's."""
    seq: int | None
    kind: str | None
    error: str
    """The traceback, or a line that says why."""
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters(Shape):
    """The newest that match; ``total`` is of all that match: an action's ``expected``."""

    taken_at: datetime
    total: int
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDetail(Shape):
    """One ticket with all that waits for it."""

    taken_at: datetime
    ticket: TicketLine
    workflow: str
    client_id: int
    client_username: str | None
    former_ticket_id: int | None
    main_chat_id: int
    main_thread_id: int | None
    owner: str | None
    owner_status: str | None
    """``up``, ``draining``, ``dead``; ``None``: nobody, or a run that is over."""
    epoch: int
    version: int
    handled_seq: int
    last_seq: int
    steps: tuple[MessageStep, ...]
    """The newest messages, oldest of them first."""
    crashes: tuple[Crash, ...]
    """Newest first."""
    dead_letters: tuple[DeadLetter, ...]
    unsent: tuple[UnsentLane, ...]
    timers: tuple[Timer, ...]
    owners: tuple[OwnerPeriod, ...]
    log: tuple[LogLine, ...]
    """The newest lines, oldest of them first."""
    snapshot: dict[str, Any] | None
    """The ticket's state as stored."""
