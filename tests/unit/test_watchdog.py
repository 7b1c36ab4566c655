"""The watchdog: a loop that stands still is found from outside, a busy one is left alone."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import anyio
import anyio.to_thread
import pytest

from bootstrap.watchdog import WEDGED, Watchdog, WatchdogOptions

QUICK = WatchdogOptions(beat_s=0.01, patience_s=0.2)


@pytest.mark.anyio
async def test_a_loop_that_turns_is_left_alone() -> None:
    ended = threading.Event()
    async with anyio.create_task_group() as group:
        await group.start(Watchdog(QUICK, end=ended.set).run)
        assert not await anyio.to_thread.run_sync(ended.wait, 0.5)
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_loop_that_stands_still_is_ended() -> None:
    ended = threading.Event()
    async with anyio.create_task_group() as group:
        await group.start(Watchdog(QUICK, end=ended.set).run)
        assert ended.wait(10)  # holds the loop
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_the_thread_ends_with_its_task() -> None:
    ended = threading.Event()
    async with anyio.create_task_group() as group:
        await group.start(Watchdog(QUICK, end=ended.set).run)
        group.cancel_scope.cancel()
    assert not ended.wait(0.5)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.processes
def test_a_wedged_process_says_where_it_stood_and_ends_with_its_code() -> None:
    program = """
        import time, anyio
        from bootstrap.watchdog import Watchdog, WatchdogOptions

        async def main():
            async with anyio.create_task_group() as group:
                await group.start(Watchdog(WatchdogOptions(beat_s=0.01, patience_s=0.1)).run)
                wedged()

        def wedged():
            time.sleep(60)

        anyio.run(main)
    """
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ended.returncode == WEDGED
    assert "in wedged" in ended.stderr
    assert time.monotonic() - began < 50
