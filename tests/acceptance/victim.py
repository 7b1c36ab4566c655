"""The program in a process of its own that starts fast enough to be killed fifty times.

A fork server imports everything once; each start is a fork of it: a real process, with a real
SIGKILL, without the seconds that importing takes.
"""

import multiprocessing
import os
import signal
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import aiohttp
import anyio

START_TIMEOUT_S = 60.0

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.acceptance.victim_main"])


class Victim:
    """``topicdesk run`` with settings by name; started, killed and started again."""

    def __init__(self, settings: Mapping[str, str], log_file: Path) -> None:
        self._settings = dict(settings)
        self._log_file = log_file
        self._process: ForkServerProcess | None = None

    async def start(self) -> None:
        """Returns when the program says that it is ready.

        Raises:
            TimeoutError: It did not; its log says why.
        """
        from tests.acceptance.victim_main import serve  # noqa: PLC0415 — it imports the program

        self._process = _context.Process(target=serve, args=(self._settings, self._log_file))
        self._process.start()
        with anyio.fail_after(START_TIMEOUT_S):
            await self._until_ready()

    def kill(self) -> None:
        """SIGKILL, at once; nothing of the program runs after this."""
        assert self._process is not None
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()

    def stop(self) -> int | None:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.terminate()
        self._process.join(20)
        return self._process.exitcode

    async def _until_ready(self) -> None:
        url = f"http://{self._settings['HTTP_BIND']}/readyz"
        async with aiohttp.ClientSession() as session:
            while True:
                assert self._process is not None
                assert self._process.exitcode is None, self._log_file.read_text()[-3000:]
                try:
                    async with session.get(url) as response:
                        if response.ok:
                            return
                except aiohttp.ClientError:
                    pass  # not listening yet
                await anyio.sleep(0.01)
