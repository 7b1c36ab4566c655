"""The schedule of faults: told by its seed, complete, and never two hands on one thing."""

from itertools import combinations

import pytest

from lab.chaos.faults import FAMILIES, KINDS, plan

NODES = ("node-1", "node-2", "node-3")


def test_a_seed_tells_the_whole_schedule() -> None:
    drawn = [plan(seed, seconds=120, families=FAMILIES, nodes=NODES) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_long_run_has_every_kind_on_every_node() -> None:
    faults = plan(1, seconds=3600, families=FAMILIES, nodes=NODES)
    assert {fault.kind.name for fault in faults} == {kind.name for kind in KINDS}
    assert {fault.node for fault in faults if fault.kind.name == "kill"} == set(NODES)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("seconds", [5, 20, 600])
def test_all_is_healed_in_the_end_and_nothing_is_broken_twice_at_once(
    seed: int, seconds: float
) -> None:
    faults = plan(seed, seconds=seconds, families=FAMILIES, nodes=NODES)
    assert faults
    assert all(fault.at_s + fault.lasts_s <= seconds for fault in faults)
    for one, other in combinations(faults, 2):
        if one.touches & other.touches:
            first, second = sorted((one, other), key=lambda fault: fault.at_s)
            assert first.at_s + first.lasts_s < second.at_s


def test_some_faults_come_together() -> None:
    faults = plan(3, seconds=600, families=FAMILIES, nodes=NODES)
    assert any(
        one.at_s < other.at_s < one.at_s + one.lasts_s for one, other in combinations(faults, 2)
    )


def test_only_what_was_asked_for_is_broken() -> None:
    faults = plan(1, seconds=60, families=["redis", "telegram"], nodes=["node-1"])
    assert {fault.kind.family for fault in faults} == {"redis", "telegram"}


def test_without_families_nothing_breaks() -> None:
    assert plan(1, seconds=60, families=[], nodes=["node-1"]) == ()
