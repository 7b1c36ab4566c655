"""What every store of tickets promises."""

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from actors.decision import SAID, Actor, ArmTimer, CancelTimer, Decision, Event
from actors.effects import Copy, CopyHistory, Resend, Say, Text
from actors.ids import Epoch, Seq, TicketId
from actors.messages import ClientWrote, CloseRequested, Envelope, FailureReason, TimerFired
from actors.places import MAIN
from actors.ports import CommitStatus, LoadedTicket, Turn, Undeliverable
from actors.workflows import decide
from tests.contract.conftest import Stores
from tests.fakes.case import MARIA

pytestmark = pytest.mark.anyio

HELLO = Say(place=MAIN, text=Text(key="received"))
CARD = Say(place=MAIN, text=Text(key="closed-by", args={"by": "Ann"}))


async def test_a_new_ticket_knows_its_client_and_has_handled_nothing(stores: Stores) -> None:
    envelope = await stores.receive(1, client=7)
    loaded = await stores.claim(envelope.ticket_id)
    assert (loaded.version, loaded.handled_seq) == (0, 0)
    assert (loaded.state.client.id, loaded.state.client.name) == (7, "Client 7")
    assert await stores.tickets.claim(TicketId(envelope.ticket_id + 1000)) is None


async def test_what_was_committed_is_what_the_next_claim_reads(stores: Stores) -> None:
    first, second = await stores.receive(1), await stores.receive(2)
    loaded = await stores.claim(first.ticket_id)
    state = replace(loaded.state, opened=True, generation=3)
    steps = [(first, Decision(state=loaded.state)), (second, Decision(state=state))]
    outcome = await stores.commit(loaded, *steps)
    assert outcome.status is CommitStatus.COMMITTED
    again = await stores.claim(first.ticket_id)
    assert again == LoadedTicket(
        state=state, epoch=Epoch(loaded.epoch + 1), version=1, handled_seq=Seq(2)
    )
    assert list(await stores.tickets.waiting(10)) == []


@pytest.mark.parametrize("how", ["claimed by another", "committed before"])
async def test_a_fenced_turn_leaves_no_trace(stores: Stores, how: str) -> None:
    first, second = await stores.receive(1), await stores.receive(2)
    loaded = await stores.claim(first.ticket_id)
    if how == "committed before":
        await stores.commit(loaded, (first, Decision(state=loaded.state)))
        envelope = second
    else:
        await stores.claim(first.ticket_id)
        envelope = first
    timer = ArmTimer(name="now", after=timedelta(0))
    decision = Decision(state=loaded.state, effects=(HELLO,), timers=(timer,))
    outcome = await stores.commit(loaded, (envelope, decision))
    assert (outcome.status, outcome.lanes) == (CommitStatus.FENCED, ())
    assert envelope in await stores.unhandled(first.ticket_id)
    assert await stores.lane(f"main:{first.ticket_id}") == []
    assert list(await stores.tickets.fire_timers(10)) == []


async def test_two_turns_of_one_ticket_are_never_written_together(stores: Stores) -> None:
    """The one that is fenced would have its events and effects written with the other's."""
    envelope = await stores.receive(1)
    former = await stores.claim(envelope.ticket_id)
    present = await stores.claim(envelope.ticket_id)
    turns = [
        Turn(
            ticket_id=envelope.ticket_id,
            epoch=loaded.epoch,
            version=loaded.version,
            steps=((envelope, Decision(state=loaded.state, effects=(HELLO,))),),
        )
        for loaded in (former, present)
    ]
    with pytest.raises(ValueError, match="two turns of one ticket"):
        await stores.tickets.commit(turns)
    assert await stores.lane(f"main:{envelope.ticket_id}") == []
    outcomes = [(await stores.tickets.commit([turn]))[0].status for turn in turns]
    assert outcomes == [CommitStatus.FENCED, CommitStatus.COMMITTED]
    assert len(await stores.lane(f"main:{envelope.ticket_id}")) == 1


async def test_the_lanes_with_new_rows_are_named(stores: Stores) -> None:
    envelope = await stores.receive(1)
    loaded = await stores.claim(envelope.ticket_id)
    outcome = await stores.commit(
        loaded, (envelope, Decision(state=loaded.state, effects=(HELLO, HELLO)))
    )
    assert outcome.lanes == (f"main:{envelope.ticket_id}",)


