"""What happens in the world, for those who watch: a numbered log with a bounded memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

EVENTS_KEPT_MAX = 20_000
"""A page that was away longer loads the world again."""

type Render = Callable[[], dict[str, object]]
type Event = tuple[int, str, Render]


class Reader:
    """One watcher: remembers where it is; :meth:`read` never blocks, :meth:`wait` does."""

    def __init__(self, log: "EventLog", after: int) -> None:
        self._log = log
        self._after = after
        self.woken = asyncio.Event()

    def read(self, limit: int = 500) -> tuple[bool, list[Event]]:
        """Returns whether events were missed, and the next events, oldest first."""
        events = self._log.events
        first = events[0][0] if events else self._log.seq + 1
        lost = self._after + 1 < first or self._after > self._log.seq
        if lost:
            self._after = self._log.seq
            return True, []
        found = list(islice(events, self._after + 1 - first, self._after + 1 - first + limit))
        if found:
            self._after = found[-1][0]
        return False, found

    async def wait(self) -> None:
        """Returns once something happened after what was read (or the log closes)."""
        while self._after == self._log.seq and not self._log.closed:
            self.woken.clear()
            await self.woken.wait()


class EventLog:
    """Events are rendered when they are read, so that nobody pays while nobody watches.

    A late reader therefore sees an object as it is now: fine for a page that shows the present.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT_MAX)
        self.closed = False
        self._readers: set[Reader] = set()

    def publish(self, kind: str, render: Render) -> None:
        self.seq += 1
        self.events.append((self.seq, kind, render))
        for reader in self._readers:
            reader.woken.set()

    def forget(self) -> None:
        """Drops all events, so that every reader is told to load the world again."""
        self.seq += 1
        self.events.clear()
        for reader in self._readers:
            reader.woken.set()

    def close(self) -> None:
        """Ends every wait: streams must not hold up a shutdown."""
        self.closed = True
        for reader in self._readers:
            reader.woken.set()

    @asynccontextmanager
    async def reader(self, after: int) -> AsyncIterator[Reader]:
        reader = Reader(self, after)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
