"""A desk at one moment, as the API describes it: three nodes, plausible numbers."""

from datetime import UTC, datetime, timedelta
from typing import Final

from web.shapes import (
    ChatBudget,
    Health,
    Level,
    Loop,
    Mailboxes,
    NodeShape,
    Outbox,
    Overview,
    Ownership,
    Quantiles,
    Restarts,
    Services,
    Timings,
    Traffic,
    Used,
    Webhook,
)

STARTED_AT: Final = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def _quantiles(p50_s: float) -> Quantiles:
    return Quantiles(
        count=384, p50_s=p50_s, p95_s=p50_s * 4, p99_s=p50_s * 9, max_s=round(p50_s * 14, 4)
    )


def _well(latency_s: float) -> Health:
    return Health(ok=True, latency_s=latency_s, detail="")


def node(name: str, number: int) -> NodeShape:
    return NodeShape(
        name=name,
        run=f"{name}/4f{number}a",
        incarnation=f"4f{number}a",
        status="up",
        state="serving",
        is_self=number == 1,
        started_at=STARTED_AT,
        beat_age_s=0.4 * number,
        snapshot_age_s=0.2 * number,
        roles=("desk", "polling") if number == 1 else (),
        version="0.1.0",
        owned=18 + number,
        actors={"idle": 15 + number, "queued": 2, "running": 1},
        messages_per_s=2.1 * number,
        handled=16_070 * number,
        lag_s=0.002 * number,
        memory_bytes=148_000_000 + number,
        cpu_share=0.05 * number,
        fenced=0,
        crashes=0,
    )


def budget(chat_id: int, name: str, used: int, limit: int = 20) -> ChatBudget:
    return ChatBudget(
        chat_id=chat_id,
        name=name,
        used=used,
        limit=limit,
        window_s=61.0 if chat_id else 1.0,
        closed_for_s=12.0 if used >= limit else 0.0,
        lost_s=61.0 if used >= limit else 0.0,
        too_many=4 if used >= limit else 0,
    )


def traffic(handled: int = 48_210) -> Traffic:
    return Traffic(
        messages_per_s=6.4,
        sent_per_s=9.8,
        handled=handled,
        turns=30_120,
        sent=91_002,
        last_handled_at=ago(seconds=3),
        last_sent_at=ago(seconds=2),
        updates_stored=30_400,
        updates_duplicate=12,
        updates_ignored=801,
        updates_refused=3,
        last_update_at=ago(seconds=3),
    )


def overview() -> Overview:
    return Overview(
        state=Level.WELL,
        causes=(),
        taken_at=now(),
        node="desk-1",
        version="0.1.0",
        started_at=STARTED_AT,
        is_complete=True,
        is_ready=True,
        reasons=(),
        stored_age_s=0.3,
        closed_age_s=0.3,
        tickets={"NEW": 3, "WORK": 54, "CLOSED": 1240},
        actors={
            "idle": 51,
            "queued": 3,
            "running": 2,
            "backing_off": 1,
            "quarantined": 0,
            "draining": 0,
        },
        nodes=tuple(node(f"desk-{number}", number) for number in (1, 2, 3)),
        traffic=traffic(),
        timings=Timings(
            queue_wait=_quantiles(0.004),
            turn=_quantiles(0.003),
            commit=_quantiles(0.002),
            delivery=_quantiles(0.045),
        ),
        mailboxes=Mailboxes(
            depth_max=4,
            depth_limit=64,
            window=Used(used=9, limit=150_000),
            waiting=7,
            oldest_s=0.8,
        ),
        outbox=Outbox(
            waiting=7,
            sending=2,
            oldest_s=4.0,
            undeliverable=2,
            in_flight=Used(used=2, limit=300),
            lanes=5,
            retries=5,
            possible_doubles=1,
        ),
        budgets=(
            budget(-1001234567890, "main", 14),
            budget(-1001234567891, "alice", 20),
            budget(-1001234567892, "bob", 2),
        ),
        bot=budget(0, "bot", 9, 30),
        restarts=Restarts(
            used=1, limit=3, window_s=60.0, crashes=2, backing_off=1, is_circuit_open=False
        ),
        dead_letters=1,
        quarantined=0,
        ownership=Ownership(owned=57, claims=71, fenced=0, declared_dead=0),
        loop=Loop(
            lag_s=0.002,
            lag_max_s=0.031,
            gc_pauses=12,
            gc_pause_last_s=0.004,
            gc_pause_max_s=0.009,
            memory_bytes=444_000_000,
            cpu_share=0.12,
        ),
        health=Services(postgres=_well(0.0012), redis=_well(0.0004), telegram=_well(0.061)),
        webhook=Webhook(mode="webhook", lag_s=1.0, pending=0, error="", error_at=None),
    )
