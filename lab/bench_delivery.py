"""``topicdesk bench delivery flood`` and ``storm``: how delivery shares limits and bears faults.

``flood``: quiet clients write now and then, without and with a client who floods. ``storm``: no
limits, but calls fail in every way. Times are the local Telegram's. ``limited`` has a module of
its own.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from lab.bench_crowd import RULES, UVLOOP, all_calls, arrive, end, gather, pace, say
from lab.bench_judge import judge, token
from lab.bench_stage import percentile, running
from lab.telegram.client import LabClient


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodReport:
    """Waits of quiet clients' messages in seconds, alone and beside a flood."""

    scale: float
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


def flood(*, clients: int, flood: int, scale: float, runs: int, json_file: Path | None) -> int:
    """Quiet clients alone, then beside a flood."""
    reports = [
        anyio.run(_flood, clients, flood, scale, backend_options=UVLOOP) for _ in range(runs)
    ]
    return end(f"a flood of {flood} under limits x {scale:g}", reports, json_file)


def storm(*, clients: int, messages: int, runs: int, json_file: Path | None) -> int:
    """Faults of every kind."""
    reports = [anyio.run(_storm, clients, messages, backend_options=UVLOOP) for _ in range(runs)]
    return end("a storm of faults", reports, json_file)


# --- flood ----------------------------------------------------------------------------------


async def _flood(clients: int, flood: int, scale: float) -> FloodReport:
    """Quiet clients use half of the group's budget; the same again beside a flood."""
    window_s = RULES.group_window_s
    async with running(**pace(scale)) as stage:
        lab = stage.lab
        await lab.set_limits(enabled=True, scale=scale)
        *quiet, loud = await gather(lab, clients + 1)
        opened = await say(lab, [(who, 0) for who in (*quiet, loud)])
        await arrive(lab, set(opened))
        await anyio.sleep(window_s + 2)
        gap_s = window_s * clients / (RULES.group_max * scale / 2)
        alone = await _quiet(lab, quiet, gap_s, start=1)
        await anyio.sleep(window_s + 2)
        async with anyio.create_task_group() as group:
            flooded: dict[tuple[int, int], float] = {}
            group.start_soon(_pour, lab, loud, flood, flooded)
            beside = await _quiet(lab, quiet, gap_s, start=1000)
        sent = {**opened, **alone, **beside, **flooded}
        arrived = await arrive(lab, set(sent))
        refused = int((await lab.stats())["limited"])
    found = judge(sent, arrived)
    waits = found.waits
    in_flood = [m for m in arrived if any(token(*key) in (m["text"] or "") for key in flooded)]
    return FloodReport(
        scale=scale,
        quiet_clients=clients,
        quiet_messages=len(beside),
        flood=flood,
        lost=found.lost,
        doubled=found.doubled,
        out_of_order=found.out_of_order,
        alone_p50_s=round(percentile(_of(waits, alone), 0.5), 3),
        alone_p99_s=round(percentile(_of(waits, alone), 0.99), 3),
        beside_p50_s=round(percentile(_of(waits, beside), 0.5), 3),
        beside_p99_s=round(percentile(_of(waits, beside), 0.99), 3),
        flood_last_s=round(max(_of(waits, flooded), default=0.0), 2),
        flood_calls=len(in_flood),
        refused_429=refused,
    )


def _of(
    waits: Mapping[tuple[int, int], float], keys: Mapping[tuple[int, int], float]
) -> list[float]:
    return [waits[key] for key in keys if key in waits]


async def _quiet(
    lab: LabClient, people: Sequence[int], gap_s: float, *, start: int
) -> dict[tuple[int, int], float]:
    """For a window, each writes once in each gap, evenly spread."""
    sent: dict[tuple[int, int], float] = {}
    begun = time.monotonic()
    step_s = gap_s / len(people)
    for turn in range(int(RULES.group_window_s / step_s)):
        await anyio.sleep(max(0.0, begun + turn * step_s - time.monotonic()))
        who, number = people[turn % len(people)], start + turn // len(people)
        sent |= await say(lab, [(who, number)])
    return sent


async def _pour(lab: LabClient, who: int, count: int, sent: dict[tuple[int, int], float]) -> None:
    """A flood in ten handfuls, a second apart, as somebody pastes."""
    handful = max(1, count // 10)
    for first in range(0, count, handful):
        numbers = range(10_000 + first, 10_000 + min(count, first + handful))
        sent |= await say(lab, [(who, number) for number in numbers])
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
