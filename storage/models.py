"""The schema. The hot path writes Core statements; these models serve migrations and queries."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from actors.decision import Actor
from actors.nodes import NodeStatus
from actors.state import Status, Workflow

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 — SQLAlchemy's own protocol
        int: BigInteger,
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


OPEN = "status <> 'CLOSED'"


class User(Base):
    """Everybody who ever wrote to the bot in private."""

    __tablename__ = "users"

    tg_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    username: Mapped[str | None]
    full_name: Mapped[str]
    language_code: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    blocked: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """The user blocked the bot."""
    banned: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """The desk banned the user."""


class TechnicianRow(Base):
    """The technicians as configured; those who left stay for the history, inactive."""

    __tablename__ = "technicians"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    tg_user_id: Mapped[int | None]
    group_chat_id: Mapped[int]
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))


class Ticket(Base):
    """A ticket. The row is the snapshot; every write of it names epoch and version."""

    __tablename__ = "tickets"
    __table_args__ = (
        CheckConstraint(_one_of("status", Status), name="status"),
        CheckConstraint(_one_of("workflow", Workflow), name="workflow"),
        Index(None, "client_tg_id", "status"),
        Index(None, "assigned_tech_id", "status"),
        Index("ix_tickets_open", "id", postgresql_where=text(OPEN)),
        Index("uq_tickets_open_client", "client_tg_id", unique=True, postgresql_where=text(OPEN)),
        Index("ix_tickets_client_latest", "client_tg_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_tg_id: Mapped[int] = mapped_column(ForeignKey("users.tg_id"))
    workflow: Mapped[str] = mapped_column(server_default=Workflow.SUPPORT)
    status: Mapped[str] = mapped_column(server_default=Status.NEW)
    main_chat_id: Mapped[int]
    main_thread_id: Mapped[int | None]
    assigned_tech_id: Mapped[int | None] = mapped_column(ForeignKey("technicians.id"))
    former_ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    owner: Mapped[str | None] = mapped_column(index=True)
    """The run of a node that owns the ticket: see ``nodes.owner``."""
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    version: Mapped[int] = mapped_column(server_default=text("0"))
    handled_seq: Mapped[int] = mapped_column(server_default=text("0"))
    """The last inbox message that is part of the snapshot."""
    wants_comment: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """The client's next text is the survey's comment, although the ticket is closed."""
    quarantined: Mapped[str | None]
    """Why the ticket is stopped until an operator releases it; NULL while it is not."""
    snapshot: Mapped[dict[str, Any] | None]


class TicketLane(Base):
    """The counter of a ticket's inbox, apart from the ticket: intake never waits for a commit."""

    __tablename__ = "ticket_lanes"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    next_seq: Mapped[int] = mapped_column(server_default=text("1"))


class TechThread(Base):
    """A ticket's topic in a technician's group, as the ticket knows it."""

    __tablename__ = "tech_threads"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    technician_id: Mapped[int] = mapped_column(ForeignKey("technicians.id"), primary_key=True)
    chat_id: Mapped[int]
    thread_id: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class FeedbackRow(Base):
    """What the client thought of it, 1–5; NULL where no mark was given."""

    __tablename__ = "feedback"
    __table_args__ = tuple(
        CheckConstraint(f"{question} BETWEEN 1 AND 5", name=question)
        for question in ("q1", "q2", "q3")
    )

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    q1: Mapped[int | None] = mapped_column(SmallInteger)
    q2: Mapped[int | None] = mapped_column(SmallInteger)
    q3: Mapped[int | None] = mapped_column(SmallInteger)
    comment: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EventRow(Base):
    """The log of a ticket; ``seq`` is the inbox message that caused the event."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(_one_of("actor", Actor), name="actor"),
        Index(None, "ticket_id", "id"),
        Index(
            "ix_events_text",
            text("to_tsvector('simple', payload #>> '{content,text}')"),
            postgresql_using="gin",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    seq: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    ts: Mapped[datetime] = mapped_column(server_default=func.now())


class InboxRow(Base):
    """Everything that ever came in, once. Without a ticket it belongs to the desk."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("ticket_id", "seq"),
        Index("ix_inbox_waiting", "ticket_id", "id", postgresql_where=text("handled_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    seq: Mapped[int | None]
    message: Mapped[dict[str, Any] | None]
    raw: Mapped[dict[str, Any] | None]
    from_client: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    handled_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    handled_by: Mapped[str | None]
    """The run whose turn handled it, and that turn's epoch: who owned the ticket then."""
    handled_epoch: Mapped[int | None]
    trace: Mapped[str | None]
    """Which trace it belongs to (W3C's ``traceparent``), where traces are taken."""


class OutboxRecord(Base):
    """Everything that is to be sent, lane by lane in the order of (position, id)."""

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'sending', 'sent', 'superseded', 'undeliverable')", name="state"
        ),
        Index(
            "ix_outbox_unsettled",
            "lane",
            "position",
            "id",
            postgresql_where=text("state IN ('waiting', 'sending')"),
        ),
        Index("ix_outbox_tag", "ticket_id", "tag", postgresql_where=text("tag IS NOT NULL")),
        Index(None, "ticket_id", "id"),
        Index("ix_outbox_undeliverable", "id", postgresql_where=text("state = 'undeliverable'")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """0; -1 for what must go before everything that waits: a topic that is made anew."""
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    cause_seq: Mapped[int]
    lane: Mapped[str]
    place: Mapped[str | None]
    kind: Mapped[str]
    effect: Mapped[dict[str, Any]]
    tag: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    uncertain: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    not_before: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]
    message_id: Mapped[int | None]
    error: Mapped[str | None]
    started_at: Mapped[datetime | None]
    """When its last call began."""
    trace: Mapped[str | None]
    """Of the turn that decided it, as in the inbox."""


