"""The first screen, and the nodes."""

from dataclasses import dataclass
from datetime import datetime

from web.shapes.base import Cause, Level, Quantiles, Services, Shape, Used


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings(Shape):
    """The three waits of a message."""

    queue_wait: Quantiles
    """From its arrival in the inbox until its turn began."""
    turn: Quantiles
    """From the turn's begin to its durable end."""
    commit: Quantiles
    """The database's part of it."""
    delivery: Quantiles
    """One call to Telegram, the wait for its budget not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic(Shape):
    """What flows. A quiet desk shows when it last did something instead of zeros."""

    messages_per_s: float
    """Messages handled by actors, over the last ten seconds."""
    sent_per_s: float
    """Calls that Telegram took, over the last ten seconds."""
    handled: int
    turns: int
    sent: int
    last_handled_at: datetime | None
    last_sent_at: datetime | None
    updates_stored: int
    updates_duplicate: int
    updates_ignored: int
    updates_refused: int
    last_update_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailboxes(Shape):
    """Mail in memory and in the inbox."""

    depth_max: int
    """Messages in the deepest mailbox of any actor."""
    depth_limit: int
    """What one mailbox holds in memory at most; the rest waits in the inbox."""
    window: Used
    """Messages of all mailboxes in memory."""
    waiting: int | None
    """Unhandled messages in the inbox, of tickets and of the desk."""
    oldest_s: float | None
    """Age of the oldest of them; 0 when none waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox(Shape):
    """What is decided and not yet sent."""

    waiting: int | None
    sending: int | None
    oldest_s: float | None
    undeliverable: int | None
    """Given up, ever; the staff got a card for each."""
    in_flight: Used
    """Calls under way."""
    lanes: int
    """Chats and topics with something to send."""
    retries: int
    possible_doubles: int
    """Calls repeated after a crash although the first may have arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBudget(Shape):
    """What Telegram lets a bot send to one group (20 a minute, all topics together)."""

    chat_id: int
    name: str
    """The main group is ``main``; others carry the technician's name."""
    used: int
    """Calls within the last ``window_s``."""
    limit: int
    """0: without a limit."""
    window_s: float
    closed_for_s: float
    """Telegram asked to wait (429) for so much longer; 0 when open."""
    lost_s: float
    """Seconds lost to 429 since the start."""
    too_many: int
    """How often it said 429."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarts(Shape):
    """Crashes of actors against the budget of restarts."""

    used: int
    """Crashes within the last ``window_s`` of the actor that crashed most."""
    limit: int
    """So many within the window, and the actor is backed off."""
    window_s: float
    crashes: int
    """Of all actors, since the start."""
    backing_off: int
    """Actors that wait before they try again."""
    is_circuit_open: bool
    """So many turns fail that a node claims no further tickets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership(Shape):
    """Which node has which ticket, and what was done about it."""

    owned: int
    """Tickets that the nodes have in memory, asleep ones included."""
    claims: int
    """Tickets taken from nobody or from a dead node."""
    fenced: int
    """Commits refused because the ticket had another owner by then: harmless, and rare."""
    declared_dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop(Shape):
    """How the program's own machinery runs."""

    lag_s: float
    """How late the loop woke up last; over 0.1 it is overloaded."""
    lag_max_s: float
    """The worst of the last minute."""
    gc_pauses: int
    gc_pause_last_s: float
    gc_pause_max_s: float
    """The longest stop for garbage collection of the last minute."""
    memory_bytes: int
    """Resident memory of the process."""
    cpu_share: float
    """Of one core, over the last seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Shape):
    """How updates come in."""

    mode: str
    """``webhook`` or ``polling``."""
    lag_s: float | None
    """Between Telegram's date on the last update and its arrival here; whole seconds."""
    pending: int | None
    """Updates that wait at Telegram (``getWebhookInfo``); ``None`` when not asked or polling."""
    error: str
    """What Telegram last complained of; empty when nothing within the last hour."""
    error_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeShape(Shape):
    """One node. Its row comes from Postgres, the numbers from its own snapshot."""

    name: str
    run: str
    """Name and incarnation: what stands in a ticket as its owner."""
    incarnation: str
    status: str
    """``up``, ``draining`` or ``dead`` (by Postgres); ``unknown`` while Postgres is away."""
    state: str
    """What it says of itself: ``starting``, ``serving``, ``paused``, ``draining``, ``ended``; empty
    when it did not answer."""
    is_self: bool
    """This node answered the request."""
    started_at: datetime | None
    beat_age_s: float | None
    """Since its last beat that Postgres took; over 15 it is declared dead."""
    snapshot_age_s: float | None
    """Of its numbers; ``None`` when there are none."""
    roles: tuple[str, ...]
    """``desk``, ``polling``: what it does for all."""
    version: str
    owned: int | None
    actors: dict[str, int]
    """By state; empty when it did not answer."""
    messages_per_s: float | None
    handled: int | None
    lag_s: float | None
    memory_bytes: int | None
    cpu_share: float | None
    fenced: int | None
    crashes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview(Shape):
    """All of the desk at one moment: ``/api/status`` and each ``status`` event of the stream."""

    state: Level
    causes: tuple[Cause, ...]
    """The gravest first; empty when all is well."""
    taken_at: datetime
    node: str
    """Who answered."""
    version: str
    started_at: datetime
    """Of the node that answered."""
    is_complete: bool
    """Every living node's numbers are in the sums."""
    is_ready: bool
    """Whether the answering node serves (``/readyz``)."""
    reasons: tuple[str, ...]
    """Why not, in English; empty when it does."""
    stored_age_s: float | None
    """How old what the database said is; ``None``: it never answered. Over a few seconds when
    Postgres is away."""
    closed_age_s: float | None
    """How old the count of ``CLOSED`` is: with very many tickets they are counted less often."""
    tickets: dict[str, int]
    """By status (``NEW``, ``WORK``, ``CLOSED``, …) by the database; empty when not known."""
    actors: dict[str, int]
    """By state: ``idle``, ``queued``, ``running``, ``backing_off``, ``quarantined``,
    ``draining``."""
    nodes: tuple[NodeShape, ...]
    traffic: Traffic
    timings: Timings
    mailboxes: Mailboxes
    outbox: Outbox
    budgets: tuple[ChatBudget, ...]
    bot: ChatBudget
    """The bot's own budget (30 a second); ``chat_id`` 0."""
    restarts: Restarts
    dead_letters: int | None
    quarantined: int | None
    """Tickets stopped until an operator releases them, by the database."""
    ownership: Ownership
    loop: Loop
    """The worst of all nodes; memory is the sum."""
    health: Services
    webhook: Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes(Shape):
    """Living nodes, and those that died within the last day."""

    taken_at: datetime
    nodes: tuple[NodeShape, ...]
