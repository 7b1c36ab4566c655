"""``topicdesk chaos``: two minutes of everything going wrong; and it leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import psutil  # type: ignore[import-untyped]
import pytest
from anyio.abc import Process

from lab.chaos.faults import FAMILIES
from lab.chaos.report import verdict_text
from lab.chaos.run import ChaosOptions, Progress, run_chaos

SEED = 0
"""Any: the schedule of another is another. This one has every family of faults."""

END_S = 60.0
"""For all nodes to drain and the servers to end, on a machine that is busy."""

pytestmark = [pytest.mark.anyio, pytest.mark.processes]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """As the command: uvloop complains of sockets that are torn while in use."""
    return "asyncio", {"use_uvloop": False}


@pytest.mark.timeout(900)
async def test_two_minutes_of_all_faults_lose_nothing_and_disorder_nothing(tmp_path: Path) -> None:
    options = ChaosOptions(minutes=2, nodes=3, clients=12, seed=SEED)
    assert {fault.kind.family for fault in options.faults()} == set(FAMILIES)
    outcome = await run_chaos(options, tmp_path, Progress(options=options))
    assert outcome.verdict.is_ok, verdict_text(outcome)
    assert len(outcome.verdict.recoveries) == len(options.faults())
    assert all(fault.healed_at is not None for fault in outcome.history.broken)
    assert [node.name for node in outcome.nodes if node.own_ends] == []


@pytest.fixture
async def command(tmp_path: Path) -> AsyncIterator[Process]:
    process = await anyio.open_process(
        [sys.executable, "-m", "bootstrap", "chaos", "--minutes", "5", "--clients", "2"],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    yield process
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.kill()
        await process.aclose()


@pytest.mark.timeout(240)
async def test_an_interrupted_run_ends_all_that_it_started(
    command: Process, tmp_path: Path
) -> None:
    assert command.stdout is not None
    heard = ""
    with anyio.fail_after(120):
        while "fault " not in heard:
            heard += (await command.stdout.receive()).decode()
    started = psutil.Process(command.pid).children(recursive=True)
    assert len(started) > 5  # three nodes, two servers, the local Telegram
    command.send_signal(signal.SIGINT)
    with anyio.fail_after(END_S):
        assert await command.wait() == 130
    assert [process for process in started if process.is_running()] == []
    assert [name async for name in anyio.Path(tmp_path).glob("topicdesk-chaos-*")] == []
