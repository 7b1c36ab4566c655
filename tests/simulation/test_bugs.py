"""The checks of a run bite: each mistake that a run can be seeded with is found, and soon."""

from collections.abc import Iterator

import pytest

from lab.simulation.bugs import Bug
from lab.simulation.plan import FaultKind, draw
from lab.simulation.run import Outcome, simulate

SEEDS_MAX = 500

HOURS = 0.01
"""Virtual time of a run: some twenty messages of a person, and a few troubles."""

NEEDS: dict[Bug, tuple[FaultKind, ...]] = {
    Bug.NO_EPOCH: (FaultKind.MOVES,),
    Bug.LEASE_MARGIN: (FaultKind.PARTITION,),
    Bug.NO_REREAD: (FaultKind.REFUSED,),
    Bug.STOLEN_LEASE: (FaultKind.CRASH,),
    Bug.HASTY_HAND_OVER: (FaultKind.DEPLOY,),
    Bug.POISON_SWALLOWED: (FaultKind.POISON,),
    Bug.DEAD_KEEP_TICKETS: (FaultKind.CRASH,),
    Bug.HISTORY_OF_NOTHING: (FaultKind.TOPICS,),
}
"""Where it shows only when something goes wrong, what. Other seeds count, and are not run."""


def seeds(bug: Bug) -> Iterator[int]:
    for seed in range(1, SEEDS_MAX + 1):
        plan = draw(seed, HOURS)
        if bug is Bug.LOST_HINT and plan.faults:
            continue  # troubles excuse a message that waits
        if all(plan.has(kind) for kind in NEEDS.get(bug, ())):
            yield seed


def hunt(bug: Bug) -> Outcome:
    """The first seed whose run breaks a promise."""
    for seed in seeds(bug):
        outcome = simulate(seed, HOURS, frozenset({bug}))
        if outcome.violation is not None:
            return outcome
    raise AssertionError(f"{SEEDS_MAX} seeds do not show that {bug}")


@pytest.mark.parametrize("bug", list(Bug), ids=lambda bug: bug.name.lower())
def test_a_mistake_is_found_by_a_seed_that_is_well_without_it(bug: Bug) -> None:
    found = hunt(bug)
    assert found.violation is not None
    without = simulate(found.seed, HOURS)
    assert without.violation is None, f"seed {found.seed}: {without.violation}"
