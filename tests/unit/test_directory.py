"""Who is here: actors that are awake, and the numbers of those that sleep."""

import pytest

from actors.ids import TicketId
from supervisor.actor import ActorStatus
from supervisor.directory import Directory
from supervisor.options import RuntimeOptions

ONE, TWO, THREE = (TicketId(n) for n in (1, 2, 3))


@pytest.fixture
def directory() -> Directory:
    return Directory(RuntimeOptions())


def test_those_asleep_are_counted_as_idle_and_looked_at_by_nobody(directory: Directory) -> None:
    directory.find_or_add(ONE)
    directory.add_asleep([ONE, TWO, THREE])
    assert [actor.ticket_id for actor in directory] == [ONE]
    assert len(directory) == directory.counts[ActorStatus.IDLE] == 3
    assert directory.find(TWO) is None


def test_who_wakes_up_is_counted_once(directory: Directory) -> None:
    directory.add_asleep([ONE])
    actor = directory.find_or_add(ONE)
    directory.move(actor, ActorStatus.QUEUED)
    directory.add_asleep([ONE])
    assert directory.find(ONE) is actor
    assert (len(directory), directory.counts[ActorStatus.IDLE]) == (1, 0)


def test_who_falls_asleep_is_let_go_of_by_all_who_hold_it(directory: Directory) -> None:
    actor = directory.find_or_add(ONE)
    directory.put_to_sleep(actor)
    assert actor.is_gone
    assert len(directory) == 1
    assert directory.find_or_add(ONE) is not actor
    assert len(directory) == 1


def test_those_asleep_can_be_forgotten(directory: Directory) -> None:
    awake = directory.find_or_add(ONE)
    directory.add_asleep([TWO, THREE])
    directory.forget_asleep([ONE, TWO])
    assert len(directory) == 2
    directory.forget_asleep()
    assert list(directory) == [awake]
    assert len(directory) == 1
