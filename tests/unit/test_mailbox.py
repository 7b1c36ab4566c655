"""The mailbox is a bounded, gap-free window; what it does not take is read later."""

import pytest

from actors.ids import Seq, TicketId
from actors.messages import Envelope, TimerFired
from supervisor.mailbox import ENVELOPE_BYTES, Mailbox, Window
from tests.fakes.tickets import START


def envelope(seq: int) -> Envelope:
    return Envelope(
        ticket_id=TicketId(1),
        seq=Seq(seq),
        key=f"k{seq}",
        received_at=START,
        message=TimerFired(name="t"),
    )


@pytest.fixture
def mailbox() -> Mailbox:
    box = Mailbox(Window(100), messages_max=4, bytes_max=10 * ENVELOPE_BYTES)
    box.start_after(Seq(0))
    return box


def seqs(mailbox: Mailbox) -> list[int]:
    return [e.seq for e in mailbox.peek(100)]


def test_takes_messages_in_order(mailbox: Mailbox) -> None:
    """What comes next is taken, and handed out in that order."""
    assert all(mailbox.offer(envelope(seq)) for seq in (1, 2, 3))
    assert seqs(mailbox) == [1, 2, 3]


def test_a_repeated_hint_changes_nothing(mailbox: Mailbox) -> None:
    mailbox.offer(envelope(1))
    assert not mailbox.offer(envelope(1))
    assert seqs(mailbox) == [1]
    assert not mailbox.behind


def test_a_gap_is_left_to_the_inbox(mailbox: Mailbox) -> None:
    """Message 3 must not be handled before 2, whose hint was lost."""
    mailbox.offer(envelope(1))
    assert not mailbox.offer(envelope(3))
    assert seqs(mailbox) == [1]
    assert mailbox.behind


def test_over_its_bound_it_takes_nothing_and_falls_behind(mailbox: Mailbox) -> None:
    for seq in range(1, 8):
        mailbox.offer(envelope(seq))
    assert seqs(mailbox) == [1, 2, 3, 4]
    assert mailbox.behind


def test_while_behind_it_takes_no_hint_even_when_there_is_room(mailbox: Mailbox) -> None:
    """Otherwise 6 could slip in before 5, which waits in the inbox."""
    for seq in range(1, 6):
        mailbox.offer(envelope(seq))
    mailbox.start_after(Seq(2))
    assert not mailbox.offer(envelope(6))
    assert seqs(mailbox) == [3, 4]


def test_reading_to_the_end_of_the_inbox_ends_being_behind(mailbox: Mailbox) -> None:
    mailbox.offer(envelope(2))
    mailbox.fill([envelope(1), envelope(2)], complete=True, missed=mailbox.missed)
    assert seqs(mailbox) == [1, 2]
    assert not mailbox.behind


def test_a_hint_that_came_during_the_reading_keeps_it_behind(mailbox: Mailbox) -> None:
    """The row behind that hint may have been committed after the reading."""
    mailbox.clear()
    missed = mailbox.missed
    mailbox.offer(envelope(2))
    mailbox.fill([envelope(1)], complete=True, missed=missed)
    assert mailbox.behind


def test_a_window_that_does_not_continue_the_loaded_ticket_is_read_again() -> None:
    box = Mailbox(Window(100), messages_max=4, bytes_max=10 * ENVELOPE_BYTES)
    box.offer(envelope(7))
    box.start_after(Seq(4))
    assert not box
    assert box.behind


def test_all_mailboxes_share_the_window_of_the_node() -> None:
    """One message always fits, so that no ticket can be starved by another."""
    window = Window(2)
    first = Mailbox(window, messages_max=9, bytes_max=10**6)
    second = Mailbox(window, messages_max=9, bytes_max=10**6)
    assert [first.offer(envelope(seq)) for seq in (1, 2, 3)] == [True, True, False]
    assert second.offer(envelope(1))
    assert not second.offer(envelope(2))
    first.clear()
    second.clear()
    assert window.messages == 0