async def test_history_is_what_earlier_commits_said_after_a_seq_where_the_effect_stood(
    stores: Stores,
) -> None:
    said = [await stores.receive(number) for number in (1, 2, 3)]
    label = Text(key="label-staff", args={"name": "Ann"})
    for number, envelope in enumerate(said):
        loaded = await stores.claim(envelope.ticket_id)
        assert isinstance(envelope.message, ClientWrote)
        event = Event(
            actor=Actor.CLIENT,
            action=SAID if number != 1 else "noted",
            content=envelope.message.content,
            label=label,
        )
        await stores.commit(loaded, (envelope, Decision(state=loaded.state, events=(event,))))
    history = CopyHistory(place=MAIN, after_seq=0)
    newer = CopyHistory(place=MAIN, after_seq=1)
    ticket_id = await stores.decide(4, HELLO, history, HELLO, newer)
    copies = [
        Copy(place=MAIN, content=envelope.message.content, label=label)
        for envelope in (said[0], said[2])
        if isinstance(envelope.message, ClientWrote)
    ]
    assert [row.effect for row in await stores.lane(f"main:{ticket_id}")] == [
        HELLO,
        *copies,
        HELLO,
        copies[1],
    ]


async def test_what_could_not_be_delivered_is_sent_again_once_and_only_for_its_own_ticket(
    stores: Stores,
) -> None:
    ticket_id = await stores.decide(1, HELLO, CARD)
    lane = f"main:{ticket_id}"
    [row, card] = await stores.lane(lane)
    assert card.effect == CARD
    failed = Undeliverable(row=row, reason=FailureReason.REFUSED, detail="no")
    await stores.outbox.settle([failed])
    other = await stores.decide(1, Resend(place=MAIN, row=row.id), client=2)
    assert await stores.lane(f"main:{other}") == []
    again = Resend(place=MAIN, row=row.id)
    await stores.decide(2, again, CARD)
    assert [each.effect for each in await stores.lane(lane)] == [CARD, HELLO, CARD]
    await stores.decide(3, again)
    assert len(await stores.lane(lane)) == 3, "it has been sent again already"
    await stores.decide(4, Resend(place=MAIN, row=card.id))
    assert len(await stores.lane(lane)) == 3, "nor what has not failed at all"


async def test_a_timer_fires_once_and_only_when_it_is_due_and_still_armed(
    stores: Stores,
) -> None:
    envelope = await stores.receive(1)
    loaded = await stores.claim(envelope.ticket_id)
    arm = (
        ArmTimer(name="now", after=timedelta(0)),
        ArmTimer(name="later", after=timedelta(hours=1)),
        ArmTimer(name="never", after=timedelta(0)),
        CancelTimer(name="never"),
    )
    await stores.commit(loaded, (envelope, Decision(state=loaded.state, timers=arm)))
    fired: list[Envelope] = []

    async def fire() -> None:
        fired.extend(await stores.tickets.fire_timers(10))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(fire)
    assert [(each.message, each.seq) for each in fired] == [(TimerFired(name="now"), 2)]
    assert await stores.unhandled(envelope.ticket_id) == fired


async def test_the_ticket_that_waits_longest_comes_first(stores: Stores) -> None:
    tickets = [(await stores.receive(1, client=client)).ticket_id for client in (3, 1, 2)]
    await stores.receive(2, client=3)
    assert list(await stores.tickets.waiting(10)) == tickets
    assert list(await stores.tickets.waiting(2)) == tickets[:2]


async def test_a_message_for_the_next_ticket_is_moved_once(stores: Stores) -> None:
    """Also when there is no next ticket yet."""
    first, second = await stores.receive(1), await stores.receive(2)
    loaded = await stores.claim(first.ticket_id)
    order = replace(first, message=CloseRequested(by=MARIA, place=MAIN))
    await stores.commit(loaded, (first, decide(loaded.state, order)))
    loaded = await stores.claim(first.ticket_id)
    outcome = await stores.commit(loaded, (second, Decision(state=loaded.state, reroute=True)))
    [moved] = outcome.rerouted
    assert (moved.ticket_id != first.ticket_id, moved.seq) == (True, 1)
    assert moved.message == second.message
    assert await stores.unhandled(moved.ticket_id) == [moved]
    assert list(await stores.tickets.waiting(10)) == [moved.ticket_id]
