"""``topicdesk bench delivery flood`` and ``storm``: how delivery shares limits and bears faults.

``flood``: quiet clients write now and then, without and with a client who floods. ``storm``: no
limits, but calls fail in every way. Times are the local Telegram's. ``limited`` has a module of
its own.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from random import Random

import anyio

from lab.bench_crowd import RULES, UVLOOP, all_calls, arrive, end, gather, pace, say
from lab.bench_judge import judge, token
from lab.bench_stage import percentile, running
from lab.telegram.client import LabClient


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodReport:
    """Waits of quiet clients' messages in seconds, alone and beside floods, all rounds together.

    ``quiet_messages`` were said alone, and as many beside floods; ``flood`` messages are of each.
    ``flood_last_s`` is the longest wait of any of the flood's.
    """

    scale: float
    rounds: int
    quiet_clients: int
    quiet_messages: int
    flood: int
    lost: int
    doubled: int
    out_of_order: int
    alone_p50_s: float
    alone_p99_s: float
    beside_p50_s: float
    beside_p99_s: float
    p99_ratio: float
    flood_last_s: float
    flood_calls: int
    refused_429: int

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order)


@dataclass(frozen=True, slots=True, kw_only=True)
class StormReport:
    """``uncertain_calls`` may have taken effect without an answer; ``doubled`` are messages."""

    clients: int
    messages: int
    lost: int
    doubled: int
    out_of_order: int
    uncertain_calls: int
    faults: dict[str, int]
    calls: int
    seconds: float

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.out_of_order) and self.doubled <= self.uncertain_calls


def flood(
    *, clients: int, flood: int, scale: float, rounds: int, runs: int, json_file: Path | None
) -> int:
    """Quiet clients alone, then beside a flood, ``rounds`` times in turn."""
    reports = [
        anyio.run(_flood, clients, flood, scale, rounds, backend_options=UVLOOP)
        for _ in range(runs)
    ]
    return end(f"a flood of {flood} under limits x {scale:g}", reports, json_file)


def storm(*, clients: int, messages: int, runs: int, json_file: Path | None) -> int:
    """Faults of every kind."""
    reports = [anyio.run(_storm, clients, messages, backend_options=UVLOOP) for _ in range(runs)]
    return end("a storm of faults", reports, json_file)


# --- flood ----------------------------------------------------------------------------------


async def _flood(clients: int, flood: int, scale: float, rounds: int) -> FloodReport:
    """Quiet clients use half of the group's budget all the time, a window without a flood first."""
    window_s = RULES.group_window_s
    alone: dict[tuple[int, int], float] = {}
    beside: dict[tuple[int, int], float] = {}
    flooded: dict[tuple[int, int], float] = {}
    async with running(**pace(scale)) as stage:
        lab = stage.lab
        await lab.set_limits(enabled=True, scale=scale)
        *quiet, loud = await gather(lab, clients + 1)
        sent = await say(lab, [(who, 0) for who in (*quiet, loud)])
        turns = ((who, number) for number in count(1) for who in quiet)
        talk = partial(_quiet, lab, turns, int(RULES.group_max * scale / 2), Random(7))
        for _ in range(rounds):
            await arrive(lab, set(sent))
            await anyio.sleep(window_s + 2)  # the budget is whole again
            alone |= await talk()
            async with anyio.create_task_group() as group:
                group.start_soon(_pour, lab, loud, flood, flooded)
                beside |= await talk()
            sent |= alone | beside | flooded
        arrived = await arrive(lab, set(sent))
        refused = int((await lab.stats())["limited"])
    found = judge(sent, arrived)
    waits = found.waits
    in_flood = [m for m in arrived if any(token(*key) in (m["text"] or "") for key in flooded)]
    alone_p99_s = percentile(_of(waits, alone), 0.99)
    beside_p99_s = percentile(_of(waits, beside), 0.99)
    return FloodReport(
        scale=scale,
        rounds=rounds,
        quiet_clients=clients,
        quiet_messages=len(beside),
        flood=flood,
        lost=found.lost,
        doubled=found.doubled,
        out_of_order=found.out_of_order,
        alone_p50_s=round(percentile(_of(waits, alone), 0.5), 3),
        alone_p99_s=round(alone_p99_s, 3),
        beside_p50_s=round(percentile(_of(waits, beside), 0.5), 3),
        beside_p99_s=round(beside_p99_s, 3),
        p99_ratio=round(beside_p99_s / alone_p99_s, 3) if alone_p99_s else 0.0,
        flood_last_s=round(max(_of(waits, flooded), default=0.0), 2),
        flood_calls=len(in_flood),
        refused_429=refused,
    )


def _of(
    waits: Mapping[tuple[int, int], float], keys: Mapping[tuple[int, int], float]
) -> list[float]:
    return [waits[key] for key in keys if key in waits]


async def _quiet(
    lab: LabClient, turns: Iterator[tuple[int, int]], messages: int, dice: Random
) -> dict[tuple[int, int], float]:
    """For a window, one message in each equal part of it.

    At an instant of that part that is drawn: people keep step neither with each other nor with a
    flood.
    """
    sent: dict[tuple[int, int], float] = {}
    begun, part_s = time.monotonic(), RULES.group_window_s / messages
    for number, turn in enumerate(islice(turns, messages)):
        await _until(begun + (number + dice.random()) * part_s)
        sent |= await say(lab, [turn])
    await _until(begun + RULES.group_window_s)
    return sent


async def _until(at: float) -> None:
    await anyio.sleep(max(0.0, at - time.monotonic()))


async def _pour(lab: LabClient, who: int, number: int, sent: dict[tuple[int, int], float]) -> None:
    """A flood in ten handfuls, a second apart, as somebody pastes."""
    first, handful = 1 + len(sent), max(1, number // 10)
    for start in range(first, first + number, handful):
        numbers = range(start, min(start + handful, first + number))
        sent |= await say(lab, [(who, each) for each in numbers])
        await anyio.sleep(1)


# --- storm ----------------------------------------------------------------------------------


async def _storm(clients: int, messages: int) -> StormReport:
    async with running() as stage:
        lab = stage.lab
        people = await gather(lab, clients)
        await _break(lab)
        sent = await say(lab, [(who, n) for n in range(messages) for who in people], mixed=True)
        arrived = await arrive(lab, set(sent))
        calls = await all_calls(lab)
    found = judge(sent, arrived)
    faults = Counter(call["fault"] for call in calls if call["fault"])
    cut = {"timeout_before", "timeout_after", "drop_before", "drop_after"}
    seconds = max(message["at"] for message in arrived) - min(sent.values())
    return StormReport(
        clients=clients,
        messages=len(sent),
        lost=found.lost,
        doubled=found.doubled,
        out_of_order=found.out_of_order,
        uncertain_calls=sum(count for kind, count in faults.items() if kind in cut),
        faults=dict(faults),
        calls=len(calls),
        seconds=round(seconds, 1),
    )


async def _break(lab: LabClient) -> None:
    """Of all calls that make or change something; rules are drawn one after the other."""
    for kind, part, more in (
        ("too_many_requests", 0.10, {"retry_after": 1}),
        ("server_error", 0.05, {}),
        ("timeout_after", 0.05, {"seconds": 0.5}),
        ("drop_before", 0.01, {}),
        ("drop_after", 0.01, {}),
    ):
        for method in ("copy*", "send*", "create*", "edit*"):
            await lab.add_fault(kind, method=method, probability=part, **more)
