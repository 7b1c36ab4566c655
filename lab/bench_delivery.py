"""``topicdesk bench delivery``: how well delivery uses Telegram's limits, and bears its faults.

Three scenes. ``limited``: all clients write at once while the local Telegram keeps its limits.
``flood``: quiet clients write now and then, without and with a client who floods. ``storm``: no
limits, but calls fail in every way. Times are the local Telegram's.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio

from lab.bench_judge import joined_calls, judge, optimum_s, token
from lab.bench_stage import (
    FIRST_CLIENT_ID,
    medians,
    percentile,
    running,
    show,
    write,
)
from lab.telegram.client import LabClient, Object
from lab.telegram.limits import COUNTED, LimitRules
from lab.telegram.scene import MAIN_GROUP_ID, MARIA_ID

RULES = LimitRules()

LOOK_S = 0.5
"""Between two looks at how far it is; each costs the local Telegram some time."""

QUIET_S = 25.0
"""When nothing has arrived for this long beyond a window, what is missing counts as lost."""

PRIVATE_BURST = 3
"""The bot's own setting: below Telegram's, whose burst nobody has published."""

JOINED_HEAD, JOINED_STAMP, JOINED_MOST = 40, 8, 4096
"""Of the optimum's joined messages, in UTF-16 units: a name, a time, Telegram's bound."""


class _Report(Protocol):
    @property
    def is_clean(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedReport:
    """Times in seconds; ``ratio`` is the time taken by the optimum's, a second of grace for both.

    ``answers`` are the staff's, to clients, while the group's budget was spent.
    """

    scale: float
    clients: int
    messages: int
    lost: int
    doubled: int
    out_of_order: int
    calls_in_group: int
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


def limited(*, clients: int, messages: int, scale: float, runs: int, json_file: Path | None) -> int:
    """All clients write at once; prints medians, exits 0 when nothing was lost or disordered."""
    reports = [
        anyio.run(_limited, clients, messages, scale, backend_options=UVLOOP) for _ in range(runs)
    ]
    return _end(f"delivery under limits x {scale:g}", reports, json_file)


def flood(*, clients: int, flood: int, scale: float, runs: int, json_file: Path | None) -> int:
    """Quiet clients alone, then beside a flood."""
    reports = [
        anyio.run(_flood, clients, flood, scale, backend_options=UVLOOP) for _ in range(runs)
    ]
    return _end(f"a flood of {flood} under limits x {scale:g}", reports, json_file)


def storm(*, clients: int, messages: int, runs: int, json_file: Path | None) -> int:
    """Faults of every kind."""
    reports = [anyio.run(_storm, clients, messages, backend_options=UVLOOP) for _ in range(runs)]
    return _end("a storm of faults", reports, json_file)


UVLOOP = {"use_uvloop": True}


def _end(title: str, reports: Sequence[Any], json_file: Path | None) -> int:
    show(f"{title}, medians of {len(reports)}", medians(reports))
    write(json_file, title, reports)
    clean: Sequence[_Report] = reports
    return 0 if all(report.is_clean for report in clean) else 1


# --- limited --------------------------------------------------------------------------------


async def _limited(clients: int, messages: int, scale: float) -> LimitedReport:
    async with running(**_pace(scale)) as stage:
        lab = stage.lab
        await lab.set_limits(enabled=True, scale=scale)
        people = await _people(lab, clients)
        sent = await _write(lab, [(who, n) for n in range(messages) for who in people])
        answers: dict[tuple[int, int], float] = {}
        async with anyio.create_task_group() as group:
            group.start_soon(_answer, lab, people, answers)
            arrived = await _arrive(lab, set(sent))
            group.cancel_scope.cancel()
        found = judge(sent, arrived)
        private = [message for who in people for message in await lab.messages(who)]
        answered = judge(answers, [m for m in private if m["from"]["is_bot"]])
        stats = await lab.stats()
        calls = sum(
            call["ok"]
            and str(call["chat_id"]) == str(MAIN_GROUP_ID)
            and call["method"].lower() in COUNTED
            for call in await _all_calls(lab)
        )
    texts = [token(people[0], number) for number in range(messages)]
    least = clients * (
        2 + joined_calls(texts, head=JOINED_HEAD, stamp=JOINED_STAMP, most=JOINED_MOST)
    )
    most = int(RULES.group_max * scale)
    best_s = optimum_s(least, most, RULES.group_window_s)
    seconds = max((sent[key] + wait for key, wait in found.waits.items()), default=0.0)
    seconds -= min(sent.values())
    return LimitedReport(
        scale=scale,
        clients=clients,
        messages=len(sent),
        lost=found.lost,
        doubled=found.doubled,
        out_of_order=found.out_of_order,
        calls_in_group=calls,
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


async def _answer(
    lab: LabClient, people: Sequence[int], answers: dict[tuple[int, int], float]
) -> None:
    """The staff answer each client once, as soon as the client's topic is there."""
    waiting = set(people)
    while waiting:
        threads = await _threads(lab, people)
        for who in sorted(waiting & threads.keys()):
            written = await lab.send(MARIA_ID, MAIN_GROUP_ID, token(who, 0), thread=threads[who])
            answers[who, 0] = written["at"]
            waiting.discard(who)
        await anyio.sleep(LOOK_S)


