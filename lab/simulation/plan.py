"""What one seed means: how big the run is, and what goes wrong in it how often."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf


class FaultKind(StrEnum):
    """What may go wrong. Each run has some of them only, so that none hides another."""

    CRASH = "crash"
    """A node ends at any await and starts again later."""
    CRASH_ON_THE_WAY = "crash on the way"
    """A node ends between a request and its effect, or between the effect and its answer."""
    DEPLOY = "deploy"
    """A node drains, ends and starts again."""
    ROLLING = "rolling deploy"
    """All nodes do so, one after another."""
    PAUSE = "pause"
    """A process takes no step for a while, and does not know: a zombie when it goes on."""
    SLUGGISH = "sluggish"
    """Each step of a process comes late."""
    WEDGE = "wedge"
    """Nothing that a node commits is answered in time, while it beats and reads as ever."""
    SKEW = "skew"
    """The clocks of the database and of Redis are elsewhere, and run faster or slower."""
    REFUSED = "refused"
    """A request does not reach the database."""
    ANSWER_LOST = "answer lost"
    """A transaction stands, and whoever asked for it never hears of it."""
    OUTAGE = "outage"
    """The database is away for all."""
    PARTITION = "partition"
    """The database is away for one node."""
    ONE_WAY = "one way"
    """What one node asks for arrives, and no answer comes back to it."""
    SLOW = "slow"
    """The database answers late."""
    HINTS = "hints"
    """Hints between nodes are lost, late and repeated."""
    REDIS = "redis"
    """Redis is away: no hints, no leases, no marks."""
    FLUSH = "flush"
    """Redis forgets everything."""
    TELEGRAM = "telegram"
    """Calls fail before or after their effect, or are told to wait."""
    TOPICS = "topics"
    """Somebody deletes topics."""
    REPEATS = "repeats"
    """Telegram tells an update twice."""
    LATE = "late"
    """Updates come late, in another order, and once more long after."""
    POISON = "poison"
    """Messages that the program cannot handle."""
    MOVES = "moves"
    """Operators give tickets to other nodes in the middle of their turns."""
    OPERATORS = "operators"
    """Operators stop tickets, release them, and have dead letters tried again."""


HURRY = 1440.0
"""A day of a timer passes within a minute, so that surveys end within a run of hours."""

DAYS_MIN = 4
"""In a short run at least so many days of a timer pass."""

DAY_S = 86_400.0

MOVES_SHARE = 0.4
"""How many of the runs in which something goes wrong have operators who move tickets."""

BUSY_S = 120.0
"""People act for so long in every run, however short the troubles between are."""

BUSY_PER_HOUR_S = 40.0
"""And for so much longer in each hour: an hour of virtual time is mostly quiet, as real ones are.

What needs long times (leases, back-offs, timers, restarts) has them; what needs many messages has
them within a few minutes.
"""

SPELL_S = 60.0
"""People act for about so long at a time."""

AFTERMATH_S = 20.0
"""Troubles come until so long after people have stopped: what they wrote is still on its way."""


SKEW_S = 7200.0
"""A server's clock is ahead by up to so much."""

DRIFT = 0.02
"""And faster or slower by up to so much: more than any clock that somebody looks after."""

POLLS_S = (1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0)
"""How often nodes look for what they were not told of: seldom mostly, it takes most of the work."""

SETTLES_WITHIN_S = 20.0

POLLS_TO_SETTLE = 5
"""With the tightest bounds a poll finds three tickets."""

