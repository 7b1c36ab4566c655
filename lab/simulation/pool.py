"""Many seeds on all processors, each in a process of its own choosing."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain

import anyio
import orjson
from anyio.abc import ObjectReceiveStream, ObjectSendStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream

from lab.simulation.worker import Report, Task

SECONDS_PER_HOUR = 900.0
"""A run that takes so much real time per virtual hour goes round in a circle: alone it takes two
seconds, beside many others a minute."""

SECONDS_MIN = 300.0

LINE_MAX = 1 << 20
"""Bytes of a report: its time line is bounded, a traceback is not."""


def processors() -> int:
    """How many runs go on at once."""
    return os.process_cpu_count() or 1


@asynccontextmanager
async def running(tasks: Sequence[Task], jobs: int) -> AsyncGenerator[ObjectReceiveStream[Report]]:
    """Reports as they come, in no particular order; what is left is ended with the block."""
    send, receive = anyio.create_memory_object_stream[Report](jobs)
    queue = iter(tasks)
    async with anyio.create_task_group() as group, receive:
        async with send:
            for _ in range(min(jobs, len(tasks))):
                group.start_soon(_work, queue, send.clone())
        yield receive
        group.cancel_scope.cancel()


async def _work(queue: Iterator[Task], reports: ObjectSendStream[Report]) -> None:
    """Feeds one process after another: one that hangs or dies costs its seed only."""
    async with reports:
        for first in queue:
            async with _process() as process:
                for task in chain((first,), queue):
                    report = await _ask(process, task)
                    await reports.send(report)
                    if report.promise:
                        break


@asynccontextmanager
async def _process() -> AsyncGenerator[Process]:
    command = [sys.executable, "-O", "-m", "lab.simulation.worker"]
    async with await anyio.open_process(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()


async def _ask(process: Process, task: Task) -> Report:
    assert process.stdin is not None
    assert process.stdout is not None
    limit_s = max(SECONDS_MIN, SECONDS_PER_HOUR * task.hours)
    began = anyio.current_time()
    try:
        with anyio.fail_after(limit_s):
            await process.stdin.send(orjson.dumps(task) + b"\n")
            answers = BufferedByteReceiveStream(process.stdout)
            line = await answers.receive_until(b"\n", LINE_MAX)
    except TimeoutError:
        why = f"it was not done after {limit_s:.0f} s"
    except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
        why = f"its process ended with {await process.wait()}"
    else:
        return Report(**orjson.loads(line))
    return Report(
        seed=task.seed,
        seconds=anyio.current_time() - began,
        promise="a run comes to its end",
        detail=why,
    )
