"""What every outbox and address book promises."""

import pytest

from actors.effects import OpenTopic, Say, Text
from actors.ids import ChatId, MessageId, Seq, ThreadId
from actors.messages import DeliveryFailed, FailureReason, TopicOpened
from actors.places import CLIENT, MAIN
from actors.ports import (
    Address,
    Postponed,
    Sent,
    Superseded,
    TopicAddress,
    TopicLost,
    Undeliverable,
)
from tests.contract.conftest import Stores
from tests.fakes.desk import MAIN_CHAT

pytestmark = pytest.mark.anyio

TOPIC = OpenTopic(place=MAIN, title=Text(key="title-new"))
ONE = Say(place=MAIN, text=Text(key="one"), tag="survey")
TWO = Say(place=MAIN, text=Text(key="two"))


async def test_a_lane_is_in_the_order_of_decisions(stores: Stores) -> None:
    ticket_id = await stores.decide(1, TOPIC, ONE)
    await stores.decide(2, TWO)
    found = await stores.lane(f"main:{ticket_id}")
    assert [row.effect for row in found] == [TOPIC, ONE, TWO]
    assert len(await stores.outbox.heads(None, 2, 100)) == 2


async def test_all_tickets_of_a_client_share_the_private_chat(stores: Stores) -> None:
    hello = Say(place=CLIENT, text=Text(key="received"))
    await stores.decide(1, hello, client=5)
    [row] = await stores.lane("client:5")
    assert (row.effect, row.address) == (hello, Address(chat_id=ChatId(5), thread_id=None))


async def test_the_lane_waits_for_nothing_once_its_topic_is_made(stores: Stores) -> None:
    ticket_id = await stores.decide(1, TOPIC, ONE)
    lane = f"main:{ticket_id}"
    topic, said = await stores.lane(lane)
    assert (topic.address, said.address) == (Address(chat_id=MAIN_CHAT, thread_id=None),) * 2
    [told] = await stores.outbox.settle([Sent(row=topic, thread_id=ThreadId(7))])
    assert told.message == TopicOpened(place=MAIN, chat_id=MAIN_CHAT, thread_id=ThreadId(7))
    assert await stores.tickets.mail(ticket_id, Seq(1), 10) == [told]
    [said] = await stores.lane(lane)
    assert said.address == Address(chat_id=MAIN_CHAT, thread_id=ThreadId(7))
    address = TopicAddress(ticket_id=ticket_id, place=MAIN)
    assert await stores.topics.find_topic(MAIN_CHAT, ThreadId(7)) == address
    assert await stores.topics.find_topic(MAIN_CHAT, ThreadId(8)) is None
    assert await stores.topics.client_of(ticket_id) == 1


async def test_a_lost_topic_is_made_anew_before_all_that_waits(stores: Stores) -> None:
    ticket_id = await stores.decide(1, TOPIC, ONE, TWO)
    lane = f"main:{ticket_id}"
    topic, _, _ = await stores.lane(lane)
    await stores.outbox.settle([Sent(row=topic, thread_id=ThreadId(7))])
    head, _ = await stores.lane(lane)
    for _ in range(2):  # repeated, as after a lost answer
        await stores.outbox.settle([TopicLost(row=head)])
    assert [row.effect for row in await stores.lane(lane)] == [TOPIC, ONE, TWO]


async def test_a_call_that_was_begun_and_never_settled_is_uncertain(stores: Stores) -> None:
    ticket_id = await stores.decide(1, ONE)
    lane = f"main:{ticket_id}"
    [row] = await stores.lane(lane)
    await stores.outbox.starting([row])
    [row] = await stores.lane(lane)
    assert (row.attempts, row.uncertain) == (1, True)
    await stores.outbox.settle([Postponed(row=row, after_s=0, error="429")])
    [row] = await stores.lane(lane)
    assert (row.attempts, row.uncertain) == (1, False)


async def test_a_postponed_row_holds_its_lane_back(stores: Stores) -> None:
    ticket_id = await stores.decide(1, ONE, TWO)
    lane = f"main:{ticket_id}"
    row, _ = await stores.lane(lane)
    await stores.outbox.settle([Postponed(row=row, after_s=60, error="429")])
    assert await stores.lane(lane) == []
    assert list(await stores.outbox.heads(None, 10, 10)) == []


async def test_settling_twice_tells_the_ticket_once(stores: Stores) -> None:
    ticket_id = await stores.decide(1, ONE, TWO)
    one, two = await stores.lane(f"main:{ticket_id}")
    refused = Undeliverable(row=one, reason=FailureReason.REFUSED, detail="no")
    [told] = await stores.outbox.settle([refused, Superseded(row=two)])
    assert told.message == DeliveryFailed(
        place=MAIN, effect="Say", reason=FailureReason.REFUSED, detail="no"
    )
    assert list(await stores.outbox.settle([refused, Superseded(row=two)])) == []
    assert await stores.tickets.mail(ticket_id, Seq(1), 10) == [told]
    assert await stores.lane(f"main:{ticket_id}") == []


async def test_a_tagged_message_is_found_once_it_was_sent(stores: Stores) -> None:
    ticket_id = await stores.decide(1, ONE)
    assert await stores.outbox.tagged(ticket_id, MAIN, "survey") is None
    [row] = await stores.lane(f"main:{ticket_id}")
    await stores.outbox.settle([Sent(row=row, message_id=MessageId(40))])
    assert await stores.outbox.tagged(ticket_id, MAIN, "survey") == 40
    assert await stores.outbox.tagged(ticket_id, CLIENT, "survey") is None
