"""What delivery has done, for the status page."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.delivery.pace import Pacing


@dataclass(slots=True)
class Counters:
    """Counted while delivery runs."""

    sent: int = 0
    joined: int = 0
    superseded: int = 0
    undeliverable: int = 0
    retries: int = 0
    possible_doubles: int = 0
    recovered: int = 0
    topics_lost: int = 0
    in_flight: int = 0
    last_sent_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStats:
    """Counts since the start; ``last_sent_at`` on delivery's clock."""

    sent: int
    joined: int
    """Of those sent, texts that went out in one message with others."""
    superseded: int
    undeliverable: int
    retries: int
    possible_doubles: int
    """Calls that were repeated although the first may have arrived."""
    recovered: int
    """Uncertain rows that were found to have arrived."""
    topics_lost: int
    lanes: int
    """Lanes with something to do, waiting ones included."""
    in_flight: int
    pauses: int
    paused_s: float
    paused_chats: int
    last_sent_at: float | None


def snapshot(counters: Counters, paces: Sequence[Pacing], *, lanes: int) -> DeliveryStats:
    """The counts with those of all bots' budgets."""
    return DeliveryStats(
        sent=counters.sent,
        joined=counters.joined,
        superseded=counters.superseded,
        undeliverable=counters.undeliverable,
        retries=counters.retries,
        possible_doubles=counters.possible_doubles,
        recovered=counters.recovered,
        topics_lost=counters.topics_lost,
        lanes=lanes,
        in_flight=counters.in_flight,
        pauses=sum(pace.pauses for pace in paces),
        paused_s=sum(pace.paused_s for pace in paces),
        paused_chats=sum(pace.paused_chats() for pace in paces),
        last_sent_at=counters.last_sent_at,
    )
