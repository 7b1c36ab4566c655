"""Every bound of the runtime, with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOptions:
    """How much at once, how long, how often. Times in seconds."""

    workers: int = 64
    """Turns that may wait for Postgres at once: as many as one group commit can carry."""

    mailbox_messages_max: int = 64
    """Messages of one ticket held in memory; the rest stay in the inbox until there is room."""

    mailbox_bytes_max: int = 256 * 1024
    """Text of one ticket's messages held in memory, about; one message always fits."""

    window_messages_max: int = 50_000
    """Messages of all tickets held in memory: a flood costs reads, never memory."""

    turn_messages_max: int = 32
    """Messages of one ticket decided before others get the worker."""

    turn_seconds_max: float = 0.005
    """Time for deciding in one turn; the loop must stay responsive (a turn never awaits)."""

    turn_timeout_s: float = 30.0
    """A turn that has waited this long for Postgres is given back to the queue as transient."""

    commit_turns_max: int = 64
    """Turns in one transaction: more only adds latency (measured: 82.7 k/s at 64)."""

    committers: int = 2
    """Transactions at once: one writes while the other collects."""

    poll_interval_s: float = 1.0
    """How long a lost hint can delay a message."""

    poll_tickets_max: int = 500
    """Tickets that one poll may find; the next finds the rest."""

    timer_interval_s: float = 1.0
    """How late a timer may be."""

    timers_max: int = 500
    """Timers fired in one go."""

    attempts_max: int = 5
    """Failures of one message before it goes to the dead letters."""

    crashes_max: int = 3
    """Failures of one ticket within ``crash_window_s`` before it backs off."""

    crash_window_s: float = 60.0

    backoff_base_s: float = 1.0
    """First wait of a ticket that keeps failing; doubles each time."""

    backoff_max_s: float = 300.0

    transient_base_s: float = 0.1
    """First wait when a service is away; doubles each time, without counting as a failure."""

    transient_max_s: float = 5.0
    """A service that is back is noticed within this time."""

    dead_letters_max: int = 3
    """Dead letters of one ticket within ``dead_letter_window_s`` before it is quarantined."""

    dead_letter_window_s: float = 600.0

    circuit_window_s: float = 30.0
    circuit_share_max: float = 0.05
    """A node of whose turns more than this part fail takes no more tickets."""

    circuit_turns_min: int = 40
    """Turns within the window before there is a verdict."""

    idle_timeout_s: float = 600.0
    """After this long without mail a ticket's state leaves memory; its number stays."""

    chill_interval_s: float = 10.0
    """How often such tickets are looked for, which takes a look at every one that is awake."""

    drain_timeout_s: float = 10.0
    """How long running turns may take to finish when the program stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """When a node lives, when it must stop, and when others may say that it is dead. Seconds.

    The order is what keeps two nodes from working on one ticket at once: a node stops by itself
    (``pause_after_s``, ``stop_after_s``) before others may take its tickets (``lease_s``). Should
    it fail to, the epoch still fences every write of it.
    """

    beat_interval_s: float = 3.0
    """One round trip per node, whatever the number of its tickets."""

    beat_timeout_s: float = 5.0
    """A beat that Postgres has not taken by then counts as none."""

    pause_after_s: float = 10.0
    """Without a beat that Postgres took for so long, no further turn is started."""

    stop_after_s: float = 13.0
    """And then those under way are cancelled."""

    lease_s: float = 15.0
    """Without a beat for so long, by the database's clock, a run may be declared dead."""

    watch_interval_s: float = 1.0
    """How often the leases of the others are looked at; Redis answers for all in one go."""

    lag_max_s: float = 1.0
    """A loop that wakes up this much too late does not beat: a wedged node must lose its own."""

    lag_interval_s: float = 0.25
    """How often the loop is looked at."""

    stuck_after_s: float = 60.0
    """Turns under way of which none ended for so long (twice a turn's time-out) are no life."""

    hand_over_max: int = 500
    """Tickets given away in one statement."""

    settle_s: float = 0.2
    """What a drain allows turns and calls before it gives away all tickets that are not busy."""

    drain_s: float = 8.0
    """What it allows those that are; then they are cut off, and the next owner finds out."""

    end_s: float = 2.0
    """What giving away the rest and signing off may take; without it the run ends by its lease."""
