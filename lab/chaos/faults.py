"""What can be broken, and a schedule of it drawn from a seed: pure, so that a seed tells all."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SERVICES: Final = ("postgres", "redis", "telegram")
"""What a node has links to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to break something. ``lasts_s`` are bounds; (0, 0) is over as soon as it is done."""

    name: str
    family: str
    target: str
    """``node``, ``link`` (a node and a service), or the one service that it hits."""
    lasts_s: tuple[float, float] = (0.0, 0.0)
    more: dict[str, Any] = field(default_factory=dict)
    """What the nemesis needs besides."""


AT_ONCE: Final = (0.3, 0.3)
"""Until a server that was told to end no longer answers; it comes back by itself."""


def _telegram(name: str, kind: str, lasts_s: tuple[float, float], **more: Any) -> Kind:
    return Kind(
        name=name,
        family="telegram",
        target="telegram",
        lasts_s=lasts_s,
        more={"kind": kind, **more},
    )


KINDS: Final = (
    Kind(name="kill", family="kill", target="node", lasts_s=(0.2, 8.0)),
    Kind(name="terminate", family="kill", target="node", lasts_s=(0.2, 4.0)),
    Kind(name="pause", family="pause", target="node", lasts_s=(1.0, 20.0)),
    Kind(name="redis-kill", family="redis", target="redis", lasts_s=AT_ONCE),
    Kind(name="redis-flush", family="redis", target="redis"),
    Kind(name="redis-pause", family="redis", target="redis", lasts_s=(1.0, 10.0)),
    Kind(name="redis-gone", family="redis", target="redis", lasts_s=(2.0, 60.0)),
    Kind(name="postgres-restart", family="postgres", target="postgres", lasts_s=AT_ONCE),
    Kind(name="postgres-crash", family="postgres", target="postgres", lasts_s=AT_ONCE),
    Kind(name="postgres-pause", family="postgres", target="postgres", lasts_s=(1.0, 12.0)),
    Kind(name="postgres-gone", family="postgres", target="postgres", lasts_s=(2.0, 30.0)),
    Kind(name="reset", family="network", target="link"),
    Kind(name="refuse", family="network", target="link", lasts_s=(1.0, 15.0)),
    Kind(name="half-open", family="network", target="link", lasts_s=(1.0, 15.0)),
    Kind(name="one-way-there", family="network", target="link", lasts_s=(1.0, 15.0)),
    Kind(name="one-way-back", family="network", target="link", lasts_s=(1.0, 15.0)),
    Kind(name="latency", family="network", target="link", lasts_s=(2.0, 20.0)),
    Kind(name="slow", family="network", target="link", lasts_s=(2.0, 15.0)),
    _telegram("429", "too_many_requests", (1.0, 8.0), probability=0.3),
    _telegram("5xx", "server_error", (1.0, 8.0), probability=0.4, code=500),
    _telegram("502", "bad_gateway", (1.0, 8.0), probability=0.4),
    _telegram("lost-call", "drop_before", (1.0, 8.0), probability=0.3),
    _telegram("lost-answer", "drop_after", (1.0, 8.0), probability=0.2),
    _telegram("slow-answers", "slow", (1.0, 8.0), probability=0.3, seconds=1.0),
    _telegram("late-answers", "timeout_after", (1.0, 4.0), probability=0.05, seconds=31.0),
    _telegram("repeated-updates", "duplicate", (1.0, 8.0), probability=0.5),
    _telegram("late-updates", "late", (1.0, 8.0), probability=0.1, seconds=1.5),
    Kind(name="burst", family="burst", target="people"),
)

FAMILIES: Final = tuple(dict.fromkeys(kind.family for kind in KINDS))

FIRST_AT_S: Final = 1.0
"""Something must be under way before the first fault."""

LASTS_SHARE_MAX: Final = 0.2
"""Of the whole run: a short run must have room for more than one fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How close faults follow each other. Times in seconds."""

    quiet_s: tuple[float, float] = (0.5, 4.0)
    """From the end of one to the next."""
    overlap: float = 0.3
    """How many begin while the one before is still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One fault to come; ``node`` and ``service`` where the kind needs them."""

    at_s: float
    lasts_s: float
    kind: Kind
    node: str = ""
    service: str = ""

    @property
    def target(self) -> str:
        parts = (self.node, self.service) if self.kind.target == "link" else (self.node,)
        return "–".join(part for part in parts if part) or self.kind.target

    @property
    def touches(self) -> frozenset[str]:
        """What nobody else may break or heal meanwhile."""
        match self.kind.target:
            case "node":
                return frozenset({self.node})
            case "link":
                return frozenset({f"link {self.service}"})
            case "redis" | "postgres" as service:
                return frozenset({service, f"link {service}"})
            case target:
                return frozenset({target})


def plan(
    seed: int,
    *,
    seconds: float,
    families: Sequence[str],
    nodes: Sequence[str],
    rhythm: Rhythm | None = None,
) -> tuple[Planned, ...]:
    """The faults of a run, by time. All have healed when ``seconds`` are over.

    Families take turns, and the kinds within each; so a run that is long enough has them all.
    """
    if not families:
        return ()
    rng = random.Random(f"nemesis {seed}")
    rhythm = rhythm or Rhythm()
    turns = _turns(rng, families)
    found: list[Planned] = []
    busy_until: dict[str, float] = {}
    at_s = min(FIRST_AT_S, seconds / 4)
    while at_s < seconds:
        drawn = _drawn(rng, next(turns), at_s, seconds * LASTS_SHARE_MAX, nodes)
        starts = max([at_s, *(busy_until.get(name, 0.0) for name in drawn.touches)])
        if starts + drawn.lasts_s > seconds:
            break
        fault = Planned(
            at_s=round(starts, 3),
            lasts_s=drawn.lasts_s,
            kind=drawn.kind,
            node=drawn.node,
            service=drawn.service,
        )
        found.append(fault)
        ends = starts + drawn.lasts_s
        busy_until |= dict.fromkeys(drawn.touches, ends + rhythm.quiet_s[0])
        overlaps = rng.random() < rhythm.overlap
        at_s = starts + rng.uniform(*rhythm.quiet_s) + (0.0 if overlaps else drawn.lasts_s)
    return tuple(found)


def _turns(rng: random.Random, families: Sequence[str]) -> Iterator[Kind]:
    """For ever: each family once in each round, each kind of a family in turn."""
    bags: dict[str, list[Kind]] = {family: [] for family in families}
    while True:
        for family in rng.sample(families, len(families)):
            bag = bags[family]
            if not bag:
                bag += [kind for kind in KINDS if kind.family == family]
                rng.shuffle(bag)
            yield bag.pop()


def _drawn(
    rng: random.Random, kind: Kind, at_s: float, lasts_max_s: float, nodes: Sequence[str]
) -> Planned:
    low, high = kind.lasts_s
    high = max(low, min(high, lasts_max_s))
    return Planned(
        at_s=at_s,
        lasts_s=round(min(rng.uniform(low, high), lasts_max_s), 3),
        kind=kind,
        node=rng.choice(nodes) if kind.target in {"node", "link"} else "",
        service=rng.choice(SERVICES) if kind.target == "link" else "",
    )
