"""What the runtime has done, for the status page and the benchmarks."""

from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.actor import ActorStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeStats:
    """A snapshot; counts since the start, ``last_handled_at`` on the runtime's clock."""

    actors: Mapping[ActorStatus, int]
    messages_handled: int
    turns: int
    commits: int
    commits_unknown: int
    fenced: int
    transients: int
    crashes: int
    dead_letters: int
    timers_fired: int
    found_by_poll: int
    """Tickets whose hint was lost."""
    window_messages: int
    mailbox_depth_max: int
    last_handled_at: float | None


@dataclass(slots=True)
class Counters:
    messages_handled: int = 0
    turns: int = 0
    fenced: int = 0
    transients: int = 0
    crashes: int = 0
    dead_letters: int = 0
    timers_fired: int = 0
    found_by_poll: int = 0
    last_handled_at: float | None = None
