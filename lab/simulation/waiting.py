"""Sleepers, events and time-outs of virtual time, in the place of those of :mod:`anyio`.

anyio's ask each time which event loop runs and wrap what trio has; trio's own sleep makes a cancel
scope with a deadline, and its clock wakes the sleeper a turn of the loop later. A run waits a
million times, so whoever waits is kept here instead.
"""

from types import TracebackType

import trio


class Sleeper:
    """A task that waits; ``task`` is ``None`` once it was woken or cancelled."""

    __slots__ = ("task",)

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task: trio.lowlevel.Task | None = task

    def abort(self, _raise: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED


class Event:
    """Takes the place of :class:`anyio.Event`; it wakes those who wait in their order."""

    __slots__ = ("_is_set", "_sleepers")

    def __init__(self) -> None:
        self._is_set = False
        self._sleepers: list[Sleeper] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        if self._is_set:
            return
        self._is_set = True
        for sleeper in self._sleepers:
            task, sleeper.task = sleeper.task, None
            if task is not None:
                trio.lowlevel.reschedule(task)
        self._sleepers.clear()

    async def wait(self) -> None:
        if self._is_set:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.wait_task_rescheduled(self.listen().abort)

    def listen(self) -> Sleeper:
        """The present task is woken by :meth:`set`, or by whoever else empties the sleeper."""
        sleeper = Sleeper(trio.lowlevel.current_task())
        if self._sleepers:
            self._sleepers[:] = [other for other in self._sleepers if other.task is not None]
        self._sleepers.append(sleeper)
        return sleeper


class FailAfter:
    """Takes the place of :func:`anyio.fail_after`."""

    __slots__ = ("_scope",)

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope

    def __enter__(self) -> trio.CancelScope:
        return self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        is_caught = self._scope.__exit__(kind, error, traceback)
        if self._scope.cancelled_caught and trio.current_time() >= self._scope.deadline:
            raise TimeoutError
        return is_caught


class SeldomAsked:
    """trio's way to the system's events, taken every so many turns: a run has none.

    Only a signal, as of Ctrl-C, comes from there.
    """

    EVERY = 512

    def __init__(self, real: object) -> None:
        self._real = real
        self._left = self.EVERY

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def get_events(self, timeout: float) -> object:
        self._left -= 1
        if self._left:
            return ()
        self._left = self.EVERY
        return self._real.get_events(timeout)  # type: ignore[attr-defined]
