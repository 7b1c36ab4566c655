"""A small program of its own that keeps one server alive exactly as long as topicdesk lives.

It runs as ``python -I -S keeper.py SPEC`` with nothing but the standard library, so that it starts
in milliseconds. Its standard input is a pipe that only topicdesk holds open: the kernel closes it
however topicdesk ends, SIGKILL included, and then the server is stopped in good order. It inherits
the lock of the data folder, so that the next topicdesk waits until that has happened.

SPEC is JSON: ``command``, ``cwd``, ``env``, ``log``, ``uid`` and ``gid`` (``null`` to stay who we
are), ``stops`` (pairs of signal number and seconds to wait, gentlest first) and ``litter`` (folders
to remove in the end). On standard output it reports ``started PID`` and ``exited CODE``.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

RESTART_DELAY_FIRST_S = 0.2
RESTART_DELAY_MAX_S = 30.0
"""A server that ended by itself is started again, ever more slowly."""

STEADY_AFTER_S = 60.0
"""A run this long was a good one: the next restart is quick again."""

LOG_BYTES_MAX = 5_000_000
"""Over it, the server's log is set aside as ``.old`` before the server starts."""


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """Wakes the wait below. A handler and not SIG_IGN, which the server would inherit."""


class Keeper:
    def __init__(self, spec: dict[str, Any], program: int, report: int) -> None:
        self._spec = spec
        self._program = program
        self._report = report
        os.set_blocking(report, False)  # nobody reads it once the server is ready
        self._woken, wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _nothing)

    def run(self) -> None:
        """Returns when topicdesk is gone and the server has ended."""
        delay = RESTART_DELAY_FIRST_S
        while True:
            began = time.monotonic()
            server = self._start()
            self._say(f"started {server.pid}")
            if self._program_gone(None, server):
                self._stop(server)
                break
            self._say(f"exited {server.returncode}")
            if time.monotonic() - began > STEADY_AFTER_S:
                delay = RESTART_DELAY_FIRST_S
            if self._program_gone(delay, None):
                break
            delay = min(delay * 2, RESTART_DELAY_MAX_S)
        for folder in self._spec["litter"]:
            shutil.rmtree(folder, ignore_errors=True)

    def _start(self) -> subprocess.Popen[bytes]:
        log = Path(self._spec["log"])
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.old"))
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - the command is topicdesk's own
                self._spec["command"],
                cwd=self._spec["cwd"],
                env=self._spec["env"],
                user=self._spec["uid"],
                group=self._spec["gid"],
                extra_groups=None if self._spec["uid"] is None else [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _program_gone(
        self, timeout_s: float | None, server: subprocess.Popen[bytes] | None
    ) -> bool:
        """Waits for topicdesk's end; gives up after the time-out or when the server has ended."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while server is None or server.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            ready, _, _ = select.select([self._program, self._woken], [], [], left)
            if self._program in ready and not os.read(self._program, 64):
                return True
            if self._woken in ready and signal.SIGTERM in os.read(self._woken, 64):
                return True
        return False

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        for number, wait_s in self._spec["stops"]:
            server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(wait_s)
                return

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            os.write(self._report, f"{line}\n".encode())


if __name__ == "__main__":
    Keeper(json.loads(sys.argv[1]), program=0, report=1).run()
