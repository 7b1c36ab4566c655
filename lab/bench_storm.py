"""``topicdesk bench delivery storm``: how delivery bears faults of every kind, without limits."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import anyio

from lab.bench_crowd import UVLOOP, all_calls, arrive, end, gather, say
from lab.bench_judge import judge
from lab.bench_stage import running
from lab.telegram.client import LabClient


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


def storm(*, clients: int, messages: int, runs: int, json_file: Path | None) -> int:
    """Faults of every kind."""
    reports = [anyio.run(_storm, clients, messages, backend_options=UVLOOP) for _ in range(runs)]
    return end("a storm of faults", reports, json_file)


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
