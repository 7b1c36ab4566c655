"""A snapshot as people read it: every number as text, every judgement as a level."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from web.status import OUTBOX_LATE_S, Cause, Level, StatusSnapshot, assess
from web.texts import Words

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "tickets": ("NEW", "WORK", "CLOSED"),
    "actors": ("idle", "queued", "running", "backing_off", "quarantined", "draining"),
    "health": ("postgres", "redis", "telegram"),
}
"""Cards whose lines are parts of a whole."""

UNBARRED: Final = frozenset({"CLOSED"})
"""Only ever grows: beside it every other bar would vanish."""

SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "updates": ("stored", "duplicates", "ignored", "refused"),
    "delivery": (
        *("sent", "outbox", "oldest", "in-flight", "retries"),
        *("too-many", "doubles", "undeliverable"),
    ),
    "handling": (
        *("handled", "rate", "last", "turns", "commits", "mailbox", "window"),
        *("dead-letters", "crashes", "transients", "fenced"),
    ),
}
"""Cards of single numbers; each has the texts ``<name>`` and ``<name>-hint``."""

NOTHING: Final = "–"


class Tone(StrEnum):
    """How a number is to be taken; also the name of its colour."""

    QUIET = "quiet"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """What the page shows; keys are the names that its elements carry.

    ``bars`` are shares of the largest in their group, 0-100.
    """

    level: Level
    headline: str
    causes: tuple[str, ...]
    fields: dict[str, str]
    tones: dict[str, Tone]
    bars: dict[str, float]


def view(snapshot: StatusSnapshot, words: Words) -> StatusView:
    """The page's content for one picture, in one language."""
    verdict = assess(snapshot)
    bars: dict[str, float] = {}
    fields = _numbers(snapshot, words)
    for group, counts in (("tickets", snapshot.tickets), ("actors", snapshot.actors)):
        names = GROUPS[group]
        most = max(counts.get(name, 0) for name in names if name not in UNBARRED)
        for name in names:
            count = counts.get(name, 0)
            fields[f"{group}.{name}"] = words.number(count)
            if name not in UNBARRED:
                bars[f"{group}.{name}"] = round(100 * count / most, 1) if most else 0.0
    for name in GROUPS["health"]:
        health = snapshot.health.get(name)
        fields[f"health.{name}"] = words(f"health-{'ok' if health and health.ok else 'bad'}")
        fields[f"health.{name}.detail"] = health.detail if health else ""
    return StatusView(
        level=verdict.level,
        headline=words(f"verdict-{verdict.level}"),
        causes=tuple(_cause(cause, words) for cause in verdict.causes)
        or (_activity(fields, words),),
        fields=fields,
        tones=_tones(snapshot),
        bars=bars,
    )


def unknown(words: Words) -> StatusView:
    """What to show when no picture can be taken: what was known stays, but is not trusted."""
    return StatusView(
        level=Level.DOWN,
        headline=words("verdict-down"),
        causes=(words("trouble-unknown"),),
        fields={},
        tones={},
        bars={},
    )


def _numbers(snapshot: StatusSnapshot, words: Words) -> dict[str, str]:
    counts = {
        "sent": snapshot.sent,
        "outbox": snapshot.outbox_waiting,
        "in-flight": snapshot.in_flight,
        "retries": snapshot.retries,
        "too-many": snapshot.pauses_429,
        "doubles": snapshot.possible_doubles,
        "undeliverable": snapshot.undeliverable,
        "handled": snapshot.messages_handled,
        "turns": snapshot.turns,
        "commits": snapshot.commits,
        "mailbox": snapshot.mailbox_depth_max,
        "window": snapshot.window_messages,
        "dead-letters": snapshot.dead_letters,
        "crashes": snapshot.crashes,
        "transients": snapshot.transients,
        "fenced": snapshot.fenced,
        "stored": snapshot.updates_stored,
        "duplicates": snapshot.updates_duplicate,
        "ignored": snapshot.updates_ignored,
        "refused": snapshot.updates_refused,
        "actors": sum(snapshot.actors.values()),
        "tickets": sum(snapshot.tickets.get(name, 0) for name in ("NEW", "WORK")),
    }
    last = snapshot.last_message_at
    ago = None if last is None else words.duration((snapshot.now - last).total_seconds())
    has_waiting = snapshot.outbox_waiting + snapshot.outbox_sending > 0
    up = words.duration((snapshot.now - snapshot.started_at).total_seconds())
    return {name: words.number(count) for name, count in counts.items()} | {
        "rate": words.rate(snapshot.messages_per_s),
        "last": NOTHING if ago is None else words("ago", duration=ago),
        "oldest": words.duration(snapshot.outbox_oldest_s) if has_waiting else NOTHING,
        "paused": words("paused", duration=words.duration(snapshot.paused_s)),
        "node": words("node", name=snapshot.node),
        "version": words("version", version=snapshot.version),
        "uptime": words("uptime", duration=up),
        "mode": words("mode-webhook" if snapshot.mode == "webhook" else "mode-polling"),
    }


def _tones(snapshot: StatusSnapshot) -> dict[str, Tone]:
    tones = {
        name: Tone.WARN if count else Tone.QUIET
        for name, count in (
            ("too-many", snapshot.pauses_429),
            ("doubles", snapshot.possible_doubles),
            ("undeliverable", snapshot.undeliverable),
            ("dead-letters", snapshot.dead_letters),
            ("crashes", snapshot.crashes),
            ("actors.quarantined", snapshot.actors.get("quarantined", 0)),
            ("actors.backing_off", snapshot.actors.get("backing_off", 0)),
            ("oldest", snapshot.outbox_oldest_s > OUTBOX_LATE_S),
        )
    }
    for name in GROUPS["health"]:
        health = snapshot.health.get(name)
        bad = Tone.BAD if name == "postgres" else Tone.WARN
        tones[f"health.{name}"] = Tone.GOOD if health and health.ok else bad
    return tones


def _cause(cause: Cause, words: Words) -> str:
    match cause.code:
        case "outbox_late":
            return words("trouble-outbox", duration=words.duration(float(cause.detail)))
        case "quarantined":
            return words("trouble-quarantined", n=cause.detail)
        case "not_ready":
            return words("trouble-not-ready", detail=cause.detail)
        case _:
            return words(f"trouble-{cause.code}")


def _activity(fields: Mapping[str, str], words: Words) -> str:
    if fields["last"] == NOTHING:
        return words("activity-none")
    return words("activity", ago=fields["last"])
