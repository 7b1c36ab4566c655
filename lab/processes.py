"""The program as its users run it: a process of its own, which can be killed like one."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, cycle, islice
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import anyio
from anyio.abc import Process

from actors.errors import TopicdeskError

START_TIMEOUT_S = 60.0
"""A first start makes a database; later ones take a few seconds."""

STOP_TIMEOUT_S = 20.0
"""The program drains within this; whatever does not end then is killed."""

READY_POLL_S = 0.05

RUN = ("bootstrap", "run", "--env-file", os.devnull, "--end-with-parent")

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
"""The demo must not pick up the settings of a real desk from its environment."""


class DidNotStart(TopicdeskError):
    """The process ended, or stayed silent, before it was ready."""


class BotProcess:
    """``topicdesk run`` with the given settings. An async context manager; may be started again.

    It ends with the process that started it, even one that was killed: its standard input ends
    then. ``module`` is another program to run in its stead, such as one to compare it with, which
    should heed that too.
    """

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        log_file: Path,
        module: Sequence[str] = RUN,
    ) -> None:
        self._module = tuple(module)
        self._settings = settings
        self._log_file = log_file
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{self._settings['HTTP_BIND']}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self.stop()

    async def start(self) -> None:
        """Starts the process and returns when it serves.

        Raises:
            DidNotStart: It did not come to that; the end of its log is in the message.
        """
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with self._log_file.open("ab") as output:
            self._process = await anyio.open_process(
                [sys.executable, "-m", *self._module],
                env={**environment, **self._settings},
                stdin=subprocess.PIPE,  # its end tells the program that this process is gone
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the demo, which stops the bot in order
            )
        with anyio.move_on_after(START_TIMEOUT_S):
            await self._until_ready()
            return
        await self.stop()
        raise DidNotStart(f"not ready after {START_TIMEOUT_S:g} s:\n{self._tail()}")

    async def wait(self) -> int:
        """Waits until the process has ended; its exit code, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    def kill(self) -> None:
        """SIGKILL: nothing of the program runs after this."""
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM: the program drains and ends; :meth:`wait` tells how."""
        self._signal(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: the program stands still, with all it holds, until :meth:`resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on, as if no time had passed."""
        self._signal(signal.SIGCONT)

    async def stop(self) -> int | None:
        """SIGTERM, and SIGKILL if that does not help; returns the exit code."""
        if self._process is None:
            return None
        self.terminate()
        with anyio.move_on_after(STOP_TIMEOUT_S):
            return await self._process.wait()
        self.kill()
        return await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            try:
                self._process.send_signal(number)
            except ProcessLookupError:
                return  # it has just ended by itself

    async def _until_ready(self) -> None:
        assert self._process is not None
        async with aiohttp.ClientSession() as session:
            while True:
                if self._process.returncode is not None:
                    raise DidNotStart(f"ended with {self._process.returncode}:\n{self._tail()}")
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.ok:
                            return
                except aiohttp.ClientError:
                    pass  # not listening yet
                await anyio.sleep(READY_POLL_S)

    def _tail(self) -> str:
        return self._log_file.read_text("utf-8", "replace")[-2000:]


PORT_FIRST, PARTS, PART = 10_000, 64, 340
"""Ports below those that systems give to outgoing connections, in parts."""


def free_port(preferred: int = 0) -> int:
    """``preferred`` if nobody listens there, else a free port of the loopback.

    It is to be listened on a while later, by another process perhaps. So it is one that no outgoing
    connection gets, from the part of this process; and the same comes again only after all others.
    """
    for port in chain((preferred,), islice(_ports(os.getpid()), PART)):
        if port and is_free(port):
            return port
    raise OSError("no free port on the loopback")


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@cache
def _ports(process: int) -> Iterator[int]:
    first = PORT_FIRST + process % PARTS * PART
    return cycle(range(first, first + PART))
