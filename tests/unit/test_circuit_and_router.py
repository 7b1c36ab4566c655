"""A node whose turns fail takes no more tickets; messages find the run that owns their ticket."""

from datetime import UTC, datetime

import pytest

from actors.ids import Seq, TicketId
from actors.messages import Envelope, TimerFired
from supervisor.circuit import Circuit
from supervisor.router import Router
from tests.fakes.nodes import NotedHints

SECONDS, FEW = 30.0, 40


def circuit() -> Circuit:
    return Circuit(window_s=SECONDS, share_max=0.05, turns_min=FEW)


@pytest.mark.parametrize(("failures", "is_open"), [(0, False), (5, False), (6, True)])
def test_more_than_a_twentieth_of_the_turns_opens_it(failures: int, *, is_open: bool) -> None:
    tested = circuit()
    for number in range(100):
        tested.count(number * 0.1, failed=number < failures)
    assert tested.is_open(10) is is_open


def test_few_turns_are_no_verdict() -> None:
    tested = circuit()
    for _ in range(FEW - 1):
        tested.count(1, failed=True)
    assert not tested.is_open(1)
    tested.count(1, failed=True)
    assert tested.is_open(1)


def test_it_closes_when_the_failures_are_long_ago() -> None:
    tested = circuit()
    for _ in range(100):
        tested.count(1, failed=True)
    assert tested.is_open(SECONDS)
    assert not tested.is_open(SECONDS + 3)


class Local:
    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    def offer(self, envelopes: list[Envelope]) -> None:
        self.taken += envelopes


def envelope(ticket: int, owner: str | None) -> Envelope:
    return Envelope(
        ticket_id=TicketId(ticket),
        seq=Seq(1),
        key=f"test:{ticket}",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        message=TimerFired(name="x"),
        owner=owner,
    )


def test_own_and_new_tickets_stay_and_the_others_owners_are_told_once_each() -> None:
    local, hints = Local(), NotedHints()
    router = Router(local, hints, lambda: "me/1")  # type: ignore[arg-type]
    mail = [envelope(1, "me/1"), envelope(2, None), envelope(3, "b/1"), envelope(4, "b/1")]
    router.offer([*mail, envelope(5, "me/0")])
    assert [each.ticket_id for each in local.taken] == [1, 2]
    assert hints.told == [("b/1", (3, 4)), ("me/0", (5,))]
