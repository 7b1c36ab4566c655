"""Pictures of nodes that are well, to be changed by tests."""

from datetime import UTC, datetime
from typing import Any

from bootstrap.picture import Measured, NodePicture, Sending
from supervisor.stats import BUCKETS, bucket
from tests.fakes import status_samples as samples
from web.shapes import Health


def measured(*seconds: float) -> Measured:
    """A histogram of these durations."""
    counts = [0] * BUCKETS
    for each in seconds:
        counts[bucket(each)] += 1
    return Measured(counts=tuple(counts), longest_s=max(seconds, default=0.0))


def picture(name: str, *, handled: int = 0, **more: Any) -> NodePicture:
    """One node that has handled so many messages."""
    seen = samples.overview()
    well = Health(ok=True, latency_s=0.001, detail="")
    values: dict[str, Any] = {
        "name": name,
        "run": f"{name}/1",
        "version": "0.1.0",
        "started_at": samples.STARTED_AT,
        "taken_at": datetime.now(UTC),
        "state": "serving",
        "reasons": (),
        "beat_age_s": 0.5,
        "roles": (),
        "actors": {"idle": 2, "running": 1},
        "traffic": samples.traffic(handled),
        "measured": {
            each: measured(0.002, 0.004) for each in ("queue_wait", "turn", "commit", "delivery")
        },
        "mailboxes": seen.mailboxes,
        "outbox": seen.outbox,
        "budgets": (seen.bot, seen.budgets[0]),
        "restarts": seen.restarts,
        "ownership": seen.ownership,
        "loop": seen.loop,
        "redis": well,
        "telegram": well,
        "webhook": seen.webhook,
        "sending": Sending(
            joined=0,
            superseded=0,
            recovered=0,
            topics_lost=0,
            paused_s=0.0,
            calls={"SendMessage": 3},
            bots=(),
        ),
        "troubled": (),
        "commits": 3,
        "transients": 0,
    }
    return NodePicture(**values | more)
