"""What a desk has, as the API describes it: tickets, dead letters, lanes, a tree, a history."""

import math
from datetime import timedelta
from typing import Final

from tests.fakes.status_desk import STARTED_AT, ago, budget, node, now, overview, traffic
from web.shapes import (
    BotShape,
    Crash,
    DeadFilter,
    DeadLetter,
    DeadLetters,
    DeliveryShape,
    History,
    LaneLine,
    LogLine,
    MessageStep,
    Overview,
    OwnerPeriod,
    SentStep,
    TicketDetail,
    TicketFilter,
    TicketLine,
    Tickets,
    Timer,
    Tree,
    TreeNode,
    UnsentLane,
)

__all__ = [
    "STARTED_AT",
    "TICKETS",
    "TRACE",
    "budget",
    "dead_letters",
    "delivery",
    "history",
    "node",
    "overview",
    "ticket",
    "tickets",
    "traffic",
    "tree",
]

TICKETS: Final = 57
TRACE: Final = """Traceback (most recent call last):
  File "actors/workflows/support.py", line 88, in decide
    raise KeyError("technician 7")
KeyError: 'technician 7'
"""


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
    at = ago(minutes=30 - seq)
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
                at=ago(minutes=9),
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
                oldest_at=ago(seconds=14),
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
                first_at=ago(minutes=20),
                last_at=ago(minutes=2),
                handled=5,
                is_present=True,
            ),
            OwnerPeriod(
                owner="desk-2/11c0",
                epoch=2,
                first_at=ago(minutes=29),
                last_at=ago(minutes=22),
                handled=3,
                is_present=False,
            ),
        ),
        log=(
            LogLine(at=ago(minutes=29), seq=1, actor="CLIENT", action="said", payload={}),
            LogLine(
                at=ago(minutes=5),
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
        created_at=ago(hours=number),
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