WATCHES_S = (1.0, 2.0, 4.0, 4.0, 4.0)
"""How often nodes look at the leases of the others: until a dead one is found, nothing changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is drawn before a run begins. Times in virtual seconds.

    ``rate`` is how likely a single step goes wrong where a fault concerns single steps;
    ``between_s`` how long it takes on average from one lasting fault to the next.
    """

    seed: int
    duration_s: float
    nodes: int
    clients: int
    technicians: int
    faults: frozenset[FaultKind]
    rate: float
    between_s: float
    thinking_s: float
    """How long it takes on average until the next of all clients does something."""
    burst: float
    """How likely a client sends several messages at once."""
    poll_s: float = 1.0
    """How often a node looks for what it was not told of."""
    watch_s: float = 1.0
    """How often a node looks whether the others live."""
    is_tight: bool = False
    """Whether the bounds of the mailboxes are so low that they are reached all the time."""
    spells: tuple[tuple[float, float], ...] = field(default=((0.0, inf),))
    """When people act: from, until."""

    def rng(self, purpose: str) -> random.Random:
        """A source of its own for each purpose: more of one draw does not change another."""
        return random.Random(f"{self.seed}/{purpose}")

    @property
    def hurry(self) -> float:
        """How much faster timers run than the rest."""
        return max(HURRY, DAYS_MIN * DAY_S / self.duration_s)

    def clock_of(self, server: str, clock: Callable[[], float]) -> Callable[[], float]:
        """How a server of its own sees the time that ``clock`` shows."""
        if not self.has(FaultKind.SKEW):
            return clock
        rng = self.rng(f"clock of {server}")
        began, rate = SKEW_S * rng.random(), 1 + DRIFT * (2 * rng.random() - 1)
        return lambda: began + rate * clock()

    @property
    def settles_s(self) -> float:
        """Within which all is at rest after the last trouble: 20 s with production's intervals.

        A dead node is found one watch later; of what nobody told a node, a poll finds a part only.
        """
        return SETTLES_WITHIN_S + (self.watch_s - 1.0) + POLLS_TO_SETTLE * (self.poll_s - 1.0)

    def has(self, kind: FaultKind) -> bool:
        return kind in self.faults

    def quiet_until(self, now: float, aftermath_s: float = 0.0) -> float:
        """When the next spell begins, ``now`` within one (or ``aftermath_s`` after it)."""
        for begins, ends in self.spells:
            if now < ends + aftermath_s:
                return max(now, begins)
        return inf


def draw(seed: int, hours: float) -> Plan:
    """The plan of a seed for a run of so many virtual hours."""
    rng = random.Random(f"{seed}/plan")
    kinds = [kind for kind in FaultKind if kind is not FaultKind.MOVES]
    count = rng.choice((0, 2, 4, 6, 9, len(kinds)))
    faults: set[FaultKind] = set(rng.sample(kinds, count))
    if faults and random.Random(f"{seed}/moves").random() < MOVES_SHARE:
        faults.add(FaultKind.MOVES)
    duration_s = hours * 3600
    clients = rng.randint(4, 40)
    return Plan(
        seed=seed,
        duration_s=duration_s,
        nodes=rng.choice((3, 3, 3, 3, 3, 4, 5)),
        clients=clients,
        technicians=rng.randint(1, 3),
        faults=frozenset(faults),
        rate=rng.choice((0.002, 0.01, 0.03)),
        between_s=rng.choice((5.0, 12.0, 25.0)),
        thinking_s=rng.choice((0.5, 1.0, 2.0)),
        burst=rng.choice((0.0, 0.02, 0.08)),
        poll_s=rng.choice(POLLS_S),
        watch_s=random.Random(f"{seed}/watch").choice(WATCHES_S),
        is_tight=rng.random() < 0.5,  # noqa: PLR2004 - one of two
        spells=_spells(rng, duration_s),
    )


def _spells(rng: random.Random, duration_s: float) -> tuple[tuple[float, float], ...]:
    """Spells of activity spread over the run; all of a short one."""
    busy_s = BUSY_S + BUSY_PER_HOUR_S * duration_s / 3600
    if duration_s <= 2 * busy_s:
        return ((0.0, duration_s),)
    number = round(busy_s / SPELL_S)
    slot_s = duration_s / number
    starts = [(n + rng.random()) * slot_s for n in range(number)]
    starts[0] = 0.0
    return tuple((start, start + SPELL_S * (0.5 + rng.random())) for start in starts)
