"""The nodes under test: processes of the real program, kept running as by a service manager."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

import aiohttp
import anyio

from lab.processes import BotProcess, DidNotStart

RESTART_S: Final = 0.5
"""Between an end that nobody asked for and the next start."""

LOOK_S: Final = 0.5
"""Between two looks at a node: soon enough to leave it out of the rotation."""

LOOK_TIMEOUT_S: Final = 1.5
"""A node that is well answers in milliseconds."""


class NodeState(StrEnum):
    STARTING = "starting"
    UP = "up"
    PAUSED = "paused"
    ENDING = "ending"
    DOWN = "down"


class Node:
    """One node. The nemesis signals it; :meth:`keep` starts it whenever it is not held down."""

    def __init__(self, name: str, settings: Mapping[str, str], log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self.is_ready = False
        """Whether it said so the last time it was asked."""
        self.actors = 0
        self.starts = 0
        self.failed_starts = 0
        self.own_ends = 0
        """How often it ended although nobody had asked it to."""
        self.last_exit: int | None = None
        self._state = NodeState.DOWN
        self._is_paused = False
        self._told_to_end = False
        self._settings = settings
        self._process = BotProcess(settings, log_file=log_file)
        self._wanted = anyio.Event()
        self._wanted.set()

    @property
    def state(self) -> NodeState:
        return NodeState.PAUSED if self._is_paused else self._state

    @property
    def url(self) -> str:
        return self._process.url

    @property
    def webhook_port(self) -> int:
        """Where it takes updates."""
        return int(self._settings["WEBHOOK_BIND"].rpartition(":")[2])

    async def keep(self) -> None:
        """Starts it and starts it again, for ever. A cancellation stops it in good order."""
        try:
            while True:
                await self._wanted.wait()
                await self._live()
        finally:
            with anyio.CancelScope(shield=True):  # bounded by the process's own time-outs
                self._process.resume()  # what stands still takes no SIGTERM
                self.last_exit = await self._process.stop()

    async def _live(self) -> None:
        self._state = NodeState.STARTING
        self._told_to_end = False
        try:
            await self._process.start()
        except DidNotStart:
            # Its servers may be away, or the nemesis was faster; its log says more.
            self.failed_starts += 1
        else:
            self.starts += 1
            self._state = NodeState.UP
            self.last_exit = await self._process.wait()
            self.own_ends += not self._told_to_end
        self._state = NodeState.DOWN
        self.is_ready = False
        await anyio.sleep(RESTART_S)

    async def watch(self) -> None:
        """Asks it how it is, for ever."""
        timeout = aiohttp.ClientTimeout(total=LOOK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    await self._look(session)
                except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                    self.is_ready = False
                await anyio.sleep(LOOK_S)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self.url}/readyz") as answer:
            self.is_ready = answer.ok
        async with session.get(f"{self.url}/api/nodes") as answer:
            nodes = (await answer.json())["nodes"]
        self.actors = sum(sum(node["actors"].values()) for node in nodes if node["is_self"])

    # --- what the nemesis does --------------------------------------------------------------

    def kill(self) -> None:
        """SIGKILL; it stays down until :meth:`release`."""
        self._wanted = anyio.Event()
        self._told_to_end = True
        self._process.kill()

    def terminate(self) -> None:
        """SIGTERM; it stays down until :meth:`release`."""
        self._wanted = anyio.Event()
        self._told_to_end = True
        self._state = NodeState.ENDING
        self._process.terminate()

    def release(self) -> None:
        self._wanted.set()

    def pause(self) -> None:
        self._is_paused = True
        self._process.pause()

    def resume(self) -> None:
        self._is_paused = False
        self._process.resume()


def resent_in(log_files: Iterable[Path]) -> Counter[int]:
    """Calls that nodes repeated without knowing what had become of them, by number of ticket."""
    found: Counter[int] = Counter()
    for log_file in log_files:
        with log_file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if '"resending_uncertain"' not in line:
                    continue
                try:
                    found[int(json.loads(line)["ticket_id"])] += 1
                except (ValueError, KeyError, TypeError):
                    continue  # a line that a SIGKILL cut in two
    return found
