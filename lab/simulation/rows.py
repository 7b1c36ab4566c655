"""The rows of the simulated database, as ``storage.models`` has them. Times are the world's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from actors.decision import Event, Feedback
from actors.effects import CARD_TAG, Effect, Say, ShowCard
from actors.ids import ChatId, MessageId, Seq, TechnicianId, ThreadId, TicketId, UserId
from actors.messages import ClientWrote, Message, Person
from actors.nodes import NodeStatus, Role
from actors.places import Place
from actors.state import Status, TicketState


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRow:
    id: TicketId
    client_id: UserId
    main_chat_id: ChatId
    former_ticket_id: TicketId | None
    created_at: float
    status: Status = Status.NEW
    main_thread_id: ThreadId | None = None
    technician_id: TechnicianId | None = None
    closed_at: float | None = None
    owner: str | None = None
    epoch: int = 0
    version: int = 0
    handled_seq: int = 0
    wants_comment: bool = False
    quarantined: str | None = None
    state: TicketState | None = None

    @property
    def is_open(self) -> bool:
        return self.status is not Status.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    person: Person
    last_seen: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRow:
    """The counter of a ticket's inbox."""

    ticket_id: TicketId
    next_seq: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    id: int
    key: str
    ticket_id: TicketId | None
    seq: int | None
    message: Message | None
    received_at: float
    handled_at: float | None = None

    @property
    def waits_for(self) -> TicketId | None:
        """The ticket that has not handled it yet."""
        return self.ticket_id if self.handled_at is None else None

    @property
    def is_from_client(self) -> bool:
        return isinstance(self.message, ClientWrote)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    id: int
    ticket_id: TicketId
    seq: Seq
    event: Event


class SendState(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    SUPERSEDED = "superseded"
    UNDELIVERABLE = "undeliverable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRow:
    """A row of the outbox. ``doubts`` counts starts while the start before was uncertain."""

    id: int
    ticket_id: TicketId
    cause_seq: int
    lane: str
    effect: Effect
    created_at: float
    position: int = 0
    state: SendState = SendState.WAITING
    attempts: int = 0
    uncertain: bool = False
    not_before: float = 0.0
    message_id: MessageId | None = None
    error: str | None = None
    doubts: int = 0
    started_by: str | None = None

    @property
    def place(self) -> Place | None:
        place: Place | None = getattr(self.effect, "place", None)
        return place

    @property
    def tag(self) -> str | None:
        if isinstance(self.effect, ShowCard):
            return CARD_TAG
        return self.effect.tag if isinstance(self.effect, Say) else None

    @property
    def is_settled(self) -> bool:
        return self.state not in {SendState.WAITING, SendState.SENDING}

    @property
    def waiting_lane(self) -> str | None:
        return None if self.is_settled else self.lane

    @property
    def waiting_ticket(self) -> TicketId | None:
        return None if self.is_settled else self.ticket_id


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRow:
    lane: str
    ticket_id: TicketId
    place: Place
    chat_id: ChatId
    thread_id: ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerRow:
    id: int
    ticket_id: TicketId
    name: str
    due_at: float | None
    arming: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TechThreadRow:
    ticket_id: TicketId
    technician_id: TechnicianId
    chat_id: ChatId
    thread_id: ThreadId


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRow:
    ticket_id: TicketId
    feedback: Feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadRow:
    id: int
    ticket_id: TicketId
    seq: int
    key: str
    message: Message
    error: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    name: str
    incarnation: str
    beat_at: float
    status: NodeStatus = NodeStatus.UP

    @property
    def owner(self) -> str:
        return f"{self.name}/{self.incarnation}"

    @property
    def lives(self) -> bool:
        return self.status is not NodeStatus.DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleRow:
    role: Role
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What every node is told at its start: chats of the desk and its technicians."""

    main_chat_id: ChatId
    technician_chats: Mapping[TechnicianId, ChatId] = field(default_factory=dict)