async def _threads(lab: LabClient, people: Sequence[int]) -> dict[int, int]:
    """Each client's topic in the main group, found by its title."""
    world = await lab.world()
    [group] = [chat for chat in world["chats"] if chat["id"] == MAIN_GROUP_ID]
    names = {f"Client {who}": who for who in people}
    found = {}
    for topic in group["topics"]:
        for name, who in names.items():
            if topic["name"].endswith(name):
                found[who] = topic["thread_id"]
    return found


# --- flood ----------------------------------------------------------------------------------


async def _flood(clients: int, flood: int, scale: float) -> FloodReport:
    """Quiet clients use half of the group's budget; the same again beside a flood."""
    window_s = RULES.group_window_s
    async with running(**_pace(scale)) as stage:
        lab = stage.lab
        await lab.set_limits(enabled=True, scale=scale)
        *quiet, loud = await _people(lab, clients + 1)
        opened = await _write(lab, [(who, 0) for who in (*quiet, loud)])
        await _arrive(lab, set(opened))
        await anyio.sleep(window_s + 2)
        gap_s = window_s * clients / (RULES.group_max * scale / 2)
        alone = await _quiet(lab, quiet, gap_s, start=1)
        await anyio.sleep(window_s + 2)
        async with anyio.create_task_group() as group:
            flooded: dict[tuple[int, int], float] = {}
            group.start_soon(_pour, lab, loud, flood, flooded)
            beside = await _quiet(lab, quiet, gap_s, start=1000)
        sent = {**opened, **alone, **beside, **flooded}
        arrived = await _arrive(lab, set(sent))
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
        sent |= await _write(lab, [(who, number)])
    return sent


async def _pour(lab: LabClient, who: int, count: int, sent: dict[tuple[int, int], float]) -> None:
    """A flood in ten handfuls, a second apart, as somebody pastes."""
    handful = max(1, count // 10)
    for first in range(0, count, handful):
        numbers = range(10_000 + first, 10_000 + min(count, first + handful))
        sent |= await _write(lab, [(who, number) for number in numbers])
        await anyio.sleep(1)


# --- storm ----------------------------------------------------------------------------------


async def _storm(clients: int, messages: int) -> StormReport:
    async with running() as stage:
        lab = stage.lab
        people = await _people(lab, clients)
        await _break(lab)
        sent = await _write(lab, [(who, n) for n in range(messages) for who in people], mixed=True)
        arrived = await _arrive(lab, set(sent))
        calls = await _all_calls(lab)
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


# --- what they share ------------------------------------------------------------------------


def _pace(scale: float) -> dict[str, str]:
    """The bot's pace for limits of that scale."""
    return {
        "PACE_BOT_PER_S": f"{RULES.bot_per_s * scale:g}",
        "PACE_PRIVATE_PER_S": f"{RULES.private_per_s * scale:g}",
        "PACE_PRIVATE_BURST": f"{round(PRIVATE_BURST * scale)}",
        "PACE_GROUP_PER_MIN": f"{RULES.group_max * scale:g}",
    }


async def _people(lab: LabClient, count: int) -> list[int]:
    people = [FIRST_CLIENT_ID + number for number in range(count)]
    for who in people:
        await lab.add_user(f"Client {who}", id=who, is_client=True)
    return people


async def _write(
    lab: LabClient, messages: Sequence[tuple[int, int]], *, mixed: bool = False
) -> dict[tuple[int, int], float]:
    """Clients write at once; when each message came to be.

    ``mixed``: every other one is a photo, so that none are joined and each is a call of its own.
    """
    made = await lab.send_many(
        [
            {
                "user": who,
                "chat": who,
                "text": token(who, number),
                "kind": "photo" if mixed and number % 2 else "text",
            }
            for who, number in messages
        ]
    )
    return {key: message["at"] for key, message in zip(messages, made, strict=True)}


async def _arrive(lab: LabClient, expected: set[tuple[int, int]]) -> list[Object]:
    """The bot's messages in the main group, once all are there or no more come."""
    found: list[Object] = []
    missing = {token(*key) for key in expected}
    seen, moved_at = 0, time.monotonic()
    patience_s = RULES.group_window_s + QUIET_S
    while missing and time.monotonic() - moved_at < patience_s:
        fresh = await lab.messages(MAIN_GROUP_ID, after=seen)
        if fresh:
            seen, moved_at = max(message["message_id"] for message in fresh), time.monotonic()
            found += [message for message in fresh if message["from"]["is_bot"]]
            words = " ".join(message["text"] or "" for message in fresh)
            missing = {each for each in missing if each not in words}
        await anyio.sleep(LOOK_S)
    await anyio.sleep(2)  # whatever is doubled comes now
    late = await lab.messages(MAIN_GROUP_ID, after=seen)
    return found + [message for message in late if message["from"]["is_bot"]]


async def _all_calls(lab: LabClient) -> list[Object]:
    calls: list[Object] = []
    while fresh := await lab.calls(after=calls[-1]["seq"] if calls else 0):
        calls += fresh
    return calls
