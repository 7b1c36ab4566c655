"""``topicdesk bench delivery limited``: how well delivery uses Telegram's limits.

All clients write at once while the local Telegram keeps its limits, with helper bots or without.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from lab.bench_crowd import (
    LOOK_S,
    RULES,
    UVLOOP,
    all_calls,
    arrive,
    end,
    gather,
    pace,
    private_messages,
    say,
    threads_of,
)
from lab.bench_judge import joined_calls, judge, optimum_s, token
from lab.bench_stage import percentile, running
from lab.telegram.client import LabClient
from lab.telegram.limits import COUNTED
from lab.telegram.scene import MAIN_GROUP_ID, MARIA_ID

FIRST_HELPER_ID = 7_000_000_000

OPENING = 2
"""Calls that open a ticket, a topic and its card; helpers can make neither."""

JOINED_HEAD, JOINED_STAMP, JOINED_MOST = 40, 8, 4096
"""Of the optimum's joined messages, in UTF-16 units: a name, a time, Telegram's bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedReport:
    """Times in seconds; ``ratio`` is the time taken by the optimum's, a second of grace for both.

    ``optimum_s`` counts with the budgets of all bots. ``answers`` are the staff's, to clients,
    while the group's budget was spent.
    """

    scale: float
    clients: int
    messages: int
    lost: int
    doubled: int
    out_of_order: int
    helpers: int
    calls_in_group: int
    calls_of_helpers: int
    calls_of_the_optimum: int
    seconds: float
    optimum_s: float
    ratio: float
    refused_429: int
    p50_wait_s: float
    p99_wait_s: float
    answers: int
    answers_p99_s: float

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order)


def limited(
    *,
    clients: int,
    messages: int,
    scale: float,
    runs: int,
    json_file: Path | None,
    helpers: int = 0,
) -> int:
    """All clients write at once; prints medians, exits 0 when nothing was lost or disordered."""
    reports = [
        anyio.run(_limited, clients, messages, scale, helpers, backend_options=UVLOOP)
        for _ in range(runs)
    ]
    title = f"delivery under limits x {scale:g}"
    return end(f"{title}, {helpers} helpers" if helpers else title, reports, json_file)


async def _limited(clients: int, messages: int, scale: float, helpers: int) -> LimitedReport:
    tokens = [f"{FIRST_HELPER_ID + number}:bench" for number in range(helpers)]
    async with running(helpers=tokens, **pace(scale)) as stage:
        lab = stage.lab
        await lab.set_limits(enabled=True, scale=scale)
        people = await gather(lab, clients)
        sent = await say(lab, [(who, n) for n in range(messages) for who in people])
        answers: dict[tuple[int, int], float] = {}
        async with anyio.create_task_group() as group:
            group.start_soon(_answer, lab, people, answers)
            arrived = await arrive(lab, set(sent))
            group.cancel_scope.cancel()
        found = judge(sent, arrived)
        answered = judge(answers, await private_messages(lab, people))
        stats = await lab.stats()
        calls = Counter(
            call["bot_id"] >= FIRST_HELPER_ID
            for call in await all_calls(lab)
            if call["ok"]
            and str(call["chat_id"]) == str(MAIN_GROUP_ID)
            and call["method"].lower() in COUNTED
        )
    texts = [token(people[0], number) for number in range(messages)]
    least = clients * (
        OPENING + joined_calls(texts, head=JOINED_HEAD, stamp=JOINED_STAMP, most=JOINED_MOST)
    )
    best_s = _best_s(clients, least, int(RULES.group_max * scale), 1 + helpers)
    seconds = max((sent[key] + wait for key, wait in found.waits.items()), default=0.0)
    seconds -= min(sent.values())
    return LimitedReport(
        scale=scale,
        clients=clients,
        messages=len(sent),
        lost=found.lost,
        doubled=found.doubled,
        out_of_order=found.out_of_order,
        helpers=helpers,
        calls_in_group=calls.total(),
        calls_of_helpers=calls[True],
        calls_of_the_optimum=least,
        seconds=round(seconds, 2),
        optimum_s=best_s,
        ratio=round((seconds + 1) / (best_s + 1), 3),
        refused_429=int(stats["limited"]),
        p50_wait_s=round(percentile(found.waits.values(), 0.5), 2),
        p99_wait_s=round(percentile(found.waits.values(), 0.99), 2),
        answers=len(answers),
        answers_p99_s=round(percentile(answered.waits.values(), 0.99), 3),
    )


def _best_s(clients: int, calls: int, most: int, bots: int) -> float:
    """The least time for the calls: all bots' budgets are used, and topics are the main one's."""
    window_s = RULES.group_window_s
    together = optimum_s(calls, most * bots, window_s)
    return max(together, optimum_s(clients * OPENING, most, window_s))


async def _answer(
    lab: LabClient, people: Sequence[int], answers: dict[tuple[int, int], float]
) -> None:
    """The staff answer each client once, as soon as the client's topic is there."""
    waiting = set(people)
    while waiting:
        threads = await threads_of(lab, people)
        for who in sorted(waiting & threads.keys()):
            written = await lab.send(MARIA_ID, MAIN_GROUP_ID, token(who, 0), thread=threads[who])
            answers[who, 0] = written["at"]
            waiting.discard(who)
        await anyio.sleep(LOOK_S)
