"""A desk as the API describes it: three nodes, some trouble, plausible numbers."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from web.shapes import (
    BotShape,
    ChatBudget,
    Crash,
    DeadFilter,
    DeadLetter,
    DeadLetters,
    DeliveryShape,
    Health,
    History,
    LaneLine,
    Level,
    LogLine,
    Loop,
    Mailboxes,
    MessageStep,
    NodeShape,
    Outbox,
    Overview,
    OwnerPeriod,
    Ownership,
    Quantiles,
    Restarts,
    SentStep,
    Services,
    TicketDetail,
    TicketFilter,
    TicketLine,
    Tickets,
    Timer,
    Timings,
    Traffic,
    Tree,
    TreeNode,
    UnsentLane,
    Used,
    Webhook,
)

STARTED_AT: Final = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
TICKETS: Final = 57
TRACE: Final = """Traceback (most recent call last):
  File "actors/workflows/support.py", line 88, in decide
    raise KeyError("technician 7")
KeyError: 'technician 7'
"""


def now() -> datetime:
    return datetime.now(UTC)


def _ago(**span: float) -> datetime:
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
        last_handled_at=_ago(seconds=3),
        last_sent_at=_ago(seconds=2),
        updates_stored=30_400,
        updates_duplicate=12,
        updates_ignored=801,
        updates_refused=3,
        last_update_at=_ago(seconds=3),
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


def _line(number: int) -> TicketLine:
    waiting = number % 5
    return TicketLine(
        id=number,
        status=("NEW", "WORK", "WORK", "CLOSED")[number % 4],
        state="quarantined" if number % 19 == 0 else "queued" if waiting else "idle",
        client_name=f"Иван Петров {number}",
        technician="alice" if number % 2 else None,
        node=f"desk-{1 + number % 3}",
        created_at=STARTED_AT + timedelta(minutes=number),
        closed_at=now() if number % 4 == 3 else None,
        waiting=waiting,
        wait_s=waiting * 12.5,
        unsent=number % 3,
        crashes=number % 7 // 5,
        dead_letters=int(number % 19 == 0),
        quarantined="3 dead letters in a short time" if number % 19 == 0 else None,
    )


def _matches(line: TicketLine, wanted: TicketFilter) -> bool:
    states = {
        "": True,
        "waiting": line.waiting > 0,
        "unsent": line.unsent > 0,
        "quarantined": line.quarantined is not None,
        "dead_letters": line.dead_letters > 0,
        "crashed": line.crashes > 0,
    }
    is_open = wanted.status == "open" and line.status != "CLOSED"
    in_status = is_open or wanted.status in {"", line.status}
    return in_status and states[wanted.state] and wanted.query.lower() in line.client_name.lower()


def tickets(wanted: TicketFilter) -> Tickets:
    lines = [line for line in map(_line, range(1, TICKETS + 1)) if _matches(line, wanted)]
    ways = {
        "wait": lambda line: -line.wait_s,
        "depth": lambda line: -line.waiting,
        "restarts": lambda line: -line.crashes - line.dead_letters,
        "newest": lambda line: -line.id,
    }
    lines.sort(key=ways[wanted.sort])
    return Tickets(
        taken_at=now(),
        total=len(lines),
        by_status={
            status: sum(line.status == status for line in lines)
            for status in ("NEW", "WORK", "CLOSED")
        },
        by_state={
            "waiting": sum(line.waiting > 0 for line in lines),
            "unsent": sum(line.unsent > 0 for line in lines),
            "quarantined": sum(line.quarantined is not None for line in lines),
            "dead_letters": sum(line.dead_letters for line in lines),
            "crashed": sum(line.crashes > 0 for line in lines),
        },
        tickets=tuple(lines[: wanted.limit]),
    )


def _step(seq: int, *, done: bool) -> MessageStep:
    at = _ago(minutes=30 - seq)
    sent = SentStep(
        outbox_id=900 + seq,
        kind="Copy",
        lane="main:7",
        state="sent" if done else "waiting",
        decided_at=at + timedelta(milliseconds=9),
        sent_at=at + timedelta(milliseconds=31) if done else None,
        confirmed_at=at + timedelta(milliseconds=95) if done else None,
        attempts=int(done),
        message_id=5000 + seq if done else None,
        error=None,
    )
    return MessageStep(
        seq=seq,
        key=f"update:{88_000 + seq}",
        kind="ClientWrote",
        from_client=True,
        received_at=at,
        handled_at=at + timedelta(milliseconds=6),
        committed_at=at + timedelta(milliseconds=9),
        owner="desk-1/4f1a",
        epoch=3,
        attempts=0,
        events=("said",),
        sent=(sent,),
    )


def ticket(number: int) -> TicketDetail:
    line = _line(number)
    return TicketDetail(
        taken_at=now(),
        ticket=line,
        workflow="support",
        client_id=501,
        client_username="ivan",
        former_ticket_id=None,
        main_chat_id=-1001234567890,
        main_thread_id=77,
        owner="desk-1/4f1a",
        owner_status="up",
        epoch=3,
        version=12,
        handled_seq=8,
        last_seq=8 + line.waiting,
        steps=tuple(_step(seq, done=seq < 8) for seq in range(1, 9)),
        crashes=(
            Crash(
                at=_ago(minutes=9),
                node="desk-2",
                seq=6,
                error="KeyError('technician 7')",
                trace=TRACE,
            ),
        ),
        dead_letters=(_dead(3),),
        unsent=(
            UnsentLane(
                lane=f"main:{number}",
                unsent=2,
                oldest_at=_ago(seconds=14),
                attempts=1,
                not_before=now() + timedelta(seconds=11),
                first="Copy",
                error="Too Many Requests: retry after 12",
            ),
        ),
        timers=(Timer(name="absence", due_at=now() + timedelta(hours=3)),),
        owners=(
            OwnerPeriod(
                owner="desk-1/4f1a",
                epoch=3,
                first_at=_ago(minutes=20),
                last_at=_ago(minutes=2),
                handled=5,
                is_present=True,
            ),
            OwnerPeriod(
                owner="desk-2/11c0",
                epoch=2,
                first_at=_ago(minutes=29),
                last_at=_ago(minutes=22),
                handled=3,
                is_present=False,
            ),
        ),
        log=(
            LogLine(at=_ago(minutes=29), seq=1, actor="CLIENT", action="said", payload={}),
            LogLine(
                at=_ago(minutes=5),
                seq=8,
                actor="SYSTEM",
                action="operator_poked",
                payload={"by": "olga", "owner": "desk-1/4f1a"},
            ),
        ),
        snapshot={"status": line.status, "client": {"id": 501, "name": line.client_name}},
    )


def delivery(picture: Overview) -> DeliveryShape:
    return DeliveryShape(
        taken_at=now(),
        outbox=picture.outbox,
        lanes=tuple(
            LaneLine(
                lane=f"main:{number}",
                ticket_id=number,
                chat_id=-1001234567890,
                unsent=number,
                oldest_s=60.0 / number,
                attempts=number % 2,
                first="Copy",
                error=None,
                not_before=None,
            )
            for number in range(1, 6)
        ),
        budgets=picture.budgets,
        bot=picture.bot,
        bots=(
            BotShape(
                id=7000,
                username="desk_bot",
                is_main=True,
                calls=91_050,
                too_many=4,
                failed=3,
                latency_s=0.061,
            ),
        ),
        calls={"SendMessage": 60_100, "CopyMessage": 30_000, "EditForumTopic": 950},
        sent=91_002,
        joined=120,
        superseded=44,
        recovered=1,
        topics_lost=0,
        paused_s=61.0,
    )


def _dead(number: int) -> DeadLetter:
    return DeadLetter(
        id=number,
        ticket_id=19 * number if number < 3 else None,
        seq=number if number < 3 else None,
        kind="ClientWrote" if number < 3 else None,
        error=TRACE,
        attempts=5,
        created_at=_ago(hours=number),
    )


def dead_letters(wanted: DeadFilter) -> DeadLetters:
    letters = [
        letter
        for letter in map(_dead, (3, 2, 1))
        if wanted.ticket in {None, letter.ticket_id} and wanted.query in letter.error
    ]
    return DeadLetters(taken_at=now(), total=len(letters), letters=tuple(letters[: wanted.limit]))


def _branch(name: str, kind: str, *children: TreeNode, ticket: int | None = None) -> TreeNode:
    return TreeNode(
        name=name,
        kind=kind,
        state="running",
        detail={"count": 3},
        ticket_id=ticket,
        children=children,
    )


def tree() -> Tree:
    roots = tuple(
        _branch(
            f"desk-{number}",
            "node",
            _branch(
                "runtime",
                "supervisor",
                _branch("workers", "service"),
                _branch("actors", "actors", _branch("19", "actor", ticket=19)),
            ),
            _branch("delivery", "service"),
            _branch("web", "service"),
        )
        for number in (1, 2, 3)
    )
    return Tree(taken_at=now(), roots=roots)


COLUMNS: Final = (
    *("handled", "sent", "updates", "open_tickets", "actors", "mail_waiting", "outbox_waiting"),
    *("outbox_oldest_s", "queue_wait_p95_s", "turn_p95_s", "commit_p99_s", "too_many", "paused_s"),
    *("crashes", "dead_letters", "lag_max_s", "memory_bytes", "nodes"),
)


def history(span: str) -> History:
    step_s, count = (60, 60) if span == "hour" else (600, 144)
    end = int(now().timestamp()) // step_s * step_s
    return History(
        span=span,
        step_s=step_s,
        at=tuple(end - step_s * (count - i) for i in range(count)),
        columns={
            name: tuple(
                None if i < 8 else round(5 + n + 4 * math.sin((i + n) / 7), 3) for i in range(count)
            )
            for n, name in enumerate(COLUMNS)
        },
    )
