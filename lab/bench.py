"""``topicdesk bench relay``: what anyone can measure again.

The local Telegram, the bot and its servers are processes of their own, as in production, all on
this machine's cores. Times are the local Telegram's: from the instant a client's message exists
until its copy does, so they hold everything between the two. Beside it, in the same run, the least
that a relay can be: one handler, one call, nothing stored.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import psutil  # type: ignore[import-untyped]

from lab.bench_stage import FIRST_CLIENT_ID, Stage, medians, percentile, running, show, write
from lab.telegram.client import LabClient, Object
from lab.telegram.scene import MAIN_GROUP_ID

QUIET_S = 20.0
"""When nothing more has arrived for this long, what is missing counts as lost."""

LOOK_S = 0.25
"""Between two looks at how far it is; each costs the local Telegram some time."""

STEADY_S = 10.0
"""How long messages come at a steady rate: at 200/s, p99 is made of the worst twenty."""

BURSTS = 3
"""In each run, of which the one between the others counts: a burst is over in a second or less."""

BARE = ("lab.bare_relay",)

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReport:
    """What one run of the relay benchmark saw, clients' topics being there. Times in milliseconds.

    A run is several bursts in turn, and the figures are of the one of middling speed. ``ratio`` is
    the messages per second by those of the bare relay. ``steady_…`` are waits while messages come
    at a steady ``rate`` per second. ``processor_s`` (of a burst) and ``memory_mib`` are of the
    bot's own process.
    """

    clients: int
    messages: int
    latency_ms: float
    arrived: int
    lost: int
    doubled: int
    out_of_order: int
    tickets: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    processor_s: float = 0.0
    memory_mib: float = 0.0
    bare_per_second: float = 0.0
    ratio: float = 0.0
    rate: int = 0
    steady_p50_ms: float = 0.0
    steady_p99_ms: float = 0.0

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order)


def relay(
    *,
    clients: int,
    messages: int,
    json_file: Path | None,
    rate: int = 0,
    latency_ms: float = 0.0,
    runs: int = 1,
    bare: bool = True,
) -> int:
    """All clients send all their messages at once; prints the figures, exits 0 when clean.

    ``rate`` above 0: and then so many a second, for a while.
    """
    reports = [
        anyio.run(
            _relay, clients, messages, rate, latency_ms, bare, backend_options={"use_uvloop": True}
        )
        for _ in range(runs)
    ]
    show(f"relay, all at once, {psutil.cpu_count()} cores, medians of {runs}", medians(reports))
    write(json_file, "relay", reports)
    return 0 if all(report.is_clean for report in reports) else 1


async def _relay(
    clients: int, messages: int, rate: int, latency_ms: float, bare: bool
) -> RelayReport:
    async with running() as stage:
        people = await _open(stage.lab, clients)
        process = psutil.Process(stage.bot.pid)
        before = process.cpu_times()
        report = await _bursts(stage, people, messages, latency_ms)
        after = process.cpu_times()
        spent_s = after.user + after.system - before.user - before.system
        report = replace(
            report,
            processor_s=round(spent_s / BURSTS, 2),
            memory_mib=round(process.memory_info().rss / MIB, 1),
        )
        if rate:
            waits = await _steady(stage.lab, people, rate)
            report = replace(
                report,
                rate=rate,
                steady_p50_ms=round(percentile(waits, 0.5) * 1000, 1),
                steady_p99_ms=round(percentile(waits, 0.99) * 1000, 1),
            )
    if not bare:
        return report
    async with running(BARE) as stage:
        people = await _open(stage.lab, clients)
        least = await _bursts(stage, people, messages, latency_ms)
    ratio = report.per_second / least.per_second if least.per_second else 0.0
    return replace(report, bare_per_second=least.per_second, ratio=round(ratio, 3))


async def _open(lab: LabClient, clients: int) -> list[int]:
    """People who have written once, so that their topics are there."""
    people = [FIRST_CLIENT_ID + number for number in range(clients)]
    for number, client in enumerate(people):
        await lab.add_user(f"Client {number}", id=client, is_client=True)
    await lab.send_many([{"user": who, "chat": who, "text": "first"} for who in people])
    await _arrive(lab, 0, clients)
    return people


async def _bursts(
    stage: Stage, people: Sequence[int], messages: int, latency_ms: float
) -> RelayReport:
    """Several in turn: the one of middling speed, with what went wrong in any."""
    if latency_ms:
        await stage.lab.add_fault("slow", method="copymessage", seconds=latency_ms / 1000)
    reports = [await _burst(stage, people, messages, latency_ms) for _ in range(BURSTS)]
    middling = sorted(reports, key=lambda report: report.per_second)[BURSTS // 2]
    return replace(
        middling,
        lost=sum(report.lost for report in reports),
        doubled=sum(report.doubled for report in reports),
        out_of_order=sum(report.out_of_order for report in reports),
    )


async def _burst(
    stage: Stage, people: Sequence[int], messages: int, latency_ms: float
) -> RelayReport:
    lab = stage.lab
    seen = await _last(lab)
    burst = [
        {"user": client, "chat": client, "text": f"{client}:{number}"}
        for number in range(messages)
        for client in people
    ]
    sources = await lab.send_many(burst)
    copies = await _arrive(lab, seen, len(burst))
    return judge(len(people), messages, copies, [sources], latency_ms=latency_ms)


async def _steady(lab: LabClient, people: Sequence[int], rate: int) -> list[float]:
    """Waits in seconds while messages come evenly, in tenths of a second."""
    seen = await _last(lab)
    sources: list[Object] = []
    begun = time.monotonic()
    for tick in range(round(STEADY_S * 10)):
        await anyio.sleep(max(0.0, begun + tick / 10 - time.monotonic()))
        numbers = range(tick * rate // 10, (tick + 1) * rate // 10)
        who = [people[number % len(people)] for number in numbers]
        sources += await lab.send_many([{"user": w, "chat": w, "text": "steady"} for w in who])
    copies = await _arrive(lab, seen, len(sources))
    sent = {(message["chat_id"], message["message_id"]): message["at"] for message in sources}
    return [
        copy["at"] - sent[key] for copy in copies if (key := tuple(copy["copied_from"])) in sent
    ]


async def _last(lab: LabClient) -> int:
    found = await lab.messages(MAIN_GROUP_ID)
    return int(found[-1]["message_id"]) if found else 0


async def _arrive(lab: LabClient, seen: int, expected: int) -> list[Object]:
    """The copies in the main group, once all are there or no more come."""
    copies: list[Object] = []
    moved_at = time.monotonic()
    while time.monotonic() - moved_at < QUIET_S:
        fresh = await lab.messages(MAIN_GROUP_ID, after=seen)
        if fresh:
            seen = max(message["message_id"] for message in fresh)
            moved_at = time.monotonic()
            copies += [message for message in fresh if message["copied_from"]]
        if len(copies) >= expected:
            # Whatever is doubled would come now.
            await anyio.sleep(1)
            late = await lab.messages(MAIN_GROUP_ID, after=seen)
            return copies + [message for message in late if message["copied_from"]]
        await anyio.sleep(LOOK_S)
    return copies


def judge(
    clients: int,
    messages: int,
    copies: Sequence[Object],
    sources: Sequence[Sequence[Object]],
    *,
    latency_ms: float = 0.0,
) -> RelayReport:
    """Compares what was sent with what arrived: pure."""
    sent = {
        (message["chat_id"], message["message_id"]): message["at"]
        for chat in sources
        for message in chat
        if not message["from"]["is_bot"]
    }
    arrived: dict[tuple[int, int], float] = {}
    doubled = out_of_order = 0
    last: dict[int, int] = {}
    for copy in sorted(copies, key=lambda message: message["message_id"]):
        chat, number = copy["copied_from"]
        if (chat, number) in arrived:
            doubled += 1
            continue
        arrived[chat, number] = copy["at"]
        out_of_order += number < last.get(chat, 0)
        last[chat] = max(number, last.get(chat, 0))
    waits = [(arrived[key] - sent[key]) * 1000 for key in arrived if key in sent]
    begun = min(sent.values(), default=0.0)
    seconds = max(arrived.values(), default=begun) - begun
    return RelayReport(
        clients=clients,
        messages=len(sent),
        latency_ms=latency_ms,
        arrived=len(arrived),
        lost=clients * messages - len(arrived),
        doubled=doubled,
        out_of_order=out_of_order,
        tickets=len({copy["thread_id"] for copy in copies}),
        seconds=round(seconds, 3),
        per_second=round(len(arrived) / seconds, 1) if seconds else 0.0,
        p50_ms=round(statistics.median(waits), 1) if waits else 0.0,
        p99_ms=round(percentile(waits, 0.99), 1),
    )
