"""The outbox on a real Postgres: lane by lane in order, settled once, topics made anew."""

from collections.abc import Sequence
from dataclasses import replace

import anyio
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.books import TopicAddress
from actors.decision import Decision
from actors.effects import (
    AnswerPress,
    Copy,
    Edit,
    Effect,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    RenameTopic,
    Say,
    ShowCard,
    Text,
)
from actors.ids import ChatId, MessageId, Seq, TechnicianId, ThreadId, TicketId
from actors.messages import Content, ContentKind, DeliveryFailed, FailureReason, TopicOpened
from actors.places import CLIENT, MAIN, mirror
from actors.ports import (
    Address,
    CommitStatus,
    LoadedTicket,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    Superseded,
    TopicLost,
    Turn,
    Undeliverable,
)
from storage.inbox import PostgresInbox
from storage.nodes import PostgresNodes
from storage.outbox import Backlog, PostgresOutbox
from storage.technicians import TechnicianSpec, TechnicianTable
from storage.tickets import PostgresTicketStore
from storage.topic_book import PostgresTopicBook
from tests.fakes.desk import MAIN_CHAT, from_client, rows, scalar
from tests.fakes.nodes import a_run

pytestmark = pytest.mark.anyio

TECH_CHAT = ChatId(-1002)


class Desk:
    """A ticket per client, whose effects are whatever a test says."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.inbox = PostgresInbox(engine, MAIN_CHAT)
        self.store = PostgresTicketStore(engine, a_run, MAIN_CHAT)
        self.outbox = PostgresOutbox(engine, a_run)
        self.sent = 0

    async def decide(self, *effects: Effect, client: int = 1) -> TicketId:
        """One more message of the client, and these effects as its outcome."""
        self.sent += 1
        [stored] = await self.inbox.put([from_client(client, self.sent)])
        envelope = stored.envelope
        assert envelope is not None
        loaded = await self.claimed(envelope.ticket_id)
        decision = Decision(state=loaded.state, effects=effects)
        [mail] = await self.store.mail(envelope.ticket_id, Seq(envelope.seq - 1), 1)
        turn = Turn(
            ticket_id=envelope.ticket_id,
            epoch=loaded.epoch,
            version=loaded.version,
            steps=((mail, decision),),
        )
        [outcome] = await self.store.commit([turn])
        assert outcome.status is CommitStatus.COMMITTED
        return envelope.ticket_id

    async def claimed(self, ticket_id: TicketId) -> LoadedTicket:
        loaded = await self.store.claim(ticket_id)
        assert loaded is not None
        return loaded

    async def lane(self, lane: str) -> Sequence[OutboxRow]:
        return await self.outbox.heads([lane], 10, 10)

    async def open_topic(self, ticket_id: TicketId, thread: int) -> None:
        """Delivery makes the topic at the head of the main lane."""
        row = (await self.lane(f"main:{ticket_id}"))[0]
        assert isinstance(row.effect, OpenTopic)
        await self.outbox.starting([row])
        await self.outbox.settle([Sent(row=row, thread_id=ThreadId(thread))])


@pytest.fixture
async def desk(engine: AsyncEngine) -> Desk:
    await TechnicianTable(engine).sync([TechnicianSpec(name="alice", chat_id=TECH_CHAT)])
    await PostgresNodes(engine).register(a_run())
    return Desk(engine)


@pytest.fixture
async def technician(desk: Desk, engine: AsyncEngine) -> TechnicianId:
    return TechnicianId(await scalar(engine, "SELECT id FROM technicians"))


def say(key: str, tag: str | None = None) -> Say:
    return Say(place=MAIN, text=Text(key=key), tag=tag)


def open_main(title: str = "title-new") -> OpenTopic:
    return OpenTopic(place=MAIN, title=Text(key=title))


def copy(number: int) -> Copy:
    content = Content(chat_id=ChatId(1), message_id=MessageId(number), kind=ContentKind.TEXT)
    return Copy(place=MAIN, content=content)


def kinds(found: Sequence[OutboxRow]) -> list[str]:
    return [type(row.effect).__name__ for row in found]


async def test_each_place_has_its_lane_and_its_address(
    desk: Desk, technician: TechnicianId
) -> None:
    """Also while no topic is known: then the chat stands without a thread."""
    place = mirror(technician)
    effects = (
        AnswerPress(callback_id="c1"),
        Say(place=CLIENT, text=Text(key="received")),
        open_main(),
        OpenTopic(place=place, title=Text(key="title-new")),
    )
    ticket = await desk.decide(*effects, client=5)
    found = {row.lane: row for row in await desk.outbox.heads(None, 10, 10)}
    assert {lane: row.address for lane, row in found.items()} == {
        "press:c1": None,
        "client:5": Address(chat_id=ChatId(5), thread_id=None),
        f"main:{ticket}": Address(chat_id=MAIN_CHAT, thread_id=None),
        f"mirror:{ticket}:{technician}": Address(chat_id=TECH_CHAT, thread_id=None),
    }
    assert [found[lane].effect for lane in found] == list(effects)
    assert {row.client.name for row in found.values()} == {"Client 5"}


async def test_a_lane_keeps_the_order_of_decisions_and_gives_no_more_than_asked(
    desk: Desk,
) -> None:
    first = await desk.decide(open_main(), say("one"), client=1)
    second = await desk.decide(open_main(), say("two"), client=2)
    await desk.decide(say("three"), client=1)
    found = await desk.outbox.heads([f"main:{second}", f"main:{first}"], 2, 10)
    assert [row.ticket_id for row in found] == [second, second, first, first]
    assert kinds(found) == ["OpenTopic", "Say", "OpenTopic", "Say"]
    assert len(await desk.outbox.heads(None, 10, 3)) == 3
    assert [row.effect for row in await desk.lane(f"main:{first}")][1:] == [
        say("one"),
        say("three"),
    ]


async def test_the_lane_that_waits_longest_comes_first(desk: Desk) -> None:
    tickets = [await desk.decide(open_main(), client=client) for client in (3, 1, 2)]
    found = await desk.outbox.heads(None, 1, 10)
    assert [row.ticket_id for row in found] == tickets


async def test_lanes_that_are_held_back_crowd_out_nobody(desk: Desk) -> None:
    """However many wait for their time, those that may be sent are found behind them."""
    held = [await desk.decide(say("held"), say("next"), client=client) for client in (1, 2, 3)]
    free = await desk.decide(say("free"), client=4)
    firsts = [(await desk.lane(f"main:{ticket}"))[0] for ticket in held]
    later = [Postponed(row=row, after_s=60, error="429") for row in firsts]
    await desk.outbox.settle(later)
    assert [row.ticket_id for row in await desk.outbox.heads(None, 1, 2)] == [free]


async def test_what_is_settled_leaves_its_lane_and_the_next_moves_up(desk: Desk) -> None:
    ticket = await desk.decide(say("one"), say("two"), say("three"))
    lane = f"main:{ticket}"
    first, second, third = await desk.lane(lane)
    await desk.outbox.settle([Sent(row=first, message_id=MessageId(9)), Superseded(row=second)])
    assert [row.id for row in await desk.lane(lane)] == [third.id]


async def test_a_call_that_was_begun_comes_back_as_uncertain(desk: Desk) -> None:
    """As after a crash between the call and its record."""
    ticket = await desk.decide(say("one"))
    [row] = await desk.lane(f"main:{ticket}")
    assert (row.attempts, row.uncertain) == (0, False)
    await desk.outbox.starting([row])
    [row] = await desk.lane(f"main:{ticket}")
    assert (row.attempts, row.uncertain) == (1, True)


@pytest.mark.parametrize("uncertain", [True, False])
async def test_a_postponed_row_holds_its_lane_back_until_its_time(
    desk: Desk, engine: AsyncEngine, *, uncertain: bool
) -> None:
    ticket = await desk.decide(say("one"), say("two"))
    lane = f"main:{ticket}"
    first, _ = await desk.lane(lane)
    await desk.outbox.starting([first])
    later = Postponed(row=first, after_s=60, error="429", uncertain=uncertain)
    await desk.outbox.settle([later])
    assert await desk.lane(lane) == []
    assert await desk.outbox.heads(None, 10, 10) == []
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE outbox SET not_before = now()"))
    first, second = await desk.lane(lane)
    assert (first.effect, first.attempts, first.uncertain) == (say("one"), 1, uncertain)
    assert (second.effect, second.uncertain) == (say("two"), False)


async def test_the_topic_that_was_made_is_the_address_of_its_lane_and_told_to_the_ticket(
    desk: Desk, engine: AsyncEngine
) -> None:
    ticket = await desk.decide(open_main(), say("one"))
    lane = f"main:{ticket}"
    topic, _ = await desk.lane(lane)
    made = Sent(row=topic, thread_id=ThreadId(77))
    [told] = await desk.outbox.settle([made])
    opened = TopicOpened(place=MAIN, chat_id=MAIN_CHAT, thread_id=ThreadId(77))
    assert (told.key, told.seq, told.message) == (f"sent:{topic.id}:opened", 2, opened)
    assert [e.message for e in await desk.store.mail(ticket, Seq(1), 9)] == [opened]
    [said] = await desk.lane(lane)
    assert said.address == Address(chat_id=MAIN_CHAT, thread_id=ThreadId(77))
    book = PostgresTopicBook(engine)
    assert await book.find_topic(MAIN_CHAT, ThreadId(77)) == TopicAddress(
        ticket_id=ticket, place=MAIN
    )
    assert await book.find_topic(MAIN_CHAT, ThreadId(78)) is None
    assert await book.client_of(ticket) == 1
    assert await book.client_of(TicketId(999)) is None


async def test_settling_again_changes_nothing(desk: Desk, engine: AsyncEngine) -> None:
    """As when the answer to the first COMMIT was lost."""
    ticket = await desk.decide(open_main(), copy(5), copy(6))
    topic, first, second = await desk.lane(f"main:{ticket}")
    settlements: list[Settlement] = [
        Sent(row=topic, thread_id=ThreadId(77)),
        Sent(row=first, message_id=MessageId(50)),
        Undeliverable(row=second, reason=FailureReason.UNCOPYABLE, detail="no"),
    ]
    assert len(await desk.outbox.settle(settlements)) == 2
    before = await rows(engine, "SELECT * FROM outbox ORDER BY id")
    assert await desk.outbox.settle(settlements) == []
    assert await rows(engine, "SELECT * FROM outbox ORDER BY id") == before
    assert await scalar(engine, "SELECT count(*) FROM inbox") == 3
    assert await scalar(engine, "SELECT count(*) FROM message_links") == 1


async def test_a_copy_is_linked_to_its_source(desk: Desk, engine: AsyncEngine) -> None:
    """Two sources joined in one message are two links."""
    ticket = await desk.decide(copy(5), copy(6))
    first, second = await desk.lane(f"main:{ticket}")
    both = [Sent(row=row, message_id=MessageId(50)) for row in (first, second)]
    await desk.outbox.settle(both)
    links = await rows(
        engine,
        "SELECT src_chat_id, src_message_id, dst_chat_id, dst_message_id, outbox_id "
        "FROM message_links ORDER BY src_message_id",
    )
    assert [tuple(link) for link in links] == [
        (1, 5, MAIN_CHAT, 50, first.id),
        (1, 6, MAIN_CHAT, 50, second.id),
    ]


async def test_what_cannot_be_delivered_is_told_to_the_ticket_with_its_content(
    desk: Desk,
) -> None:
    ticket = await desk.decide(copy(5), AnswerPress(callback_id="c1"))
    [copied] = await desk.lane(f"main:{ticket}")
    [press] = await desk.lane("press:c1")
    reason = FailureReason.UNCOPYABLE
    told = await desk.outbox.settle(
        [Undeliverable(row=row, reason=reason, detail="Bad Request") for row in (copied, press)]
    )
    assert isinstance(copied.effect, Copy)
    assert [envelope.message for envelope in told] == [
        DeliveryFailed(
            place=MAIN,
            effect="Copy",
            reason=reason,
            detail="Bad Request",
            content=copied.effect.content,
            row=copied.id,
        )
    ]
    assert await desk.outbox.heads(None, 10, 10) == []


async def test_a_lost_topic_is_made_anew_before_all_that_waits(
    desk: Desk, engine: AsyncEngine
) -> None:
    ticket = await desk.decide(open_main(), say("one"), say("two"))
    lane = f"main:{ticket}"
    await desk.open_topic(ticket, 77)
    for thread in (78, 79):  # deleted twice
        head = (await desk.lane(lane))[0]
        assert await desk.outbox.settle([TopicLost(row=head)]) == []
        found = await desk.lane(lane)
        assert kinds(found) == ["OpenTopic", "Say", "Say"]
        assert {row.address for row in found} == {Address(chat_id=MAIN_CHAT, thread_id=None)}
        await desk.open_topic(ticket, thread)
        found = await desk.lane(lane)
        assert [row.effect for row in found] == [say("one"), say("two")]
        assert found[0].address == Address(chat_id=MAIN_CHAT, thread_id=ThreadId(thread))
    assert await scalar(engine, "SELECT count(*) FROM topics") == 1


async def test_a_lost_topic_is_made_anew_once_however_often_it_is_reported(desk: Desk) -> None:
    ticket = await desk.decide(open_main(), say("one"), say("two"))
    lane = f"main:{ticket}"
    await desk.open_topic(ticket, 77)
    first, second = await desk.lane(lane)
    lost = [TopicLost(row=first), TopicLost(row=second)]
    await desk.outbox.settle(lost)
    await desk.outbox.settle(lost)
    assert kinds(await desk.lane(lane)) == ["OpenTopic", "Say", "Say"]
    await desk.open_topic(ticket, 78)
    await desk.outbox.settle(lost)  # late: it is about the thread before
    found = await desk.lane(lane)
    assert kinds(found) == ["Say", "Say"]
    assert found[0].address == Address(chat_id=MAIN_CHAT, thread_id=ThreadId(78))


async def test_a_lane_whose_topic_never_came_to_be_can_ask_for_it_again(desk: Desk) -> None:
    ticket = await desk.decide(open_main(), say("one"))
    lane = f"main:{ticket}"
    topic, _ = await desk.lane(lane)
    gone = Undeliverable(row=topic, reason=FailureReason.CHAT_GONE, detail="no rights")
    await desk.outbox.settle([gone])
    [said] = await desk.lane(lane)
    await desk.outbox.settle([TopicLost(row=said)])
    assert kinds(await desk.lane(lane)) == ["OpenTopic", "Say"]


async def test_a_topic_made_anew_carries_its_newest_title(desk: Desk) -> None:
    newer = RenameTopic(place=MAIN, title=Text(key="title-work"))
    newest = RenameTopic(place=MAIN, title=Text(key="title-closed"))
    ticket = await desk.decide(open_main(), newer, newest, say("one"))
    lane = f"main:{ticket}"
    await desk.open_topic(ticket, 77)
    sent, superseded, said = await desk.lane(lane)
    await desk.outbox.settle([Sent(row=sent), Superseded(row=superseded), TopicLost(row=said)])
    topic = (await desk.lane(lane))[0]
    assert topic.effect == open_main("title-work")


async def test_a_thread_belongs_to_the_lane_that_made_it_last(
    desk: Desk, engine: AsyncEngine
) -> None:
    """Numbers of threads begin anew when a group is replaced or restored."""
    former = await desk.decide(open_main(), client=1)
    latter = await desk.decide(open_main(), client=2)
    await desk.open_topic(former, 77)
    await desk.open_topic(latter, 77)
    [topic] = await rows(engine, "SELECT ticket_id, thread_id FROM topics")
    assert (topic.ticket_id, topic.thread_id) == (latter, 77)


async def test_an_answer_to_a_press_that_came_too_late_is_dropped(
    desk: Desk, engine: AsyncEngine
) -> None:
    await desk.decide(AnswerPress(callback_id="old"), say("one"))
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE outbox SET created_at = created_at - interval '151 seconds'")
        )
    await desk.decide(AnswerPress(callback_id="new"))
    found = await desk.outbox.heads(None, 10, 10)
    assert {row.lane for row in found if row.address is None} == {"press:new"}
    assert "Say" in kinds(found)


async def test_a_tagged_message_is_found_by_its_place_and_only_when_it_was_sent(
    desk: Desk,
) -> None:
    tagged = say("question", tag="survey")
    ticket = await desk.decide(tagged, tagged, tagged)
    assert await desk.outbox.tagged(ticket, MAIN, "survey") is None
    first, second, _ = await desk.lane(f"main:{ticket}")
    await desk.outbox.settle(
        [Sent(row=first, message_id=MessageId(40)), Sent(row=second, message_id=MessageId(41))]
    )
    assert await desk.outbox.tagged(ticket, MAIN, "survey") == 41
    assert await desk.outbox.tagged(ticket, CLIENT, "survey") is None
    assert await desk.outbox.tagged(ticket, MAIN, "card") is None
    assert await desk.outbox.tagged(TicketId(ticket + 1), MAIN, "survey") is None


async def test_the_backlog_counts_what_waits_what_is_sent_and_what_never_could_be(
    desk: Desk, engine: AsyncEngine
) -> None:
    nothing = Backlog(waiting=0, sending=0, uncertain=0, oldest_s=0.0, undeliverable=0)
    assert await desk.outbox.backlog() == nothing
    ticket = await desk.decide(*(say(key) for key in ("one", "two", "three", "four", "five")))
    one, two, three, four, _ = await desk.lane(f"main:{ticket}")
    await desk.outbox.starting([three])
    await desk.outbox.settle(
        [
            Sent(row=one, message_id=MessageId(1)),
            Undeliverable(row=two, reason=FailureReason.REFUSED, detail="no"),
            Postponed(row=four, after_s=0, error="timeout", uncertain=True),
        ]
    )
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE outbox SET created_at = now() - interval '1 min'"))
    backlog = await desk.outbox.backlog()
    assert 60 <= backlog.oldest_s < 120
    counts = (backlog.waiting, backlog.sending, backlog.uncertain, backlog.undeliverable)
    assert counts == (2, 1, 1, 1)


async def test_a_row_that_cannot_be_read_stops_nobody_and_is_told(
    desk: Desk, engine: AsyncEngine
) -> None:
    """It was written by a newer program, perhaps: its ticket hears of it, its lane goes on."""
    ticket = await desk.decide(open_main(), say("one"))
    async with engine.begin() as connection:
        await connection.execute(
            text("""UPDATE outbox SET effect = '{"type": "Sing"}' WHERE kind = 'OpenTopic'""")
        )
    assert kinds(await desk.outbox.heads(None, 10, 10)) == ["Say"]
    assert kinds(await desk.outbox.heads(None, 10, 10)) == ["Say"]
    [told] = await desk.store.mail(ticket, Seq(1), 9)
    assert isinstance(told.message, DeliveryFailed)
    assert (told.message.effect, told.message.place) == ("OpenTopic", MAIN)


async def test_every_kind_of_effect_comes_back_as_it_was_decided(desk: Desk) -> None:
    effects = (
        replace(copy(1), label=Text(key="label-staff", args={"name": "<b>&"})),
        ShowCard(place=MAIN, keyboard=_triage(), former=3),
        Edit(place=MAIN, tag="card", keyboard=_triage()),
    )
    ticket = await desk.decide(*effects)
    assert [row.effect for row in await desk.lane(f"main:{ticket}")] == list(effects)


async def test_deliverers_and_committers_at_once_neither_deadlock_nor_lose_anything(
    desk: Desk, engine: AsyncEngine
) -> None:
    """Each client's rows are settled in order while more come; nothing waits for ever."""
    for client in (1, 2, 3, 4):
        await desk.decide(open_main(), client=client)
    done = anyio.Event()
    settled: list[OutboxRow] = []

    async def decide(client: int) -> None:
        for number in range(15):
            await desk.decide(copy(number), client=client)

    async def deliver(lanes: list[str]) -> None:
        while True:
            last_look = done.is_set()
            found = await desk.outbox.heads(lanes, 3, 12)
            await desk.outbox.starting(found)
            # Backwards: two deliverers must not wait for each other's rows.
            await desk.outbox.settle([_outcome(row) for row in reversed(found)])
            settled.extend(found)
            if not found and last_look:
                return

    tickets = await rows(engine, "SELECT id FROM tickets ORDER BY id")
    lanes = [f"main:{row.id}" for row in tickets]
    with anyio.fail_after(30):
        async with anyio.create_task_group() as delivery:
            delivery.start_soon(deliver, lanes[:2])
            delivery.start_soon(deliver, lanes[2:])
            async with anyio.create_task_group() as group:
                for client in (1, 2, 3, 4):
                    group.start_soon(decide, client)
            done.set()
    for lane in lanes:
        numbers = [
            row.effect.content.message_id
            for row in settled
            if row.lane == lane and isinstance(row.effect, Copy)
        ]
        assert numbers == list(range(15))
    assert await scalar(engine, "SELECT count(*) FROM message_links") == 60
    backlog = await desk.outbox.backlog()
    assert (backlog.waiting, backlog.sending, backlog.uncertain) == (0, 0, 0)


def _outcome(row: OutboxRow) -> Sent:
    if isinstance(row.effect, OpenTopic):
        return Sent(row=row, thread_id=ThreadId(row.id))
    return Sent(row=row, message_id=MessageId(row.id))


def _triage() -> Keyboard:
    return Keyboard(kind=KeyboardKind.TRIAGE, generation=2)
