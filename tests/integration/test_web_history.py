"""Minutes and crashes: written by each node, put together for the charts, bounded in time."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.nodes import Role
from bootstrap.historian import CrashReporter, Historian
from bootstrap.history import NAMES, Columns, columns
from bootstrap.picture import NodePicture
from storage.stats import REST_MAX_S, StoreCounts
from storage.stats_history import CrashSeen, Minute, StatsHistory
from storage.stats_tickets import TicketSights
from tests.fakes.desk import rows
from tests.fakes.operations import add_node, execute, open_ticket
from tests.fakes.pictures import picture
from tests.fakes.reporter import MemoryReporter

pytestmark = pytest.mark.anyio

HOUR = 3600


@pytest.fixture
def history(engine: AsyncEngine) -> StatsHistory:
    return StatsHistory(engine)


def minute(at: int, run: str = "a/1", **data: float) -> Minute:
    return Minute(minute=at, run=run, data=data)


# --- columns --------------------------------------------------------------------------------


def test_steps_are_rates_sums_and_the_worst_of_all_nodes_and_gaps_stay_gaps() -> None:
    end = 7200
    found = columns(
        [
            minute(end - 120, "a/1", handled=60, crashes=1, actors=5, turn_p95_s=0.1),
            minute(end - 120, "b/1", handled=120, crashes=2, actors=7, turn_p95_s=0.3),
            minute(end - 60, "a/1", handled=30, crashes=0, actors=5, turn_p95_s=0.2),
        ],
        "hour",
        end,
    )
    assert (found.step_s, len(found.at), found.at[-1]) == (60, 60, end - 60)
    assert found.columns["handled"][-3:] == (None, 3.0, 0.5)
    assert found.columns["crashes"][-2:] == (3, 0)
    assert found.columns["actors"][-2:] == (12, 5)
    assert found.columns["turn_p95_s"][-2:] == (0.3, 0.2)
    assert found.columns["nodes"][-3:] == (None, 2, 1)
    assert found.columns["open_tickets"][-1] is None
    assert set(found.columns) == set(NAMES)


def test_a_day_is_in_steps_of_ten_minutes_whose_rates_are_of_the_minutes_that_were() -> None:
    end = 86_400
    day = columns([minute(end - 600 + 60 * i, sent=60) for i in (0, 1, 5)], "day", end)
    assert (day.step_s, len(day.at)) == (600, 144)
    assert day.columns["sent"][-2:] == (None, 1.0)


async def test_what_was_written_is_read_again_and_a_minute_written_twice_counts_once(
    history: StatsHistory,
) -> None:
    now = int(time.time()) // 60 * 60
    await history.write([minute(now - 60, handled=60), minute(now, handled=120)])
    await history.write([minute(now, handled=180)])
    found = await Columns(history).of("hour")
    assert [value for value in found.columns["handled"] if value is not None] == [1.0, 3.0]


async def test_what_is_older_than_a_day_and_an_hour_is_forgotten_and_crashes_after_a_week(
    engine: AsyncEngine, history: StatsHistory
) -> None:
    ticket = (await open_ticket(engine)).ticket_id
    now = int(time.time()) // 60 * 60
    await history.write([minute(now - h * HOUR, handled=1) for h in (0, 24, 26)])
    for days in (0, 6, 8):
        seen = CrashSeen(
            ts=datetime.now(UTC) - timedelta(days=days),
            ticket_id=ticket,
            seq=1,
            error=f"{days}",
            trace="",
        )
        await history.crashed("a/1", [seen])
    await history.forget()
    assert len(await history.since(0)) == 2
    kept = await rows(engine, "SELECT error FROM crashes ORDER BY id")
    assert [row.error for row in kept] == ["0", "6"]


async def test_a_crash_of_no_ticket_is_left_out_and_what_postgres_cannot_store_is_replaced(
    engine: AsyncEngine, history: StatsHistory
) -> None:
    ticket = (await open_ticket(engine)).ticket_id
    seen = CrashSeen(
        ts=datetime.now(UTC), ticket_id=ticket, seq=None, error="a\0b\ud800", trace="x" * 30_000
    )
    await history.crashed("a/1", [seen, replace(seen, ticket_id=999)])
    [row] = await rows(engine, "SELECT * FROM crashes")
    assert (row.ticket_id, len(row.trace)) == (ticket, 20_000)
    story = await TicketSights(engine).story(ticket)
    assert story.crashes[0].error == row.error


# --- the historian --------------------------------------------------------------------------


class FakeStatus:
    """What the historian asks of the status: pictures of this node, and to tell the others."""

    def __init__(self) -> None:
        self.picture: NodePicture = picture("a")
        self.told = 0

    def own(self) -> NodePicture:
        return self.picture

    async def tell(self) -> None:
        self.told += 1

    async def stored(self) -> Any:
        return None


class FakeNode:
    def __init__(self, run: str) -> None:
        self.identity = type("Identity", (), {"owner": run})

    def holds(self, role: Role) -> bool:
        return role is Role.DESK


class Clock:
    now = 6_000_000_000.0 // 60 * 60

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def scene(engine: AsyncEngine) -> AsyncIterator[Any]:
    run = await add_node(engine, "a")
    scene = type("Scene", (), {})()
    scene.status, scene.clock, scene.asked = FakeStatus(), Clock(), []
    scene.clock.now = time.time() // 60 * 60
    scene.reporter = CrashReporter(MemoryReporter())
    scene.historian = Historian(
        status=scene.status,
        node=FakeNode(run),  # type: ignore[arg-type]
        engine=engine,
        reporter=scene.reporter,
        drain=scene.asked.append,
        now=scene.clock,
    )
    async with anyio.create_task_group() as group:
        await group.start(scene.historian.run)
        yield scene
        group.cancel_scope.cancel()


async def until(look: Any) -> Any:
    with anyio.fail_after(10):
        while True:
            if found := await look():
                return found
            await anyio.sleep(0.05)


async def test_each_minute_one_row_tells_what_was_done_since_the_last(
    engine: AsyncEngine, scene: Any
) -> None:
    began = scene.clock.now
    scene.status.picture = picture("a", handled=130)
    scene.clock.now += 60
    [row] = await until(lambda: rows(engine, "SELECT * FROM stats_minutes"))
    assert (row.run, row.minute.timestamp(), row.data["handled"]) == ("a/1", began, 130)
    scene.status.picture = picture("a", handled=150)
    scene.clock.now += 60
    look = "SELECT * FROM stats_minutes OFFSET 1"
    [row] = await until(lambda: rows(engine, look))
    assert row.data["handled"] == 20


async def test_a_crash_is_written_with_its_trace_and_still_reported(
    engine: AsyncEngine, scene: Any
) -> None:
    ticket = (await open_ticket(engine)).ticket_id
    try:
        raise KeyError("technician 7")  # noqa: TRY301 - for its traceback
    except KeyError as error:
        scene.reporter.error("actor_crashed", ticket_id=ticket, seq=3, exc_info=error)
        scene.reporter.error("message_dead_lettered", ticket_id=ticket, exc_info=error)
    [row] = await until(lambda: rows(engine, "SELECT * FROM crashes"))
    assert (row.ticket_id, row.seq, row.run) == (ticket, 3, "a/1")
    assert row.error == "KeyError('technician 7')"
    assert 'raise KeyError("technician 7")' in row.trace


async def test_a_wish_to_drain_is_heard_once_and_only_by_its_run(
    engine: AsyncEngine, scene: Any
) -> None:
    await add_node(engine, "b")
    await execute(engine, "UPDATE nodes SET drain_asked_by = 'olga' WHERE name = 'b'")
    told = scene.status.told
    await until(lambda: _reached(scene, told + 3))
    assert scene.asked == []
    await execute(engine, "UPDATE nodes SET drain_asked_by = 'olga' WHERE name = 'a'")
    await until(lambda: _asked(scene))
    told = scene.status.told
    await until(lambda: _reached(scene, told + 3))
    assert scene.asked == ["olga"]


async def test_an_outage_loses_no_minute(
    engine: AsyncEngine, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(minutes: Any) -> None:
        raise Transient("away")

    with monkeypatch.context() as patch:
        patch.setattr(scene.historian._history, "write", away)
        for waiting, handled in enumerate((100, 150), 1):
            scene.status.picture = picture("a", handled=handled)
            scene.clock.now += 60
            await until(lambda waiting=waiting: _waiting(scene, waiting))
        assert await rows(engine, "SELECT * FROM stats_minutes") == []
    scene.status.picture = picture("a", handled=160)
    scene.clock.now += 60
    found = await until(lambda: rows(engine, "SELECT * FROM stats_minutes ORDER BY minute"))
    assert [row.data["handled"] for row in found] == [100, 50, 10]


async def _reached(scene: Any, count: int) -> bool:
    return bool(scene.status.told >= count)


async def _waiting(scene: Any, count: int) -> bool:
    return len(scene.historian._minutes) == count


async def _asked(scene: Any) -> bool:
    return bool(scene.asked)


# --- counting -------------------------------------------------------------------------------


async def test_counts_that_take_long_are_made_less_often_and_closed_ones_still_less(
    engine: AsyncEngine,
) -> None:
    now, step_s = 0.0, 0.125

    def clock() -> float:
        nonlocal now
        now += step_s  # each look at the clock finds it so much later
        return now

    counts = StoreCounts(engine, clock)
    await open_ticket(engine)
    first = await counts.look()
    assert (first.tickets["NEW"], first.tickets["CLOSED"], first.mail) == (1, 0, 1)
    assert counts.rest_s == 6.25
    await execute(engine, "UPDATE tickets SET status = 'CLOSED'")
    second = await counts.look()
    assert (second.tickets["NEW"], second.tickets["CLOSED"]) == (0, 0)
    now += 100.0
    assert (await counts.look()).tickets["CLOSED"] == 1
    step_s = 2.0  # a machine that crawls makes no page old for minutes
    await counts.look()
    assert counts.rest_s == REST_MAX_S
