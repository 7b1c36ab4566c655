"""``topicdesk bench delivery flood``: what one who floods costs the others.

Quiet clients and the staff write now and then, in turn without and with a client who floods the
same group, under Telegram's limits. Times are the local Telegram's.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import anyio

from lab.bench_crowd import (
    RULES,
    UVLOOP,
    arrive,
    end,
    gather,
    pace,
    private_messages,
    say,
    threads_of,
)
from lab.bench_judge import judge, token
from lab.bench_stage import percentile, running
from lab.telegram.client import LabClient
from lab.telegram.scene import MAIN_GROUP_ID, MARIA_ID

ANSWERS = 120
"""Of the staff in a window, two a second: far below what Telegram allows a bot."""

type Sent = dict[tuple[int, int], float]
"""When each message came to be, by client and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodReport:
    """Waits of others' messages in seconds, alone and beside floods, all rounds together.

    ``quiet_messages`` are quiet clients', to the group that the flood goes to; ``answers`` are the
    staff's to these clients: so many alone, and as many beside floods. ``p99_ratio`` and
    ``answers_p99_ratio`` are the p99 beside floods by the one alone. ``flood`` messages are of each
    flood; ``flood_last_s`` is the longest wait of any of them.
    """

    scale: float
    latency_ms: float
    rounds: int
    quiet_clients: int
    quiet_messages: int
    answers: int
    flood: int
    lost: int
    doubled: int
    out_of_order: int
    alone_p50_s: float
    alone_p99_s: float
    beside_p50_s: float
    beside_p99_s: float
    p99_ratio: float
    answers_alone_p99_s: float
    answers_beside_p99_s: float
    answers_p99_ratio: float
    flood_last_s: float
    flood_calls: int
    refused_429: int

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order)


def flood(
    *,
    clients: int,
    flood: int,
    scale: float,
    latency_ms: float,
    rounds: int,
    runs: int,
    json_file: Path | None,
) -> int:
    """Quiet clients and the staff alone, then beside a flood, ``rounds`` times in turn."""
    reports = [
        anyio.run(_flood, clients, flood, scale, latency_ms, rounds, backend_options=UVLOOP)
        for _ in range(runs)
    ]
    return end(f"a flood of {flood} under limits x {scale:g}", reports, json_file)


async def _flood(
    clients: int, flood: int, scale: float, latency_ms: float, rounds: int
) -> FloodReport:
    """Quiet clients use half of the group's budget, the staff answer them; then the same again."""
    alone, beside = Talk(), Talk()
    flooded: Sent = {}
    async with running(**pace(scale)) as stage:
        lab = stage.lab
        await lab.set_limits(enabled=True, scale=scale)
        if latency_ms:
            await lab.add_fault("slow", seconds=latency_ms / 1000)
        *people, loud = await gather(lab, clients + 1)
        opened = await say(lab, [(who, 0) for who in (*people, loud)])
        await arrive(lab, set(opened))
        quiet = Quiet(lab, await threads_of(lab, people), int(RULES.group_max * scale / 2))
        for _ in range(rounds):
            await arrive(lab, {*opened, *alone.written, *beside.written, *flooded})
            await anyio.sleep(RULES.group_window_s + 2)  # the budget is whole again
            await quiet.talk(alone)
            async with anyio.create_task_group() as group:
                group.start_soon(_pour, lab, loud, flood, flooded)
                await quiet.talk(beside)
        sent = {**opened, **alone.written, **beside.written, **flooded}
        arrived = await arrive(lab, set(sent))
        in_private = await private_messages(lab, people)
        refused = int((await lab.stats())["limited"])
    to_group = judge(sent, arrived)
    to_clients = judge({**alone.answered, **beside.answered}, in_private)
    waits, answers = to_group.waits, to_clients.waits
    in_flood = [m for m in arrived if any(token(*key) in (m["text"] or "") for key in flooded)]
    p99 = [_percentile(waits, talk.written, 0.99) for talk in (alone, beside)]
    answers_p99 = [_percentile(answers, talk.answered, 0.99) for talk in (alone, beside)]
    return FloodReport(
        scale=scale,
        latency_ms=latency_ms,
        rounds=rounds,
        quiet_clients=clients,
        quiet_messages=len(beside.written),
        answers=len(beside.answered),
        flood=flood,
        lost=to_group.lost + to_clients.lost,
        doubled=to_group.doubled + to_clients.doubled,
        out_of_order=to_group.out_of_order + to_clients.out_of_order,
        alone_p50_s=round(_percentile(waits, alone.written, 0.5), 3),
        alone_p99_s=round(p99[0], 3),
        beside_p50_s=round(_percentile(waits, beside.written, 0.5), 3),
        beside_p99_s=round(p99[1], 3),
        p99_ratio=_ratio(*p99),
        answers_alone_p99_s=round(answers_p99[0], 3),
        answers_beside_p99_s=round(answers_p99[1], 3),
        answers_p99_ratio=_ratio(*answers_p99),
        flood_last_s=round(_percentile(waits, flooded, 1), 2),
        flood_calls=len(in_flood),
        refused_429=refused,
    )


def _percentile(waits: Mapping[tuple[int, int], float], keys: Sent, part: float) -> float:
    return percentile((waits[key] for key in keys if key in waits), part)


def _ratio(alone_s: float, beside_s: float) -> float:
    return round(beside_s / alone_s, 3) if alone_s else 0.0


@dataclass(frozen=True, slots=True)
class Talk:
    """What quiet clients wrote, and what they were answered."""

    written: Sent = field(default_factory=dict)
    answered: Sent = field(default_factory=dict)


class Quiet:
    """Clients who write ``per_window`` messages in a window, all together, and staff who answer."""

    def __init__(self, lab: LabClient, threads: Mapping[int, int], per_window: int) -> None:
        self._lab = lab
        self._threads = threads
        self._per_window = per_window
        self._turns = _turns(threads)
        self._answers = _turns(threads)
        self._dice = Random(7)

    async def talk(self, talk: Talk) -> None:
        """For a window."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._evenly, self._per_window, self._write, talk.written)
            group.start_soon(self._evenly, ANSWERS, self._answer, talk.answered)

    async def _evenly(self, messages: int, send: Callable[[], Awaitable[Sent]], sent: Sent) -> None:
        """One message in each equal part of a window, at an instant of it that is drawn.

        So people keep step neither with each other nor with a flood.
        """
        begun, part_s = time.monotonic(), RULES.group_window_s / messages
        for number in range(messages):
            await _until(begun + (number + self._dice.random()) * part_s)
            sent |= await send()
        await _until(begun + RULES.group_window_s)

    async def _write(self) -> Sent:
        return await say(self._lab, [next(self._turns)])

    async def _answer(self) -> Sent:
        who, number = next(self._answers)
        thread, text = self._threads[who], token(who, number)
        message = await self._lab.send(MARIA_ID, MAIN_GROUP_ID, text, thread=thread)
        return {(who, number): message["at"]}


def _turns(people: Collection[int]) -> Iterator[tuple[int, int]]:
    """One after another, each with a number that grows."""
    return ((who, number) for number in count(1) for who in people)


async def _until(at: float) -> None:
    await anyio.sleep(max(0.0, at - time.monotonic()))


async def _pour(lab: LabClient, who: int, number: int, sent: Sent) -> None:
    """A flood in ten handfuls, a second apart, as somebody pastes."""
    first, handful = 1 + len(sent), max(1, number // 10)
    for start in range(first, first + number, handful):
        numbers = range(start, min(start + handful, first + number))
        sent |= await say(lab, [(who, each) for each in numbers])
        await anyio.sleep(1)
