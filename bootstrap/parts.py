"""Parts of the program that are started in order and stopped in reverse."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

type Run = Callable[..., Awaitable[Any]]
"""Serves until cancelled; takes ``task_status`` and reports when it is ready."""


class Part:
    """One running part: may be asked to end, waited for, or cancelled."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()

    async def join(self, timeout_s: float) -> bool:
        """Waits until the part has ended by itself, then cancels it; says whether it did."""
        with anyio.move_on_after(timeout_s):
            await self.ended.wait()
            return True
        await self.cancel()
        return False

    async def cancel(self) -> None:
        self.scope.cancel()
        await self.ended.wait()


async def start(group: TaskGroup, name: str, run: Run) -> Part:
    """Starts a part whose ``run`` takes ``task_status``; returns once it is ready."""
    part, _ = await start_with_value(group, name, run)
    return part


async def start_with_value(group: TaskGroup, name: str, run: Run) -> tuple[Part, Any]:
    """As :func:`start`, with what the part reported when it was ready."""
    part = Part(name)

    async def guarded(*, task_status: TaskStatus[Any]) -> None:
        try:
            with part.scope:
                await run(task_status=task_status)
        finally:
            part.ended.set()

    value = await group.start(guarded, name=name)
    return part, value
