"""What the runtime needs from the world, as narrow Protocols at the side of the consumer.

Adapters live in ``storage/`` and ``bot/``; the same contract suites run on every adapter.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from actors.decision import Decision
from actors.effects import Effect
from actors.ids import ChatId, Epoch, MessageId, Seq, ThreadId, TicketId, UserId
from actors.messages import Envelope, FailureReason, Json, Message, Person
from actors.places import Place
from actors.state import TicketState

# --- intake ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ToClient:
    """To the client's open ticket, to a closed one that waits for a comment, else to a new one.

    ``is_text`` is false for anything that could not be a survey's comment. What ``opens`` no ticket
    goes to the client's latest one, whatever its state, and to the desk when there is none.
    """

    client: Person
    is_text: bool
    opens: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTicket:
    """To a ticket that the edge has already looked up."""

    ticket_id: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class ToDesk:
    """To the desk: admin commands and all that concerns no single ticket."""


type Route = ToClient | ToTicket | ToDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One stored cause. ``message`` is ``None`` on the way to the desk, which reads ``raw``.

    ``raw`` is the update as Telegram sent it; it is kept with the row for whoever investigates.
    ``trace`` is as in :class:`~actors.messages.Envelope`.
    """

    key: str
    route: Route
    message: Message | None
    raw: Mapping[str, Json] | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where an :class:`Incoming` ended: the envelope for a ticket, ``None`` for the desk.

    ``duplicate`` means that its key was stored before; nothing was written then.
    """

    key: str
    duplicate: bool
    envelope: Envelope | None


class Inbox(Protocol):
    async def put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        """Stores all of the batch in one transaction, in its order; returns in the same order.

        Once it returns, everything is durable and each ticket's messages have their ``seq``.
        May be repeated after any error: keys make a second time harmless.

        Raises:
            Transient: Postgres is away; nothing is known to be stored.
        """


# --- the tickets ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTicket:
    """A claimed ticket as its row stands: ``handled_seq`` is the last message it has handled."""

    state: TicketState
    epoch: Epoch
    version: int
    handled_seq: Seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Consecutive decisions of one ticket, to be committed as one or not at all.

    ``steps`` pairs each envelope with its decision, in inbox order, the first being
    ``handled_seq + 1``; the last decision's state becomes the snapshot. ``dead`` holds messages
    that are given up: they are moved past, and kept with their traceback.
    """

    ticket_id: TicketId
    epoch: Epoch
    version: int
    steps: tuple[tuple[Envelope, Decision], ...]
    dead: tuple["DeadLetter", ...] = ()

    @property
    def state(self) -> TicketState:
        return self.steps[-1][1].state

    @property
    def handled_seq(self) -> Seq:
        return self.steps[-1][0].seq


def check_group(turns: Sequence[Turn]) -> None:
    """Raises ``ValueError`` when two of the turns are of one ticket."""
    if len({turn.ticket_id for turn in turns}) < len(turns):
        raise ValueError("two turns of one ticket cannot be committed together")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that failed too often, with why."""

    envelope: Envelope
    error: str
    attempts: int


class CommitStatus(StrEnum):
    COMMITTED = "committed"
    FENCED = "fenced"
    """The row has another epoch or version: somebody else wrote. Nothing of this turn was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOutcome:
    """``rerouted`` are envelopes that a turn moved into another ticket's inbox."""

    status: CommitStatus
    lanes: tuple[str, ...] = ()
    rerouted: tuple[Envelope, ...] = ()


class TicketStore(Protocol):
    async def claim(self, ticket_id: TicketId) -> LoadedTicket | None:
        """Takes the ticket (owner = this run, ``epoch + 1``) and reads it.

        Returns ``None`` when there is no such ticket, or another living run owns it.

        Raises:
            CorruptSnapshot: The row cannot be read.
            Quarantined: An operator or the runtime stopped this ticket.
            Transient: Postgres is away.
        """

    async def revive(self, limit: int) -> Sequence[TicketId]:
        """Takes up to ``limit`` tickets that no living run owns and that are not finished.

        Not finished: open, or with mail, or with something to send. Those with mail first, epoch
        raised. Call it until it returns none. Their state is read later, by :meth:`claim`.
        """

    async def quarantine(self, ticket_id: TicketId, why: str) -> None:
        """Stops the ticket, if this run owns it, until an operator releases it; logs an event.

        Its mail waits. :meth:`claim` raises ``Quarantined`` from now on, on every node.
        """

    async def mail(self, ticket_id: TicketId, after: Seq, limit: int) -> Sequence[Envelope]:
        """The ticket's messages from ``after + 1`` on, in order, at most ``limit``.

        Raises:
            Transient: Postgres is away.
        """

    async def commit(self, turns: Sequence[Turn]) -> Sequence[CommitOutcome]:
        """Writes turns of *different* tickets in one transaction; answers in their order.

        A turn whose row has another epoch or version is fenced alone; the others stand.

        Raises:
            ValueError: Two turns are of one ticket; nothing was written.
            Transient: Nothing is known: the transaction may or may not stand. The caller reads
                ``version`` again (:meth:`versions`) before it does anything else.
        """

    async def versions(
        self, ticket_ids: Sequence[TicketId]
    ) -> Mapping[TicketId, tuple[Epoch, int]]:
        """Epoch and version of each ticket, as they stand now.

        Raises:
            Transient: Postgres is away.
        """

    async def waiting(self, limit: int) -> Sequence[TicketId]:
        """Tickets with unhandled mail, longest waiting first: what a lost hint leaves behind.

        Only those that this run owns or could claim, and none in quarantine.
        """

    async def fire_timers(self, limit: int) -> Sequence[Envelope]:
        """Turns due timers into inbox messages, each once; returns those messages.

        Only of tickets that this run owns or could claim.
        """


