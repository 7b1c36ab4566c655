"""One ticket in memory: a small object, not a parked task."""

from collections import deque
from enum import StrEnum

from actors.ids import Seq, TicketId
from actors.ports import LoadedTicket
from supervisor.mailbox import Mailbox, Window
from supervisor.options import RuntimeOptions


class ActorStatus(StrEnum):
    IDLE = "idle"
    """Nothing to do."""
    QUEUED = "queued"
    """Has mail and waits for a worker."""
    RUNNING = "running"
    """A worker decides or commits its turn."""
    BACKING_OFF = "backing_off"
    """Waits before it tries again."""
    QUARANTINED = "quarantined"
    """Stopped until an operator releases it; its mail stays in the inbox."""
    DRAINING = "draining"
    """Finishes its turn and then leaves."""


class TicketActor:
    """Directory entry of one ticket.

    ``loaded`` is the ticket as last committed, while warm; ``attempts`` counts failures of the
    message ``failing_seq`` only; ``crashes`` and ``dead_letters`` are times on the runtime's clock,
    oldest first, no older than their windows.
    """

    __slots__ = (
        "attempts",
        "crash_backoffs",
        "crashes",
        "dead_letters",
        "failing_seq",
        "is_gone",
        "last_error",
        "last_used",
        "loaded",
        "mailbox",
        "status",
        "ticket_id",
        "transients",
        "was_stored",
    )

    def __init__(self, ticket_id: TicketId, window: Window, options: RuntimeOptions) -> None:
        self.ticket_id = ticket_id
        self.status = ActorStatus.IDLE
        self.mailbox = Mailbox(
            window,
            messages_max=options.mailbox_messages_max,
            bytes_max=options.mailbox_bytes_max,
        )
        self.loaded: LoadedTicket | None = None
        self.is_gone = False
        """No longer in the directory; whoever still holds it lets go."""
        self.was_stored = False
        """The quarantine stands in the ticket's row, so that only a release can end it."""
        self.last_used = 0.0
        self.last_error: str | None = None
        self.failing_seq: Seq | None = None
        self.attempts = 0
        self.transients = 0
        self.crash_backoffs = 0
        self.crashes: deque[float] | None = None
        self.dead_letters: deque[float] | None = None

    @property
    def has_failed(self) -> bool:
        """Whether failures are remembered that count for what comes next."""
        return bool(self.crashes or self.dead_letters)

    def failed_at(self, seq: Seq) -> int:
        """Counts a failure of that message; returns how often it has failed."""
        if self.failing_seq != seq:
            self.failing_seq, self.attempts = seq, 0
        self.attempts += 1
        return self.attempts

    def crashed(self, now: float, window_s: float) -> int:
        """Counts a crash; returns how many there were within the window."""
        self.crashes = _within(self.crashes, now, window_s)
        return len(self.crashes)

    def gave_up(self, now: float, window_s: float) -> int:
        """Counts a dead letter; returns how many there were within the window."""
        self.dead_letters = _within(self.dead_letters, now, window_s)
        return len(self.dead_letters)

    def recovered(self) -> None:
        """A turn was committed: waits start from the beginning again."""
        self.transients = 0
        self.crash_backoffs = 0
        self.last_error = None

    def chill(self) -> None:
        """Lets go of the state; the next turn reads the row again."""
        self.loaded = None
        self.mailbox.clear()
        self.mailbox.after = None


def _within(times: deque[float] | None, now: float, window_s: float) -> deque[float]:
    """Adds ``now`` and drops what is older than the window, as OTP's restart budget does."""
    kept = times if times is not None else deque()
    kept.append(now)
    while kept[0] < now - window_s:
        kept.popleft()
    return kept
