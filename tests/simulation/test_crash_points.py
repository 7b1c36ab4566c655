"""A node may crash right before and right after anything that it asks of a store or of Telegram."""

import pytest

from lab.simulation.bugs import Bug
from lab.simulation.scenarios import SCENARIOS, Scenario, new_ticket, staff_write
from lab.simulation.sweep import Played, difference, play

NOTHING: frozenset[Bug] = frozenset()


def swept(scenario: Scenario, bugs: frozenset[Bug] = NOTHING) -> tuple[Played, list[str]]:
    """The scenario in peace, and what any of the crashes has changed."""
    peace = play(scenario, bugs=bugs)
    changes: list[str] = []
    for number, point in enumerate(peace.points, 1):
        changed = difference(peace, play(scenario, number, bugs))
        if changed is not None:
            changes.append(f"crash {point} ({number}): {changed.promise}: {changed.detail}")
    return peace, changes


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_point_changes_nothing_that_people_see(name: str) -> None:
    peace, changes = swept(SCENARIOS[name])
    assert peace.violation is None
    assert peace.picture.doubled == {}
    assert len(peace.points) > 10, "hardly anything was swept"
    assert changes == []


@pytest.mark.parametrize(
    ("bug", "name"),
    [
        (Bug.EARLY_ACKNOWLEDGEMENT, "client writes"),
        (Bug.NO_UNIQUE_KEY, "client writes"),
        (Bug.TIMER_WITHOUT_KEY, "survey timed out"),
    ],
)
def test_a_sweep_finds_what_a_crash_brings_to_light(bug: Bug, name: str) -> None:
    _, changes = swept(SCENARIOS[name], frozenset({bug}))
    assert changes


def test_what_was_sent_and_not_marked_is_there_twice_and_what_was_marked_is_not() -> None:
    scenario = Scenario(prelude=new_ticket, act=staff_write)  # one call alone
    peace = play(scenario)
    doubled = {
        point: play(scenario, number).picture.doubled
        for number, point in enumerate(peace.points, 1)
        if point in {"before CopyMessage", "after CopyMessage", "before mark", "after mark"}
    }
    assert [bool(rows) for rows in doubled.values()] == [False, True, True, False], doubled
