"""A benchmark that is ended, however, leaves no process behind, and by SIGTERM no file either."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import anyio
import psutil  # type: ignore[import-untyped]
import pytest

from lab.processes import INHERITED

pytestmark = [pytest.mark.anyio, pytest.mark.processes, pytest.mark.timeout(240)]

WAIT_S = 60.0
"""A bot with servers of its own starts and ends in seconds."""

ENDLESS = ("bench", "relay", "--clients", "1", "--messages", "1", "--runs", "100000")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_benchmark_that_is_ended_leaves_nothing_running(
    number: signal.Signals, tmp_path: Path
) -> None:
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    async with await anyio.open_process(
        [sys.executable, "-m", "bootstrap", *ENDLESS],
        env={**environment, "TMPDIR": str(tmp_path)},
        stdout=None,
    ) as bench:
        with anyio.fail_after(WAIT_S):
            while not await _serves(bench.pid):  # noqa: ASYNC110 - other processes tell nobody
                await anyio.sleep(0.1)
        started = psutil.Process(bench.pid).children(recursive=True)
        bench.send_signal(number)
        with anyio.fail_after(WAIT_S):
            await bench.wait()
            while any(_is_alive(each) for each in started):  # noqa: ASYNC110 - nor that
                await anyio.sleep(0.1)
    if number is signal.SIGTERM:
        assert [each async for each in anyio.Path(tmp_path).iterdir()] == []


async def _serves(bench: int) -> bool:
    """Whether the bot that the benchmark started takes messages."""
    with suppress(psutil.NoSuchProcess, aiohttp.ClientError):
        for process in psutil.Process(bench).children():
            if process.cmdline()[1:4] == ["-m", "bootstrap", "run"]:
                url = f"http://{process.environ()['HTTP_BIND']}/readyz"
                async with aiohttp.ClientSession() as http, http.get(url) as response:
                    return response.ok
    return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
