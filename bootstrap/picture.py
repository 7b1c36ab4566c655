"""One node's picture of itself: what it tells the others while somebody looks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson
from pydantic import TypeAdapter, ValidationError

from web.shapes import (
    BotShape,
    ChatBudget,
    Health,
    Loop,
    Mailboxes,
    Outbox,
    Ownership,
    Restarts,
    Traffic,
    Webhook,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A histogram of durations (see :mod:`supervisor.stats`) and the longest of them."""

    counts: tuple[int, ...]
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InTrouble:
    """An actor that failed lately or stands still."""

    ticket_id: int
    status: str
    crashes: int
    dead_letters: int
    waiting: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Delivery's counts since the start."""

    joined: int
    superseded: int
    recovered: int
    topics_lost: int
    paused_s: float
    calls: dict[str, int]
    bots: tuple[BotShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePicture:
    """All that a node knows without asking the database. Shapes as of one node alone."""

    name: str
    run: str
    version: str
    started_at: datetime
    taken_at: datetime
    state: str
    reasons: tuple[str, ...]
    beat_age_s: float
    roles: tuple[str, ...]
    actors: dict[str, int]
    traffic: Traffic
    measured: dict[str, Measured]
    mailboxes: Mailboxes
    outbox: Outbox
    budgets: tuple[ChatBudget, ...]
    """The bot's own first."""
    restarts: Restarts
    ownership: Ownership
    loop: Loop
    redis: Health
    telegram: Health
    webhook: Webhook
    sending: Sending
    troubled: tuple[InTrouble, ...]
    commits: int
    transients: int

    @property
    def age_s(self) -> float:
        """By the wall clocks of two machines: only to be shown, and to be doubted when large."""
        return max(0.0, (datetime.now(UTC) - self.taken_at).total_seconds())


_ADAPTER: Final = TypeAdapter(NodePicture)


def encode(picture: NodePicture) -> bytes:
    return orjson.dumps(picture)


def decode(told: bytes) -> NodePicture | None:
    """The picture; ``None`` when it is of a program too different from this one."""
    try:
        return _ADAPTER.validate_json(told)
    except ValidationError:
        return None
