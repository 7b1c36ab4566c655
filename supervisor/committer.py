"""Group commit: turns of different tickets share one transaction."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import anyio

from actors.errors import Transient
from actors.ids import TicketId
from actors.ports import CommitOutcome, CommitStatus, TicketStore, Turn
from supervisor.observer import Observer, Unobserved
from supervisor.options import RuntimeOptions
from supervisor.waits import doubling


class _Pending:
    __slots__ = ("done", "error", "outcome", "turn")

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.done = anyio.Event()
        self.outcome: CommitOutcome | None = None
        self.error: Exception | None = None


class GroupCommitter:
    """Collects turns while a transaction is under way and writes them with the next.

    No timer: an idle committer writes at once, a busy one finds a group waiting, so groups grow
    with the load by themselves. When the answer to a COMMIT is lost, ``version`` is read again
    until it is known, and only then is the turn reported as committed, fenced or not written.
    """

    def __init__(
        self,
        store: TicketStore,
        options: RuntimeOptions,
        jitter: Callable[[], float],
        observer: Observer | None = None,
    ) -> None:
        self._store = store
        self._observer = observer or Unobserved()
        self._options = options
        self._jitter = jitter
        self._pending: deque[_Pending] = deque()
        self._filled = anyio.Event()
        self.commits = 0
        """Transactions so far."""
        self.unknown = 0
        """Transactions whose outcome had to be read again."""

    async def commit(self, turn: Turn) -> CommitOutcome:
        """Writes the turn, together with others; returns when it stands or does not.

        A cancel takes the turn back, unless its transaction has begun: then it may or may not be
        written.

        Raises:
            Transient: It was not written; the turn may be tried again.
        """
        pending = _Pending(turn)
        self._pending.append(pending)
        self._filled.set()
        try:
            await pending.done.wait()
        finally:
            if not pending.done.is_set():
                with suppress(ValueError):
                    self._pending.remove(pending)
        if pending.error is not None:
            raise pending.error
        assert pending.outcome is not None
        return pending.outcome

    async def run(self) -> None:
        """One committer; run as many as there may be transactions at once."""
        while True:
            await self._filled.wait()
            group = self._take()
            if group:
                await self._write(group)

    def _take(self) -> list[_Pending]:
        """The turns that have waited longest, at most one of a ticket."""
        waiting, group = self._pending, dict[TicketId, _Pending]()
        while waiting and len(group) < self._options.commit_turns_max:
            if waiting[0].turn.ticket_id in group:
                break
            pending = waiting.popleft()
            group[pending.turn.ticket_id] = pending
        if not waiting:
            self._filled = anyio.Event()
        return list(group.values())

    async def _write(self, group: list[_Pending]) -> None:
        """Commits a group and answers each; whatever happens, nobody is left waiting."""
        try:
            try:
                turns = [pending.turn for pending in group]
                with self._observer.commit(turns):
                    outcomes = await self._store.commit(turns)
            except Transient as error:
                self.unknown += 1
                await self._find_out(group, error)
            else:
                self.commits += 1
                for pending, outcome in zip(group, outcomes, strict=True):
                    pending.outcome = outcome
        except Exception as error:  # noqa: BLE001 — handed to the turn that caused it
            if len(group) == 1:
                group[0].error = error
            else:  # one of them is at fault: it must not take the others down
                for pending in group:
                    await self._write([pending])
        finally:
            for pending in group:
                if pending.outcome is None and pending.error is None:
                    pending.error = Transient("the committer stopped before the commit")
                pending.done.set()

    async def _find_out(self, group: list[_Pending], error: Transient) -> None:
        """Reads versions until the outcome of a lost COMMIT is known."""
        waits = doubling(
            self._options.transient_base_s, self._options.transient_max_s, self._jitter
        )
        while True:
            try:
                versions = await self._store.versions([p.turn.ticket_id for p in group])
                break
            except Transient:
                await anyio.sleep(next(waits))
        for pending in group:
            turn = pending.turn
            epoch, version = versions.get(turn.ticket_id, (None, None))
            if epoch == turn.epoch and version == turn.version:
                pending.error = error
            elif epoch == turn.epoch and version == turn.version + 1:
                pending.outcome = CommitOutcome(status=CommitStatus.COMMITTED)
            else:
                pending.outcome = CommitOutcome(status=CommitStatus.FENCED)
