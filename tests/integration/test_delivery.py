"""Delivery end to end: real outbox, real marks, and a Telegram that misbehaves."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.effects import (
    CloseTopic,
    Copy,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    RenameTopic,
    Say,
    ShowCard,
    Text,
)
from actors.ids import ChatId, MessageId, TechnicianId, TicketId
from actors.messages import Content, ContentKind
from actors.places import CLIENT, MAIN, Place, mirror
from bot.api import Api, ApiOptions, create_bot
from bot.calls import Calls
from bot.delivery import Delivery, DeliveryOptions, PaceOptions
from bot.delivery.pace import Pace
from bot.texts import Texts
from lab.simulation.links import NoLinks
from lab.telegram import people
from lab.telegram.faults import FaultRule
from lab.telegram.limits import LimitRules
from lab.telegram.model import Topic
from storage.marks import RedisMarks
from storage.outbox import PostgresOutbox
from storage.redis import RedisOptions
from storage.technicians import TechnicianSpec, TechnicianTable
from storage.tolerant import Tolerant
from tests.fakes.bot_api import FixedDirectory, FixedRoster, MemoryMailroom, MemoryPresses
from tests.fakes.decider import Decider
from tests.fakes.delivery import UNPACED
from tests.fakes.desk import rows, scalar
from tests.fakes.local_telegram import TOKEN, Lab, open_lab
from tests.fakes.nodes import a_run
from tests.fakes.redis import single_redis

pytestmark = pytest.mark.anyio

IVAN = 5000000011
DEADLINE_S = 20.0

FAST = DeliveryOptions(
    poll_interval_s=0.1,
    retry_base_s=0.05,
    retry_max_s=0.2,
    closed_base_s=0.05,
    closed_max_s=0.2,
    first_wait_s=0.1,
)
"""Tests must not wait for real back-offs."""


@dataclass
class Office:
    """Everything that outlives a run of delivery."""

    lab: Lab
    engine: AsyncEngine
    outbox: PostgresOutbox
    decider: Decider
    redis: Redis
    technician: TechnicianId

    @asynccontextmanager
    async def delivering(
        self,
        pace: PaceOptions = UNPACED,
        *,
        timeout_s: float = 5.0,
        marks: bool = True,
    ) -> AsyncIterator[Delivery]:
        """Leaving the block is a crash."""
        options = ApiOptions(url=self.lab.telegram.url, timeout_s=timeout_s)
        bot = create_bot(TOKEN, options)
        calls = Calls(
            texts=Texts("ru"),
            roster=FixedRoster(),
            directory=FixedDirectory(),
            tags=self.outbox,
            links=NoLinks(),
        )
        delivery = Delivery(
            outbox=self.outbox,
            call=Api(bot),
            calls=calls,
            pace=Pace(pace, anyio.current_time),
            marks=RedisMarks(self.redis, Tolerant()) if marks else NoMarks(),
            presses=MemoryPresses(),
            mailroom=MemoryMailroom(),
            options=FAST,
        )
        try:
            async with anyio.create_task_group() as group:
                await group.start(delivery.run)
                yield delivery
                group.cancel_scope.cancel()
        finally:
            await bot.session.close()

    def wrote(self, words: str, kind: str = "text") -> Content:
        """The client writes in private; the world takes any kind of message."""
        message = people.send(self.lab.world, IVAN, IVAN, text=words, kind=kind)
        return Content(
            chat_id=ChatId(IVAN),
            message_id=MessageId(message.id),
            kind=ContentKind(kind),
            text=words,
        )

    def copies(self, count: int, place: Place = MAIN, start: int = 0) -> list[Copy]:
        return [
            Copy(place=place, content=self.wrote(f"message {number}"))
            for number in range(start, start + count)
        ]

    async def unsettled(self) -> int:
        query = "SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sending')"
        return int(await scalar(self.engine, query))

    async def settled(self) -> None:
        with anyio.fail_after(DEADLINE_S):
            while await self.unsettled():  # noqa: ASYNC110 — the database has no event for it
                await anyio.sleep(0.02)

    def said(self, chat: int, *, thread: int | None = None) -> list[str]:
        """What the bot said there, in order."""
        bot_id = self.lab.scene.bot_id
        return [
            message.text
            for message in self.lab.world.chat(chat, bot_id).messages
            if message.sender.id == bot_id
            and not message.is_service
            and thread in {None, message.thread_id}
        ]

    def topics(self) -> list[Topic]:
        chat = self.lab.world.chat(self.lab.scene.main_group_id)
        return sorted(chat.topics.values(), key=lambda topic: topic.thread_id)

    def spoil(self, rule: FaultRule) -> None:
        self.lab.world.faults.add(rule)


class NoMarks:
    """Redis is away."""

    async def mark(self, sent: object) -> None: ...

    async def find(self, mark: str) -> None: ...


@pytest.fixture
async def office(engine: AsyncEngine, valkey_url: str) -> AsyncIterator[Office]:
    redis = single_redis(RedisOptions(url=valkey_url))
    async with open_lab() as lab:
        group = ChatId(lab.scene.main_group_id)
        alice = ChatId(lab.scene.alice_group_id)
        await TechnicianTable(engine).sync([TechnicianSpec(name="alice", chat_id=alice)])
        decider = Decider(engine, group)
        await decider.register()
        yield Office(
            lab=lab,
            engine=engine,
            outbox=PostgresOutbox(engine, a_run),
            decider=decider,
            redis=redis,
            technician=TechnicianId(await scalar(engine, "SELECT id FROM technicians")),
        )
    await redis.aclose()


def title(words: str) -> Text:
    return Text(key="title-new", args={"ticket": 1, "client": words, "username": ""})


def opening(place: Place = MAIN, words: str = "Иван") -> OpenTopic:
    return OpenTopic(place=place, title=title(words))


def numbered(count: int, start: int = 0) -> list[str]:
    return [f"message {number}" for number in range(start, start + count)]


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 — the world has no event for it
            await anyio.sleep(0.01)


async def test_a_case_reaches_its_topics_and_its_client_in_order(office: Office) -> None:
    """Topic, card, messages of several kinds, mirror, titles, closing: all by the real calls."""
    mirrored = mirror(office.technician)
    photo = office.wrote("a photo", "photo")
    staff = Text(key="label-staff", args={"name": "Мария"})
    async with office.delivering() as delivery:
        _, lanes = await office.decider.decide(
            opening(),
            ShowCard(place=MAIN, keyboard=Keyboard(kind=KeyboardKind.TRIAGE)),
            *office.copies(3),
            Copy(place=MAIN, content=photo),
            Say(place=CLIENT, text=Text(key="received", args={"ticket": 1})),
            opening(mirrored),
            Copy(place=mirrored, content=photo, label=staff),
            RenameTopic(place=MAIN, title=title("Пётр")),
            CloseTopic(place=MAIN),
            client=IVAN,
        )
        delivery.wake(lanes)
        await office.settled()
        stats = delivery.stats()
    [topic] = office.topics()
    assert (topic.name, topic.closed) == ("🟢 [Новый] #1 | Пётр", True)
    card, *rest = office.said(office.lab.scene.main_group_id, thread=topic.thread_id)
    assert card.startswith("👤")
    assert rest == [*numbered(3), "a photo"]
    assert office.said(office.lab.scene.alice_group_id) == ["🛟 Мария:\na photo"]
    assert len(office.said(IVAN)) == 1
    assert (stats.retries, stats.undeliverable, stats.possible_doubles) == (0, 0, 0)
    [links] = await rows(office.engine, "SELECT count(*) FROM message_links")
    assert links[0] == 5


@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(kind="too_many_requests", method="copymessage", times_left=3, retry_after=1),
        FaultRule(kind="server_error", method="copymessage", times_left=4),
        FaultRule(kind="bad_gateway", method="*", times_left=4),
        FaultRule(kind="slow", method="*", times_left=3, seconds=0.2),
    ],
    ids=lambda rule: rule.kind,
)
async def test_what_surely_did_not_arrive_is_sent_exactly_once_and_in_order(
    office: Office, rule: FaultRule
) -> None:
    office.spoil(FaultRule(**{**rule.as_json(), "id": 0, "hits": 0}))  # type: ignore[arg-type]
    async with office.delivering() as delivery:
        _, lanes = await office.decider.decide(opening(), *office.copies(10), client=IVAN)
        delivery.wake(lanes)
        await office.settled()
        assert delivery.stats().possible_doubles == 0
    [topic] = office.topics()
    assert office.said(office.lab.scene.main_group_id, thread=topic.thread_id) == numbered(10)


@pytest.mark.parametrize("kind", ["timeout_before", "drop_before", "timeout_after", "drop_after"])
async def test_what_may_have_arrived_is_repeated_in_its_place_and_counted(
    office: Office, kind: str
) -> None:
    async with office.delivering(timeout_s=0.4) as delivery:
        _, lanes = await office.decider.decide(opening(), client=IVAN)
        delivery.wake(lanes)
        await office.settled()
        office.spoil(FaultRule(kind=kind, method="copymessage", times_left=1, seconds=2))
        _, lanes = await office.decider.decide(*office.copies(4), client=IVAN)
        delivery.wake(lanes)
        await office.settled()
        assert delivery.stats().possible_doubles == 1
    expected = numbered(4) if kind.endswith("before") else ["message 0", *numbered(4)]
    assert office.said(office.lab.scene.main_group_id) == expected


async def test_a_telegram_that_is_not_there_costs_no_doubles(office: Office) -> None:
    """Connection refused: nothing can have arrived."""
    there = office.lab.telegram.url
    office.lab.telegram.url = "http://127.0.0.1:9"
    try:
        async with office.delivering() as delivery:
            _, lanes = await office.decider.decide(opening(), *office.copies(2), client=IVAN)
            delivery.wake(lanes)
            await until(lambda: delivery.stats().retries >= 2)
            assert delivery.stats().possible_doubles == 0
    finally:
        office.lab.telegram.url = there
    async with office.delivering():
        await office.settled()
    assert office.said(office.lab.scene.main_group_id) == numbered(2)


@pytest.mark.parametrize("marks", [True, False], ids=["with marks", "without"])
async def test_a_record_lost_in_a_crash_is_found_by_its_mark_or_repeated_and_counted(
    office: Office, *, marks: bool
) -> None:
    async with office.delivering():
        await office.decider.decide(opening(), *office.copies(3), client=IVAN)
        await office.settled()
    lost = "UPDATE outbox SET state = 'sending', settled_at = NULL, message_id = NULL WHERE id = 4"
    async with office.engine.begin() as connection:
        await connection.exec_driver_sql(lost)
    async with office.delivering(marks=marks) as delivery:
        await office.settled()
        stats = delivery.stats()
    assert (stats.recovered, stats.possible_doubles) == ((1, 0) if marks else (0, 1))
    doubled = [] if marks else ["message 2"]
    assert office.said(office.lab.scene.main_group_id) == [*numbered(3), *doubled]


async def test_crashes_at_any_moment_lose_nothing_and_keep_the_order(office: Office) -> None:
    """Without marks; a repetition stands right beside its original, and each is counted."""
    doubles = 0
    async with office.delivering():
        await office.decider.decide(opening(), client=IVAN)
        await office.settled()
    await office.decider.decide(*office.copies(30), client=IVAN)
    for crash in range(12):
        async with office.delivering(marks=False) as delivery:
            await anyio.sleep(0.015 + crash * 0.004)
            doubles += delivery.stats().possible_doubles
    async with office.delivering(marks=False) as delivery:
        await office.settled()
        doubles += delivery.stats().possible_doubles
    said = office.said(office.lab.scene.main_group_id)
    assert sorted(said, key=lambda words: int(words.split()[1])) == said
    assert list(dict.fromkeys(said)) == numbered(30)
    assert len(said) - 30 <= doubles


async def test_a_deleted_topic_is_made_anew_and_nothing_is_lost(office: Office) -> None:
    async with office.delivering() as delivery:
        await office.decider.decide(opening(), *office.copies(2), client=IVAN)
        await office.settled()
        [first] = office.topics()
        group = office.lab.scene.main_group_id
        await office.lab.ok("deleteForumTopic", chat_id=group, message_thread_id=first.thread_id)
        await office.decider.decide(*office.copies(3, start=2), client=IVAN)
        await office.settled()
        assert delivery.stats().topics_lost == 1
    second = office.topics()[-1]
    assert second.thread_id != first.thread_id
    assert office.said(group, thread=second.thread_id) == numbered(3, start=2)


async def test_a_client_who_blocked_the_bot_is_told_to_the_ticket(office: Office) -> None:
    people.block(office.lab.world, IVAN, blocked=True)
    async with office.delivering():
        text = Text(key="received", args={"ticket": 1})
        ticket_id, _ = await office.decider.decide(Say(place=CLIENT, text=text), client=IVAN)
        await office.settled()
    assert await failures(office, ticket_id) == ["client_blocked"]


async def test_what_cannot_be_copied_is_told_to_the_ticket(office: Office) -> None:
    gone = office.wrote("deleted before it was copied")
    chat = office.lab.world.chat(IVAN, office.lab.scene.bot_id)
    message = chat.message(gone.message_id)
    assert message is not None
    office.lab.world.delete(message)
    story = people.send(office.lab.world, IVAN, IVAN, kind="story")
    uncopyable = Content(
        chat_id=ChatId(IVAN), message_id=MessageId(story.id), kind=ContentKind.UNSUPPORTED
    )
    async with office.delivering():
        ticket_id, _ = await office.decider.decide(
            opening(),
            Copy(place=MAIN, content=gone),
            Copy(place=MAIN, content=uncopyable),
            *office.copies(1),
            client=IVAN,
        )
        await office.settled()
    assert await failures(office, ticket_id) == ["source_gone", "uncopyable"]
    assert office.said(office.lab.scene.main_group_id) == numbered(1)


async def test_a_group_without_its_bot_keeps_all_until_the_bot_is_back(office: Office) -> None:
    group, bot = office.lab.scene.main_group_id, office.lab.scene.bot_id
    async with office.delivering() as delivery:
        await office.decider.decide(opening(), client=IVAN)
        await office.settled()
        people.kick(office.lab.world, group, bot)
        ticket_id, _ = await office.decider.decide(*office.copies(3), client=IVAN)
        await until(lambda: delivery.stats().retries >= 3)
        people.promote(office.lab.world, group, bot, None)
        await office.settled()
        assert delivery.stats().undeliverable == 0
    assert office.said(group) == numbered(3)
    assert await failures(office, ticket_id) == []


async def test_our_pace_keeps_within_the_limits_of_telegram(office: Office) -> None:
    """At ten times the real budgets, so that the test is short; not one 429."""
    office.lab.telegram.bot_api.limits.set_rules(LimitRules(enabled=True, scale=10))
    pace = PaceOptions(bot_per_s=200, private_per_s=10, private_burst=20, group_per_min=200)
    to_client = [
        Say(place=CLIENT, text=Text(key="received", args={"ticket": number}))
        for number in range(30)
    ]
    async with office.delivering(pace) as delivery:
        await office.decider.decide(*to_client, opening(), *office.copies(60), client=IVAN)
        await office.settled()
        assert delivery.stats().pauses == 0
    assert office.lab.telegram.bot_api.limits.refused == 0


async def test_a_rush_of_clients_takes_the_fewest_windows_that_it_can(
    office: Office,
) -> None:
    """20 a window: twelve openings, cards and joined texts are 36 calls, so two windows.

    The first texts may go alone, while there seem to be calls enough.
    """
    limits = office.lab.telegram.bot_api.limits
    limits.set_rules(LimitRules(enabled=True, group_window_s=4))
    pace = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=20, group_window_s=5)
    card = ShowCard(place=MAIN, keyboard=Keyboard(kind=KeyboardKind.TRIAGE))
    for client in range(1, 13):
        start = client * 100
        await office.decider.decide(
            opening(), card, *office.copies(5, start=start), client=IVAN + client
        )
    async with office.delivering(pace):
        began = anyio.current_time()
        await office.settled()
        assert anyio.current_time() - began < pace.group_window_s * 2
    said = " ".join(office.said(office.lab.scene.main_group_id))
    numbers = [int(found) for found in re.findall(r"message (\d+)", said)]
    assert sorted(numbers) == [c * 100 + n for c in range(1, 13) for n in range(5)]
    calls = office.lab.telegram.bot_api.calls
    assert sum(calls.by_method.values()) - calls.by_method["getUpdates"] <= 40
    assert limits.refused == 0


async def test_texts_that_waited_are_one_message_to_which_each_of_them_is_linked(
    office: Office,
) -> None:
    pace = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=3, group_window_s=1)
    async with office.delivering(pace) as delivery:
        ticket_id, _ = await office.decider.decide(opening(), *office.copies(30), client=IVAN)
        await office.settled()
        assert delivery.stats().joined == 29
    [first, joined] = office.said(office.lab.scene.main_group_id)
    assert first == "message 0"
    assert [line.split(" · ")[1] for line in joined.splitlines()[1:]] == numbered(29, 1)
    links = await rows(
        office.engine,
        "SELECT dst_message_id, array_agg(src_message_id ORDER BY outbox_id) FROM message_links"
        " WHERE ticket_id = :ticket GROUP BY 1 ORDER BY 1",
        ticket=ticket_id,
    )
    assert [len(sources) for _, sources in links] == [1, 29]
    assert links[1][1] == sorted(links[1][1])


async def test_a_crash_between_a_joined_call_and_its_record_repeats_nothing(
    office: Office,
) -> None:
    pace = PaceOptions(bot_per_s=0, private_per_s=0, group_per_min=3, group_window_s=1)
    async with office.delivering(pace):
        await office.decider.decide(opening(), *office.copies(10), client=IVAN)
        await office.settled()
    lost = "UPDATE outbox SET state = 'sending', settled_at = NULL, message_id = NULL WHERE id > 4"
    async with office.engine.begin() as connection:
        await connection.exec_driver_sql(lost)
    async with office.delivering(pace) as delivery:
        await office.settled()
        assert (delivery.stats().recovered, delivery.stats().possible_doubles) == (8 - 1, 0)
    assert len(office.said(office.lab.scene.main_group_id)) == 2


async def failures(office: Office, ticket_id: TicketId) -> list[str]:
    """What the ticket was told, in order."""
    found = await rows(
        office.engine,
        "SELECT message ->> 'reason' FROM inbox WHERE ticket_id = :ticket"
        " AND message ->> 'type' = 'DeliveryFailed' ORDER BY seq",
        ticket=ticket_id,
    )
    return [row[0] for row in found]
