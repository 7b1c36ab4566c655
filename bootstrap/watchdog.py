"""Ends a process whose loop stands still: others have its tickets by then, a fresh start helps."""

import faulthandler
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import anyio
from anyio.abc import TaskStatus

WEDGED: Final = 70
"""The exit code: an internal error, as in sysexits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchdogOptions:
    """Times in seconds."""

    beat_s: float = 1.0
    """How often the loop shows that it turns, and how often that is looked at."""

    patience_s: float = 30.0
    """A loop that stood still for so long has lost its lease twice over."""


class Watchdog:
    """A thread that looks at the loop from outside.

    Time in which the whole process stood still (SIGSTOP, a sleeping machine) does not count: the
    thread counts its own looks, not the clock.
    """

    def __init__(
        self, options: WatchdogOptions | None = None, end: Callable[[], None] | None = None
    ) -> None:
        self._options = options or WatchdogOptions()
        self._end = end or _end
        self._beats = 0
        self._over = threading.Event()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Beats until cancelled; the thread ends with it."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            task_status.started()
            while True:
                self._beats += 1
                await anyio.sleep(self._options.beat_s)
        finally:
            self._over.set()

    def _watch(self) -> None:
        seen, still = 0, 0
        while not self._over.wait(self._options.beat_s):
            if self._beats != seen:
                seen, still = self._beats, 0
                continue
            still += 1
            if still * self._options.beat_s >= self._options.patience_s:
                self._end()
                return


def end_within(seconds: float) -> Callable[[], None]:
    """Ends the process, as if all were done, unless the returned function is called in time.

    For a stop that something holds up which does not answer: whoever stops a program is promised
    an end, and what has not been said by then is as safe as after a SIGKILL.
    """

    def end() -> None:
        sys.stderr.write("topicdesk: not everything could be ended in good order\n")
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer.cancel


def _end() -> None:
    """Says where every thread stands, and ends at once: nothing of the loop can be asked."""
    sys.stderr.write("topicdesk: the loop stood still; this process ends\n")
    faulthandler.dump_traceback(all_threads=True)
    sys.stderr.flush()
    os._exit(WEDGED)
