"""What nobody told us: tickets without an owner, mail whose hint was lost, timers that are due."""

from collections.abc import Awaitable, Callable, Sequence

import anyio
import anyio.lowlevel

from actors.errors import Transient
from actors.ids import TicketId
from actors.messages import Envelope
from actors.ports import TicketStore
from supervisor.options import RuntimeOptions
from supervisor.reporter import Reporter
from supervisor.waits import backoff


class Lookout:
    """Three loops around the store; what they find they tell, and nothing else.

    ``may_look`` says whether this run may take tickets now; while it may not, nothing is looked
    for: what is found then belongs to somebody else, or will be found later.
    """

    def __init__(
        self,
        *,
        store: TicketStore,
        options: RuntimeOptions,
        reporter: Reporter,
        jitter: Callable[[], float],
        may_look: Callable[[], bool],
        may_claim: Callable[[], bool],
    ) -> None:
        self._store = store
        self._options = options
        self._reporter = reporter
        self._jitter = jitter
        self._may_look = may_look
        self._may_claim = may_claim
        self._orphans = anyio.Event()
        self._orphans.set()

    def look_for_orphans(self) -> None:
        """A run has ended, or this one begins: there may be tickets without an owner."""
        self._orphans.set()

    async def revive(self, found: Callable[[Sequence[TicketId]], None]) -> None:
        """Takes tickets that no living run owns, whenever there may be some."""
        while True:
            await self._orphans.wait()
            if not (self._may_look() and self._may_claim()):
                await anyio.sleep(self._options.poll_interval_s)
                continue
            self._orphans = anyio.Event()
            taken = 0
            while tickets := await self._patiently(
                self._store.revive, self._options.poll_tickets_max
            ):
                taken += len(tickets)
                found(tickets)
                await anyio.lowlevel.checkpoint()  # hints and turns go on meanwhile
            if taken:
                self._reporter.info("tickets_revived", tickets=taken)

    async def poll(self, found: Callable[[Sequence[TicketId]], None]) -> None:
        """Finds mail whose hint was lost, and what waited while the program was away."""
        while True:
            if self._may_look():
                found(await self._patiently(self._store.waiting, self._options.poll_tickets_max))
            await anyio.sleep(self._options.poll_interval_s)

    async def fire_timers(self, fired: Callable[[Sequence[Envelope]], None]) -> None:
        while True:
            envelopes: Sequence[Envelope] = ()
            if self._may_look():
                envelopes = await self._patiently(self._store.fire_timers, self._options.timers_max)
                fired(envelopes)
            if len(envelopes) < self._options.timers_max:
                await anyio.sleep(self._options.timer_interval_s)

    async def _patiently[Found](
        self, call: Callable[[int], Awaitable[Sequence[Found]]], limit: int
    ) -> Sequence[Found]:
        """Asks the store, and asks again while it is away."""
        attempt = 0
        while True:
            try:
                return await call(limit)
            except Transient as error:
                options = self._options
                wait = backoff(
                    options.transient_base_s, options.transient_max_s, attempt, self._jitter
                )
                if attempt == 0:
                    self._reporter.warning("store_away", error=str(error))
                attempt += 1
                await anyio.sleep(max(wait, error.retry_after_s))
