"""What the takeover benchmark fills and judges."""

from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId
from actors.nodes import NodeIdentity
from lab.bench_takeover import fill, measure, report_of
from lab.bench_takeover_node import GONE, Taken
from storage.nodes import PostgresNodes
from storage.tickets import PostgresTicketStore
from tests.fakes.desk import MAIN_CHAT, scalar
from tests.fakes.operations import execute

pytestmark = pytest.mark.anyio


def taken(**more: float) -> Taken:
    seen = {
        "claimed": 1000,
        "noticed_s": 1.0,
        "claimed_s": 3.0,
        "base_bytes": 100_000_000,
        "grown_bytes": 500_000,
        "stop_ms": 20.0,
        "busy_ms": 10.0,
    }
    return Taken(**seen | more)  # type: ignore[arg-type]


async def test_what_is_filled_is_claimed_and_read_by_the_program(engine: AsyncEngine) -> None:
    await fill(engine, 30)
    heir = NodeIdentity(name="heir", incarnation="1", started_at=datetime.now(UTC))
    await PostgresNodes(engine).register(heir)
    store = PostgresTicketStore(engine, lambda: heir, ChatId(MAIN_CHAT))
    assert await store.revive(100) == []
    await execute(engine, "UPDATE nodes SET status = 'dead' WHERE owner = :owner", owner=GONE)
    tickets = await store.revive(100)
    assert len(tickets) == 30
    assert await store.waiting(100) == []
    loaded = await store.claim(tickets[-1])
    assert loaded is not None
    assert loaded.state.ticket_id == tickets[-1]
    seqs = "SELECT count(*) FROM inbox WHERE ticket_id = :ticket AND seq <= :handled"
    handled = await scalar(engine, seqs, ticket=tickets[-1], handled=loaded.handled_seq)
    assert handled == loaded.handled_seq


def test_the_figures_are_of_the_taking_without_the_noticing() -> None:
    report = report_of(1000, taken(), 0.5)
    assert (report.per_second, report.bytes_per_ticket, report.seconds) == (500.0, 500, 3.0)
    assert report.is_clean


@pytest.mark.parametrize(
    "missed",
    [{"claimed": 999}, {"claimed_s": 10.1}, {"grown_bytes": 1_001_000}, {"busy_ms": 50.1}],
    ids=str,
)
def test_each_goal_can_be_missed(missed: dict[str, float]) -> None:
    assert not report_of(1000, taken(**missed), 0.5).is_clean


@pytest.mark.processes
async def test_a_small_takeover_is_measured_from_end_to_end() -> None:
    report = await measure(100)
    assert report.claimed == 100
    assert 0 < report.noticed_seconds <= report.seconds < 60
    assert report.longest_stop_ms > 0
