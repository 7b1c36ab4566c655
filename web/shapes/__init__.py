"""What the API answers: the status page's numbers, each with its unit and what it means.

Units stand at the end of a name: ``_s`` seconds, ``_at`` a moment (ISO 8601 with its zone),
``_per_s`` per second. Counts of work are since the start of the node they are of; in an
``Overview`` they are sums over the nodes that answered. ``None`` means *not known now*, never zero.
"""

from web.shapes.actions import Done, DoneMany, Many, Move, Reason
from web.shapes.base import Cause, Health, Level, Problem, Quantiles, Services, Shape, Used
from web.shapes.overview import (
    ChatBudget,
    Loop,
    Mailboxes,
    Nodes,
    NodeShape,
    Outbox,
    Overview,
    Ownership,
    Restarts,
    Timings,
    Traffic,
    Webhook,
)
from web.shapes.rest import BotShape, DeliveryShape, History, LaneLine, Tree, TreeNode
from web.shapes.tickets import (
    Crash,
    DeadLetter,
    DeadLetters,
    LogLine,
    MessageStep,
    OwnerPeriod,
    SentStep,
    TicketDetail,
    TicketLine,
    Tickets,
    Timer,
    UnsentLane,
)

__all__ = [
    "BotShape",
    "Cause",
    "ChatBudget",
    "Crash",
    "DeadLetter",
    "DeadLetters",
    "DeliveryShape",
    "Done",
    "DoneMany",
    "Health",
    "History",
    "LaneLine",
    "Level",
    "LogLine",
    "Loop",
    "Mailboxes",
    "Many",
    "MessageStep",
    "Move",
    "NodeShape",
    "Nodes",
    "Outbox",
    "Overview",
    "OwnerPeriod",
    "Ownership",
    "Problem",
    "Quantiles",
    "Reason",
    "Restarts",
    "SentStep",
    "Services",
    "Shape",
    "TicketDetail",
    "TicketLine",
    "Tickets",
    "Timer",
    "Timings",
    "Traffic",
    "Tree",
    "TreeNode",
    "UnsentLane",
    "Used",
    "Webhook",
]
