"""Delivery, the supervision tree and the history."""

from dataclasses import dataclass
from datetime import datetime

from web.shapes.base import Shape
from web.shapes.overview import ChatBudget, Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLine(Shape):
    """One lane with something unsent."""

    lane: str
    ticket_id: int
    chat_id: int | None
    unsent: int
    oldest_s: float
    attempts: int
    first: str
    error: str | None
    not_before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BotShape(Shape):
    """One bot that sends for the desk."""

    id: int
    username: str
    is_main: bool
    calls: int
    too_many: int
    """429 answers."""
    failed: int
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryShape(Shape):
    """The way out."""

    taken_at: datetime
    outbox: Outbox
    lanes: tuple[LaneLine, ...]
    """Those that wait longest first."""
    budgets: tuple[ChatBudget, ...]
    bot: ChatBudget
    bots: tuple[BotShape, ...]
    calls: dict[str, int]
    """By method of the Bot API."""
    sent: int
    joined: int
    """Texts that went out in one message with others."""
    superseded: int
    recovered: int
    topics_lost: int
    paused_s: float
    """Seconds lost to 429, all chats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode(Shape):
    """One supervisor, service or group of actors of a node; ``children`` are under its watch."""

    name: str
    kind: str
    """``node``, ``supervisor``, ``service``, ``actors``, ``actor``."""
    state: str
    detail: dict[str, int | float | str]
    """Numbers that belong to it, by name."""
    ticket_id: int | None
    """For ``actor``: only those in trouble are listed one by one."""
    children: tuple["TreeNode", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree(Shape):
    """The supervision tree, one root for each node."""

    taken_at: datetime
    roots: tuple[TreeNode, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History(Shape):
    """Columns for charts: ``at[i]`` belongs to ``columns[name][i]``.

    ``None`` where nothing is known: the program did not run.
    """

    span: str
    """``hour`` or ``day``."""
    step_s: int
    """60 in an hour, 600 in a day."""
    at: tuple[int, ...]
    """Seconds since 1970, begin of each step."""
    columns: dict[str, tuple[float | None, ...]]
    """``handled`` and ``sent`` (per second), ``updates`` (per second), ``open_tickets``,
    ``actors``, ``mail_waiting``, ``outbox_waiting``, ``outbox_oldest_s``, ``queue_wait_p95_s``,
    ``turn_p95_s``, ``commit_p99_s``, ``too_many``, ``paused_s`` and ``crashes`` (per step),
    ``dead_letters``, ``lag_max_s``, ``memory_bytes``, ``nodes``."""
