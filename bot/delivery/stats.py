"""What delivery has done, for the status page."""

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


def snapshot(counters: Counters, pace: Pacing, *, lanes: int) -> DeliveryStats:
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
        pauses=pace.pauses,
        paused_s=pace.paused_s,
        paused_chats=pace.paused_chats(),
        last_sent_at=counters.last_sent_at,
    )
