"""The banner: how the desk is, why, and what to do. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from web.shapes import Cause, Level, NodeShape, Overview

OUTBOX_LATE_S: Final = 60.0
"""Telegram's pauses are shorter as a rule; what waits longer deserves a look."""

MAIL_LATE_S: Final = 30.0
"""A turn takes milliseconds; mail that waits longer is stuck or postponed."""

BEAT_LATE_S: Final = 7.0
"""Two beats that did not come; after fifteen seconds the node is declared dead."""

LEASE_S: Final = 15.0

PENDING_MANY: Final = 100
"""Updates that wait at Telegram: it is slowed down, or does not reach us."""

COMPLAINT_S: Final = 600.0
"""Telegram's last complaint about the webhook counts for so long."""

LAG_MUCH_S: Final = 1.0
"""Over that the node does not beat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The level, and every cause, the gravest first."""

    level: Level
    causes: tuple[Cause, ...]


def judge(seen: Overview) -> Verdict:
    """From the numbers alone."""
    grave, light = tuple(_grave(seen)), tuple(_light(seen))
    level = Level.DOWN if grave else Level.DEGRADED if light else Level.WELL
    return Verdict(level=level, causes=(*grave, *light))


def _grave(seen: Overview) -> Iterator[Cause]:
    """What keeps everything from being handled."""
    if not seen.health.postgres.ok:
        yield _cause("postgres", seen.health.postgres.detail)
    elif not any(map(_serves, seen.nodes)):
        if seen.reasons:
            yield from (_cause("not_ready", reason) for reason in seen.reasons)
        else:
            yield _cause("no_node")


def _light(seen: Overview) -> Iterator[Cause]:
    """What somebody should look at."""
    for name in ("redis", "telegram"):
        health = getattr(seen.health, name)
        if not health.ok:
            yield _cause(name, health.detail)
    if seen.health.postgres.ok:
        yield from _of_nodes(seen)
    if seen.quarantined:
        yield _cause("quarantined", seen.quarantined)
    if seen.dead_letters:
        yield _cause("dead_letters", seen.dead_letters)
    if (seen.outbox.oldest_s or 0.0) > OUTBOX_LATE_S:
        yield _cause("outbox_late", round(seen.outbox.oldest_s or 0.0))
    if (seen.mailboxes.oldest_s or 0.0) > MAIL_LATE_S:
        yield _cause("mail_late", round(seen.mailboxes.oldest_s or 0.0))
    if seen.restarts.is_circuit_open or seen.restarts.used >= seen.restarts.limit:
        yield _cause("restarts", seen.restarts.used)
    if seen.loop.lag_max_s > LAG_MUCH_S:
        yield _cause("loop_lag", f"{seen.loop.lag_max_s:.1f}")
    yield from _of_webhook(seen)


def _of_nodes(seen: Overview) -> Iterator[Cause]:
    serving = any(map(_serves, seen.nodes))
    for node in seen.nodes:
        if node.status != "up":
            continue
        if (node.beat_age_s or 0.0) > BEAT_LATE_S:
            yield _cause("node_away", node.name)
        elif node.state and node.state != "serving" and serving:
            yield _cause("node_paused", node.name)


def _of_webhook(seen: Overview) -> Iterator[Cause]:
    webhook = seen.webhook
    since = seen.taken_at - timedelta(seconds=COMPLAINT_S)
    heard_at = seen.traffic.last_update_at  # what came after a complaint has answered it
    if heard_at is not None:
        since = max(since, heard_at)
    if webhook.error and webhook.error_at is not None and webhook.error_at > since:
        yield _cause("webhook", webhook.error)
    elif (webhook.pending or 0) > PENDING_MANY:
        yield _cause("webhook", webhook.pending or 0)


def _serves(node: NodeShape) -> bool:
    if node.state:
        return node.state == "serving"
    return node.status == "up" and (node.beat_age_s or 0.0) < LEASE_S


def _cause(code: str, detail: str | float = "") -> Cause:
    return Cause(code=code, detail=str(detail), advice=f"advice-{code.replace('_', '-')}")
