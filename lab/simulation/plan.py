"""What one seed means: how big the run is, and what goes wrong in it how often."""

import random
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What may go wrong. Each run has some of them only, so that none hides another."""

    CRASH = "crash"
    """A node ends at any await and starts again later."""
    CRASH_ON_THE_WAY = "crash on the way"
    """A node ends between a request and its effect, or between the effect and its answer."""
    DEPLOY = "deploy"
    """A node drains, ends and starts again."""
    PAUSE = "pause"
    """A node stands still; its clock goes on."""
    REFUSED = "refused"
    """A request does not reach the database."""
    ANSWER_LOST = "answer lost"
    """A transaction stands, and whoever asked for it never hears of it."""
    OUTAGE = "outage"
    """The database is away for all."""
    PARTITION = "partition"
    """The database is away for one node."""
    SLOW = "slow"
    """The database answers late."""
    HINTS = "hints"
    """Hints between nodes are lost, late and repeated."""
    REDIS = "redis"
    """Redis is away: no hints, no leases, no marks."""
    TELEGRAM = "telegram"
    """Calls fail before or after their effect, or are told to wait."""
    TOPICS = "topics"
    """Somebody deletes topics."""
    REPEATS = "repeats"
    """Telegram tells an update twice."""
    POISON = "poison"
    """Messages that the program cannot handle."""
    MOVES = "moves"
    """Operators give tickets to other nodes in the middle of their turns."""


HURRY = 1440.0
"""A day of a timer passes within a minute, so that surveys end within a run of hours."""

DAYS_MIN = 4
"""In a short run at least so many days of a timer pass."""

DAY_S = 86_400.0

MOVES_SHARE = 0.4
"""How many of the runs in which something goes wrong have operators who move tickets."""


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
    """What a person waits between two actions, on average."""
    burst: float
    """How likely a client sends several messages at once."""

    def rng(self, purpose: str) -> random.Random:
        """A source of its own for each purpose: more of one draw does not change another."""
        return random.Random(f"{self.seed}/{purpose}")

    @property
    def hurry(self) -> float:
        """How much faster timers run than the rest."""
        return max(HURRY, DAYS_MIN * DAY_S / self.duration_s)

    def has(self, kind: FaultKind) -> bool:
        return kind in self.faults


def draw(seed: int, hours: float) -> Plan:
    """The plan of a seed for a run of so many virtual hours."""
    rng = random.Random(f"{seed}/plan")
    kinds = [kind for kind in FaultKind if kind is not FaultKind.MOVES]
    count = rng.choice((0, 2, 4, 6, 8, len(kinds)))
    faults: set[FaultKind] = set(rng.sample(kinds, count))
    if faults and random.Random(f"{seed}/moves").random() < MOVES_SHARE:
        faults.add(FaultKind.MOVES)
    return Plan(
        seed=seed,
        duration_s=hours * 3600,
        nodes=rng.choice((1, 2, 2, 3, 3, 4)),
        clients=rng.randint(1, 6),
        technicians=rng.randint(1, 3),
        faults=frozenset(faults),
        rate=rng.choice((0.002, 0.01, 0.03)),
        between_s=rng.choice((5.0, 12.0, 25.0)),
        thinking_s=rng.choice((1.0, 3.0, 8.0)),
        burst=rng.choice((0.0, 0.1, 0.3)),
    )