class Mailroom(Protocol):
    def offer(self, envelopes: Sequence[Envelope]) -> None:
        """Hands over messages that the inbox has just stored. Losing the call only costs a poll."""


# --- the way out ----------------------------------------------------------------------------


class DeliveryHints(Protocol):
    def wake(self, lanes: Sequence[str]) -> None:
        """These lanes have new rows in the outbox. Losing the call only costs a poll."""

    def look(self) -> None:
        """There may be rows in any lane: tickets have come to this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a place is in Telegram; ``thread_id`` is ``None`` in private and while no topic is."""

    chat_id: ChatId
    thread_id: ThreadId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One effect that waits to be sent.

    ``attempts`` counts calls that were started; ``uncertain`` says that the last of them may have
    reached Telegram although its answer was never recorded. ``client`` is the ticket's client.
    ``address`` is ``None`` for an :class:`~actors.effects.AnswerPress`. ``bot_id`` is the bot that
    writes the texts of the row's topic, ``None`` while that has not been chosen among several.
    """

    id: int
    ticket_id: TicketId
    lane: str
    effect: Effect
    address: Address | None
    client: Person
    attempts: int
    uncertain: bool
    created_at: datetime
    bot_id: UserId | None = None
    trace: str | None = None
    """Of the turn that decided it, as in :class:`~actors.messages.Envelope`."""

    @property
    def mark(self) -> str:
        """Names this row for ever: ids come again in another database or after a restore."""
        return f"{self.id}:{round(self.created_at.timestamp() * 1_000_000)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a call made, by its answer: a message, a topic, or nothing of its own.

    ``bot_id`` is who made it, where several bots could have.
    """

    message_id: MessageId | None = None
    thread_id: ThreadId | None = None
    bot_id: UserId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The call succeeded (or its aim had been reached before, as with "message is not modified").

    ``message_id`` is what was made, if anything; ``thread_id`` is the new topic's. ``bot_id`` is
    who wrote it, where several bots could; ``sticks``: it writes the topic's texts from now on.
    """

    row: OutboxRow
    message_id: MessageId | None = None
    thread_id: ThreadId | None = None
    bot_id: UserId | None = None
    sticks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """A newer row of the lane makes this one pointless (titles)."""

    row: OutboxRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeliverable:
    """A final refusal; the ticket is told with a :class:`~actors.messages.DeliveryFailed`."""

    row: OutboxRow
    reason: FailureReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLost:
    """The lane's topic was deleted in Telegram: forget its thread, so that it is made anew.

    The row stays at the head of its lane; the lane's last ``OpenTopic`` is sent again before it.
    """

    row: OutboxRow


class Refusal(StrEnum):
    """Why a group lets no topic be made in it."""

    SHUT = "shut"
    """The bot may not, or there are no topics at all; somebody has to mend it."""
    FULL = "full"
    """It has as many topics as Telegram allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """The call surely did not arrive, or may be repeated: the row waits ``after_s``.

    ``uncertain`` marks a call whose effect is unknown (a time-out after sending). A main topic's
    opening with a ``refusal`` waits no longer than another main group is there for it.
    """

    row: OutboxRow
    after_s: float
    error: str
    uncertain: bool = False
    refusal: Refusal | None = None


type Settlement = Sent | Superseded | Undeliverable | TopicLost | Postponed


class Outbox(Protocol):
    async def heads(
        self, lanes: Sequence[str] | None, per_lane: int, limit: int
    ) -> Sequence[OutboxRow]:
        """The first unsettled rows of the given lanes (of all lanes for ``None``).

        Lane by lane, in order, at most ``per_lane`` each; a postponed row holds its lane back, and
        so does a row whose ticket another run owns: each ticket's owner sends what it decided.

        Raises:
            Transient: Postgres is away.
        """

    async def starting(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        """Marks rows as about to be sent, durably, before their calls; returns the ids marked.

        A row is marked only while this run lives and owns its ticket, and only if nobody has
        started it since it was read: the others must not be sent, but read again.

        Raises:
            Transient: Postgres is away; the calls must not be made.
        """

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        """Records outcomes, links and topics, and tells the tickets, in one transaction.

        Safe to repeat. Returns what it put into tickets' inboxes.

        Raises:
            Transient: Postgres is away; call again with the same settlements.
        """

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        """The newest message sent to that place under that tag."""


# --- what a card is made of -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCard:
    """What the directory knows about a client: labelled lines, in the directory's order."""

    fields: tuple[tuple[str, str], ...]


class Directory(Protocol):
    async def card(self, client: Person) -> ClientCard | None:
        """The client's card, from memory or cache only: it never waits for the directory itself."""
