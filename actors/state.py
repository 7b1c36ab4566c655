"""What a ticket knows. The snapshot in Postgres is exactly this."""

from dataclasses import dataclass
from enum import StrEnum

from actors.ids import ChatId, MessageId, Seq, TechnicianId, ThreadId, TicketId
from actors.messages import Content, Person, Technician
from actors.places import Place

SNAPSHOT_VERSION = 1
"""Raised whenever a field changes its meaning; older snapshots are lifted on reading."""


class Workflow(StrEnum):
    SUPPORT = "support"
    """Helpdesk: NEW → WORK → CLOSED."""


class Status(StrEnum):
    NEW = "NEW"
    """Nobody is assigned."""
    WORK = "WORK"
    """A technician is assigned; the bridge client ↔ technician is open."""
    CLOSED = "CLOSED"
    """What the client writes next belongs to a new ticket. Only the staff can open it again."""

    @property
    def is_open(self) -> bool:
        return self is not Status.CLOSED


MOVES: dict[Status, frozenset[Status]] = {
    Status.NEW: frozenset({Status.WORK, Status.CLOSED}),
    Status.WORK: frozenset({Status.WORK, Status.CLOSED}),
    Status.CLOSED: frozenset({Status.NEW, Status.WORK}),
}
"""The support workflow's allowed moves; ``WORK → WORK`` is a reassignment."""


class SurveyStage(StrEnum):
    ASKING = "asking"
    """One of the three questions is on the client's screen."""
    COMMENT_ASKED = "comment_asked"
    """The client's next text is the comment."""
    COMMENT_OFFERED = "comment_offered"
    """All fives, saved; a comment may be added with a button."""
    ENDED = "ended"
    """Finished or timed out; presses change nothing."""


SURVEY_QUESTIONS = 3
SCORE_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The client's marks so far, in the order of the questions."""

    stage: SurveyStage
    scores: tuple[int, ...] = ()
    comment: str | None = None

    @property
    def question(self) -> int:
        """The question on the screen, 1–3; 4 when all are answered."""
        return len(self.scores) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorTopic:
    """A technician's topic.

    ``seen_seq`` is how far the conversation had been copied into it when the technician was last
    taken off the ticket; 0 while the mirror follows it live.
    """

    technician_id: TechnicianId
    seen_seq: Seq


UNSENT_MAX = 100
"""Messages of a ticket that are kept for the client: more, and a snapshot gets heavy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """Somebody's reaction on a message, named as it stands where it was written, or on a copy."""

    place: Place
    by: int | None
    chat_id: ChatId
    message_id: MessageId
    emoji: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """What could not be delivered and may be tried again: ``row`` of the outbox.

    ``card`` is the number on the card's button: the row for which the card was made.
    """

    card: int
    row: int
    place: Place
    effect: str


FAILED_MAX = 50
"""Cards of a ticket with a button that acts; on older ones it says that it is too late."""

REACTIONS_MAX = 64
"""Reactions of a ticket that are remembered; who takes back an older one clears what is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketState:
    """A ticket at rest.

    ``generation`` counts assignments, so that a button drawn before the last one is known as stale.
    """

    ticket_id: TicketId
    client: Person
    workflow: Workflow = Workflow.SUPPORT
    status: Status = Status.NEW
    former_ticket_id: TicketId | None = None
    opened: bool = False
    technician: Technician | None = None
    assigned_by: str | None = None
    generation: int = 0
    mirrors: tuple[MirrorTopic, ...] = ()
    survey: Survey | None = None
    client_unreachable: bool = False
    client_thread: ThreadId | None = None
    """The topic of the private chat that the client wrote in last, if it has topics."""
    unsent: tuple[Content, ...] = ()
    """What the client could not get, oldest first; sent when the client is back and the staff ask.

    At most ``UNSENT_MAX``: the oldest are left out then.
    """
    failed: tuple[Failed, ...] = ()
    """Oldest first; at most ``FAILED_MAX``."""
    reactions: tuple[Reaction, ...] = ()
    """Those that stand, oldest first; at most ``REACTIONS_MAX``."""
    words: str = ""
    """What the staff wrote behind the title of the topic."""

    @property
    def wants_comment(self) -> bool:
        """Whether the client's next text belongs to this ticket although it is closed."""
        return self.survey is not None and self.survey.stage is SurveyStage.COMMENT_ASKED

    def mirror_of(self, technician_id: TechnicianId) -> MirrorTopic | None:
        return next((m for m in self.mirrors if m.technician_id == technician_id), None)
