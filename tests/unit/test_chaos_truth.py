"""The chaos run's comparison of a status page with the database."""

from typing import Any

import orjson
import pytest

from lab.chaos.checker import judge
from lab.chaos.history import History
from lab.chaos.truth import differences
from tests.fakes import status_samples as samples

PAGE: Any = orjson.loads(orjson.dumps(samples.overview()))
STORED = {
    "tickets": 1297,
    "new": 3,
    "work": 54,
    "closed": 1240,
    "mail": 7,
    "unsent": 9,
    "undeliverable": 2,
    "dead_letters": 1,
    "quarantined": 0,
}


def test_a_page_that_says_what_the_database_does_differs_in_nothing() -> None:
    assert differences(PAGE, STORED) == ""


@pytest.mark.parametrize("name", sorted(STORED))
def test_each_number_that_is_wrong_is_named(name: str) -> None:
    stored = STORED | {name: STORED[name] + 1}
    assert differences(PAGE, stored) == f"{name} {STORED[name]}, not {stored[name]}"


def test_a_page_without_all_nodes_is_not_compared_but_named() -> None:
    assert differences(PAGE | {"is_complete": False}, STORED) == "not all nodes are in it"


def test_a_page_that_was_wrong_breaks_the_run() -> None:
    history = History(pages_read=9, pages_wrong=["node-1 at rest: mail 1, not 0"])
    verdict = judge(history)
    assert "1 status pages were wrong" in verdict.violations
    assert verdict.examples[-1] == "node-1 at rest: mail 1, not 0"