class Topic(Base):
    """Delivery's address book: where the topic of a lane is."""

    __tablename__ = "topics"
    __table_args__ = (UniqueConstraint("chat_id", "thread_id"),)

    lane: Mapped[str] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    place: Mapped[str]
    chat_id: Mapped[int]
    thread_id: Mapped[int]
    bot_id: Mapped[int | None]
    """Who writes the topic's texts; NULL until that is chosen among several bots."""
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MainGroupRow(Base):
    """What is known of a main group, by its id in the settings; nothing of one that is well."""

    __tablename__ = "main_groups"

    chat_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    trouble: Mapped[str | None]
    """Why new tickets leave it out."""
    again_at: Mapped[datetime | None]
    """When it is tried again, whatever the trouble; NULL: when somebody has seen it well."""
    moved_to: Mapped[int | None]


class MessageLink(Base):
    """Which message in one chat is the copy of which in another."""

    __tablename__ = "message_links"
    __table_args__ = (
        Index(None, "dst_chat_id", "dst_message_id"),
        Index(None, "ticket_id"),
    )

    src_chat_id: Mapped[int] = mapped_column(primary_key=True)
    src_message_id: Mapped[int] = mapped_column(primary_key=True)
    dst_chat_id: Mapped[int] = mapped_column(primary_key=True)
    dst_message_id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    outbox_id: Mapped[int] = mapped_column(ForeignKey("outbox.id"))
    bot_id: Mapped[int | None]
    """Who wrote the copy, and alone can change it; NULL for the main bot."""


class TimerRow(Base):
    """A timer of a ticket; arming it again counts ``arming`` up and replaces the time."""

    __tablename__ = "timers"
    __table_args__ = (
        UniqueConstraint("ticket_id", "name"),
        Index("ix_timers_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    name: Mapped[str]
    due_at: Mapped[datetime | None]
    """NULL once it has fired or was cancelled."""
    arming: Mapped[int] = mapped_column(Integer, server_default=text("1"))


class DeadLetterRow(Base):
    """A message that was given up, with why. Without a ticket it was the desk's."""

    __tablename__ = "dead_letters"
    __table_args__ = (Index(None, "ticket_id"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    seq: Mapped[int | None]
    key: Mapped[str]
    message: Mapped[dict[str, Any] | None]
    error: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NodeRow(Base):
    """Nodes that run or ran, each with its newest run; ``owner`` names the run."""

    __tablename__ = "nodes"
    __table_args__ = (CheckConstraint(_one_of("status", NodeStatus), name="status"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    incarnation: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    beat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[str] = mapped_column(server_default=NodeStatus.UP)
    owner: Mapped[str | None] = mapped_column(
        Computed("name || '/' || incarnation", persisted=True), unique=True
    )
    drain_asked_by: Mapped[str | None]
    """The operator who asked this run to give its tickets away and end."""


class RoleRow(Base):
    """What one run does for all; taken when its owner lives no more."""

    __tablename__ = "roles"

    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class StatsMinute(Base):
    """What one run did in one minute, for the charts; kept for a little over a day."""

    __tablename__ = "stats_minutes"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]]


class CrashRow(Base):
    """A turn that failed by a bug, with its traceback; kept for a week."""

    __tablename__ = "crashes"
    __table_args__ = (Index(None, "ticket_id", "id"), Index(None, "ts"))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    ts: Mapped[datetime] = mapped_column(server_default=func.now())
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    seq: Mapped[int | None]
    run: Mapped[str]
    error: Mapped[str]
    trace: Mapped[str]


class AuditRow(Base):
    """What operators did, also where no ticket has a log for it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    ts: Mapped[datetime] = mapped_column(server_default=func.now())
    by: Mapped[str]
    action: Mapped[str]
    ticket_id: Mapped[int | None]
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
