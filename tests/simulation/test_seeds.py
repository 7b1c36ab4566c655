"""What anyone runs as ``topicdesk simulate``: many seeds, each the same wherever it runs."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import orjson
import pytest

from lab.simulation.bugs import Bug
from lab.simulation.cli import Summary, failure_text
from lab.simulation.pool import running
from lab.simulation.run import simulate
from lab.simulation.worker import Report, Task, run

BEHIND = ("nice", "-n", "19")
"""Time is virtual here: tests with real deadlines, in other workers, have the processors first."""


def topicdesk(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*BEHIND, sys.executable, "-m", "bootstrap", "simulate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def hash_elsewhere(seed: int, hash_seed: str) -> str:
    """Of the run in a process that orders its sets and names in its own way."""
    told = subprocess.run(
        [sys.executable, "-m", "lab.simulation.worker"],
        input=orjson.dumps(Task(seed=seed, hours=0.1)),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        check=True,
    )
    report = Report(**orjson.loads(told.stdout))
    assert not report.promise, report.detail
    return report.hash


@pytest.mark.timeout(3600)  # behind all others it may last as long as they do
def test_two_hundred_seeds_of_two_hours_keep_every_promise() -> None:
    done = topicdesk("--seeds", "200", "--hours", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert (told["seeds"], told["hours"], told["violations"]) == (200, 2.0, [])
    assert told["messages"] > 200 * 200  # a run in which nobody writes shows nothing
    assert told["runs"] > 200 * 5  # of three nodes or more, many of which end and begin anew


@pytest.mark.timeout(400)  # two of them beside each other, and slowly where coverage is measured
@pytest.mark.parametrize("seed", [3, 17])
def test_a_seed_is_the_same_in_every_process(seed: int) -> None:
    here = simulate(seed, 0.1).hash
    assert {here} == {hash_elsewhere(seed, "1"), hash_elsewhere(seed, "2")}
    assert here != simulate(seed + 1, 0.1).hash


def test_a_broken_promise_is_told_with_the_story_of_its_ticket_and_how_to_see_it_again() -> None:
    reports = (
        run(Task(seed=seed, hours=0.05, bugs=(Bug.MESSAGE_DROPPED.name,))) for seed in range(1, 50)
    )
    report = next(report for report in reports if report.promise)
    text = failure_text(report, 0.05)
    assert f"Seed {report.seed} broke a promise" in text
    assert f"topicdesk simulate --first {report.seed} --seeds 1 --hours 0.05" in text
    assert f"BROKEN: {report.promise}" in report.timeline[-1]
    assert len(report.timeline) > 1
    summary = Summary(0.05, {report.seed: report})
    assert summary.as_json()["violations"][0]["replay"] in text
    assert "1 broke a promise" in summary.text()


def test_the_hash_of_many_seeds_does_not_depend_on_who_was_done_first() -> None:
    one, two = Report(seed=1, seconds=1, hash="a"), Report(seed=2, seconds=1, hash="b")
    forwards, backwards = Summary(1.0, {1: one, 2: two}), Summary(1.0, {2: two, 1: one})
    assert forwards.hash == backwards.hash
    assert forwards.hash != Summary(1.0, {1: one, 2: replace(two, hash="c")}).hash


@pytest.mark.anyio
async def test_a_seed_that_ends_its_process_costs_the_others_nothing() -> None:
    tasks = [Task(seed=seed, hours=0.01) for seed in range(1, 5)]
    tasks.insert(1, Task(seed=99, hours=0.01, bugs=("NO_SUCH_BUG",)))
    async with running(tasks, jobs=2) as stream:
        reports = {report.seed: report async for report in stream}
    assert sorted(reports) == [1, 2, 3, 4, 99]
    assert reports[99].promise == "a run comes to its end"
    assert "NO_SUCH_BUG" in reports[99].detail
    assert not any(reports[seed].promise for seed in range(1, 5))


def test_wrong_use_is_said() -> None:
    done = topicdesk("--hours", "0")
    assert done.returncode == 2
    assert "--hours" in done.stderr
