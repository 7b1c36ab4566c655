"""Many requests share one call; each hears what became of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from actors.errors import Transient
from bot.grouped import Grouped

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend(core_backend: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return core_backend


class Work:
    """Records groups; fails for items that it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.bad: dict[int, Exception] = {}
        self.gate = anyio.Event()
        self.gate.set()
        self.entered = anyio.Event()

    async def __call__(self, items: Sequence[int]) -> None:
        self.groups.append(list(items))
        self.entered.set()
        await self.gate.wait()
        for item in items:
            if item in self.bad:
                raise self.bad[item]


@asynccontextmanager
async def running(work: Work, group_max: int = 64) -> AsyncIterator[Grouped[int]]:
    grouped = Grouped(work, group_max)
    async with anyio.create_task_group() as group:
        group.start_soon(grouped.run)
        yield grouped
        group.cancel_scope.cancel()
    grouped.close()


async def ask(grouped: Grouped[int], items: Sequence[int]) -> dict[int, Exception | None]:
    """Asks for all at once; returns each one's error."""
    heard: dict[int, Exception | None] = {}

    async def one(item: int) -> None:
        heard[item] = None
        try:
            await grouped(item)
        except (Transient, ValueError) as error:
            heard[item] = error

    async with anyio.create_task_group() as group:
        for item in items:
            group.start_soon(one, item)
    return heard


async def test_what_comes_during_a_call_goes_together_with_the_next() -> None:
    work = Work()
    work.gate = anyio.Event()
    async with running(work, group_max=10) as grouped, anyio.create_task_group() as group:
        group.start_soon(grouped, 0)
        await work.entered.wait()
        for item in range(1, 16):
            group.start_soon(grouped, item)
        await anyio.wait_all_tasks_blocked()
        work.gate.set()
    assert [len(each) for each in work.groups] == [1, 10, 5]
    assert sorted(item for each in work.groups for item in each) == list(range(16))


async def test_an_outage_reaches_everyone_of_the_group() -> None:
    work = Work()
    work.bad[3] = Transient("away")
    async with running(work) as grouped:
        heard = await ask(grouped, range(5))
    assert len(work.groups) == 1
    assert all(isinstance(error, Transient) for error in heard.values())


async def test_one_bad_item_takes_no_other_down() -> None:
    work = Work()
    work.bad[3] = ValueError("bad")
    async with running(work) as grouped:
        heard = await ask(grouped, range(5))
    assert {item: type(error) for item, error in heard.items() if error} == {3: ValueError}


async def test_nobody_is_told_of_a_success_that_was_cut_short() -> None:
    work = Work()
    work.gate = anyio.Event()
    heard: list[str] = []

    async def one(grouped: Grouped[int]) -> None:
        try:
            await grouped(1)
        except Transient:
            heard.append("not done")
        else:
            heard.append("done")

    async with anyio.create_task_group() as group, running(work) as grouped:
        group.start_soon(one, grouped)
        await work.entered.wait()
    assert heard == ["not done"]


async def test_a_further_call_waits_for_the_one_under_way_but_not_for_one_that_hangs() -> None:
    work = Work()
    work.gate = anyio.Event()
    grouped = Grouped(work, group_max=10, patience_s=0.2)
    async with anyio.create_task_group() as runners, anyio.create_task_group() as asking:
        for _ in range(2):
            runners.start_soon(grouped.run)
        asking.start_soon(grouped, 0)
        await work.entered.wait()
        for item in range(1, 5):
            asking.start_soon(grouped, item)
        await anyio.wait_all_tasks_blocked()
        assert work.groups == [[0]]
        await anyio.sleep(0.3)
        assert [sorted(each) for each in work.groups] == [[0], [1, 2, 3, 4]]
        work.gate.set()
        await anyio.wait_all_tasks_blocked()
        runners.cancel_scope.cancel()
    grouped.close()


async def test_what_fills_a_group_does_not_wait() -> None:
    work = Work()
    work.gate = anyio.Event()
    grouped = Grouped(work, group_max=3, patience_s=60)
    async with anyio.create_task_group() as runners, anyio.create_task_group() as asking:
        for _ in range(2):
            runners.start_soon(grouped.run)
        asking.start_soon(grouped, 0)
        await work.entered.wait()
        for item in range(1, 4):
            asking.start_soon(grouped, item)
        await anyio.wait_all_tasks_blocked()
        assert [sorted(each) for each in work.groups] == [[0], [1, 2, 3]]
        work.gate.set()
        await anyio.wait_all_tasks_blocked()
        runners.cancel_scope.cancel()
    grouped.close()


async def test_all_who_run_go_on_taking_whatever_came_before() -> None:
    work = Work()
    grouped = Grouped(work, group_max=1)
    async with anyio.create_task_group() as runners:
        for _ in range(4):
            runners.start_soon(grouped.run)
        await anyio.wait_all_tasks_blocked()
        await grouped(0)  # wakes them all; three find nothing
        await anyio.wait_all_tasks_blocked()
        work.gate = anyio.Event()
        async with anyio.create_task_group() as asking:
            for item in range(1, 9):
                asking.start_soon(grouped, item)
            await anyio.wait_all_tasks_blocked()
            assert len(work.groups) == 1 + 4
            work.gate.set()
        runners.cancel_scope.cancel()
    grouped.close()
