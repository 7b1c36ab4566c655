"""The short scenes of the delivery benchmark, small, from end to end; the flood takes minutes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bootstrap.cli import main

pytestmark = pytest.mark.timeout(180)


def measured(scene: str, tmp_path: Path, **options: float) -> dict[str, float]:
    """The figures of a run that lost nothing."""
    file = tmp_path / "figures.json"
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = CliRunner().invoke(main, ["bench", "delivery", scene, "--json", str(file), *given])
    assert done.exit_code == 0, done.output
    figures: dict[str, float] = json.loads(file.read_text())["medians"]
    return figures


def test_within_limits_all_arrives_and_no_call_is_made_twice(tmp_path: Path) -> None:
    figures = measured("limited", tmp_path, clients=3, messages=4, scale=6)
    assert (figures["messages"], figures["lost"]) == (12, 0)
    one_by_one = 3 * (2 + 4)  # a topic and a card for each client, and each text alone
    assert figures["calls_of_the_optimum"] == 9 <= figures["calls_in_group"] <= one_by_one
    assert figures["refused_429"] == 0


def test_in_a_storm_nothing_is_lost_and_what_failed_is_counted(tmp_path: Path) -> None:
    figures = measured("storm", tmp_path, clients=4, messages=10)
    assert (figures["messages"], figures["lost"], figures["out_of_order"]) == (40, 0, 0)
    assert figures["calls"] > 40
