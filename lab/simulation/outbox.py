"""The outbox over one world: what is to be sent, lane by lane, and what came of it."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import assert_never

from actors.effects import AnswerPress, Copy, OpenTopic, RenameTopic
from actors.ids import ChatId, MessageId, TicketId
from actors.messages import DeliveryFailed, Envelope, TopicOpened
from actors.places import Place, PlaceKind
from actors.ports import (
    Address,
    OutboxRow,
    Postponed,
    Sent,
    Settlement,
    Superseded,
    TopicLost,
    Undeliverable,
)
from lab.simulation.bugs import Bug
from lab.simulation.letters import Letter, post
from lab.simulation.nodes import Who
from lab.simulation.rows import SendRow, SendState, TopicRow
from lab.simulation.world import Session, World
from storage.outbox import PRESS_LIFE_S
from storage.outbox_rows import DETAIL_LENGTH_MAX


class MemoryOutbox:
    """Implements :class:`actors.ports.Outbox` for the present run of one node."""

    def __init__(self, session: Session, node: Who) -> None:
        self._session = session
        self._node = node

    async def heads(
        self, lanes: Sequence[str] | None, per_lane: int, limit: int
    ) -> Sequence[OutboxRow]:
        return await self._session.run("heads", partial(self._heads, lanes, per_lane, limit))

    async def starting(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        if not rows:
            return []
        return await self._session.run("starting", partial(self._starting, rows))

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        if not settlements:
            return []
        return await self._session.run("settle", partial(self._settle, settlements))

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        def work() -> MessageId | None:
            found = [
                row.message_id
                for row in self._session.world.outbox.group("ticket", ticket_id)
                if row.tag == tag and row.place == place and row.message_id is not None
            ]
            return found[-1] if found else None

        return await self._session.run("tagged", work)

    # --- inside one transaction -------------------------------------------------------------

    def _is_mine(self, row: SendRow) -> bool:
        world = self._session.world
        if Bug.FOREIGN_SENDER in world.bugs:
            return True
        return world.tickets[row.ticket_id].owner == self._node().owner

    def _heads(self, lanes: Sequence[str] | None, per_lane: int, limit: int) -> list[OutboxRow]:
        world = self._session.world
        if lanes is None:
            self._expire()
        found: list[OutboxRow] = []
        for lane in self._lanes() if lanes is None else lanes:
            found += [_seen(world, row) for row in self._lane(lane, per_lane)]
            if len(found) >= limit:
                break
        return found[:limit]

    def _lanes(self) -> list[str]:
        """All lanes with something to send, the oldest first."""
        world = self._session.world
        return [str(lane) for lane in world.outbox.groups("lane")]

    def _lane(self, lane: str, per_lane: int) -> list[SendRow]:
        """The rows up to the first that waits for its time or for another run."""
        world = self._session.world
        rows = sorted(world.outbox.group("lane", lane), key=lambda row: (row.position, row.id))
        if Bug.LANE_OUT_OF_ORDER in world.bugs:
            rows.reverse()
        found: list[SendRow] = []
        for row in rows[:per_lane]:
            if row.not_before > world.now or not self._is_mine(row):
                break
            found.append(row)
        return found

    def _expire(self) -> None:
        """Answers to presses that Telegram has forgotten."""
        world = self._session.world
        for lane in self._lanes():
            if lane.startswith("press:"):
                for row in world.outbox.group("lane", lane):
                    if row.created_at < world.now - PRESS_LIFE_S:
                        late = replace(row, state=SendState.SUPERSEDED, error="too late")
                        world.outbox.put(late)

    def _starting(self, rows: Sequence[OutboxRow]) -> list[int]:
        world, me = self._session.world, self._node().owner
        if Bug.NOT_MARKED in world.bugs:
            return [row.id for row in rows]
        marked: list[int] = []
        for seen in rows:
            row = world.outbox[seen.id]
            fresh = not row.is_settled and row.attempts == seen.attempts
            if fresh and self._is_mine(row) and world.lives(me):
                doubt = row.uncertain or row.state is SendState.SENDING
                world.outbox.put(
                    replace(
                        row,
                        state=SendState.SENDING,
                        attempts=row.attempts + 1,
                        uncertain=False,
                        doubts=row.doubts + doubt,
                        started_by=me,
                    )
                )
                marked.append(row.id)
        return marked

    def _settle(self, settlements: Sequence[Settlement]) -> list[Envelope]:
        world = self._session.world
        letters = [letter for each in settlements if (letter := _report(each)) is not None]
        fresh = post(world, letters)
        for each in settlements:
            row = world.outbox[each.row.id]
            if not row.is_settled:
                world.outbox.put(_settled(row, each, world.now))
            if isinstance(each, TopicLost):
                _lose_topic(world, each.row)
            elif isinstance(each, Sent) and each.thread_id is not None:
                _remember_topic(world, each)
        return [envelope for envelope in fresh.values() if envelope is not None]


def _settled(row: SendRow, settlement: Settlement, now: float) -> SendRow:
    match settlement:
        case Sent(message_id=message_id):
            made = message_id or row.message_id
            return replace(row, state=SendState.SENT, message_id=made, uncertain=False, error=None)
        case Superseded():
            return replace(row, state=SendState.SUPERSEDED, uncertain=False)
        case Undeliverable(reason=reason, detail=detail):
            why = f"{reason}: {detail}"
            return replace(row, state=SendState.UNDELIVERABLE, uncertain=False, error=why)
        case TopicLost():
            return replace(row, state=SendState.WAITING, uncertain=False, not_before=0.0)
        case Postponed(after_s=after_s, error=error, uncertain=uncertain):
            return replace(
                row,
                state=SendState.WAITING,
                uncertain=uncertain,
                not_before=now + after_s,
                error=error,
            )
        case _:
            assert_never(settlement)


def _seen(world: World, row: SendRow) -> OutboxRow:
    """The row as delivery reads it."""
    ticket = world.tickets[row.ticket_id]
    return OutboxRow(
        id=row.id,
        ticket_id=row.ticket_id,
        lane=row.lane,
        effect=row.effect,
        address=_address(world, row),
        client=world.users[ticket.client_id].person,
        attempts=row.attempts,
        uncertain=row.uncertain or row.state is SendState.SENDING,
        created_at=world.time_of(row.created_at),
    )


def _address(world: World, row: SendRow) -> Address | None:
    """Where the place is; a topic that exists stays in its chat."""
    place = row.place
    if place is None:
        return None
    ticket = world.tickets[row.ticket_id]
    topic = world.topics.get(row.lane)
    match place.kind:
        case PlaceKind.CLIENT:
            return Address(chat_id=ChatId(ticket.client_id), thread_id=None)
        case PlaceKind.MAIN:
            chat = ticket.main_chat_id
        case PlaceKind.MIRROR:
            assert place.technician_id is not None
            chat = world.configuration.technician_chats[place.technician_id]
        case _:
            assert_never(place.kind)
    if topic is None:
        return Address(chat_id=chat, thread_id=None)
    return Address(chat_id=topic.chat_id, thread_id=topic.thread_id)


def _report(settlement: Settlement) -> Letter | None:
    """What the ticket hears of it."""
    row = settlement.row
    match settlement:
        case Sent(thread_id=thread_id) if thread_id is not None:
            assert isinstance(row.effect, OpenTopic), row
            assert row.address is not None, row
            opened = TopicOpened(
                place=row.effect.place, chat_id=row.address.chat_id, thread_id=thread_id
            )
            key = f"sent:{row.id}:opened"
            return Letter(key=key, ticket_id=row.ticket_id, message=opened)
        case Undeliverable(reason=reason, detail=detail):
            if isinstance(row.effect, AnswerPress):
                return None
            failed = DeliveryFailed(
                place=row.effect.place,
                effect=type(row.effect).__name__,
                reason=reason,
                detail=detail[:DETAIL_LENGTH_MAX],
                content=row.effect.content if isinstance(row.effect, Copy) else None,
                row=row.id,
            )
            key = f"sent:{row.id}:failed"
            return Letter(key=key, ticket_id=row.ticket_id, message=failed)
        case _:
            return None


def _remember_topic(world: World, sent: Sent) -> None:
    """Notes the topic that was made; whoever had that thread before has it no longer."""
    row = sent.row
    assert isinstance(row.effect, OpenTopic), row
    assert row.address is not None, row
    assert sent.thread_id is not None, row
    before = world.topics.find("thread", (row.address.chat_id, sent.thread_id))
    if before is not None and before.lane != row.lane:
        world.topics.delete(before.lane)
    world.topics.put(
        TopicRow(
            lane=row.lane,
            ticket_id=row.ticket_id,
            place=row.effect.place,
            chat_id=row.address.chat_id,
            thread_id=sent.thread_id,
        )
    )


def _lose_topic(world: World, lost: OutboxRow) -> None:
    """Forgets the topic and puts its opening, with the newest title, before all that waits."""
    topic = world.topics.get(lost.lane)
    if lost.address is not None and topic is not None:
        if topic.thread_id != lost.address.thread_id:
            return
        world.topics.delete(lost.lane)
    rows = [row for row in world.outbox.group("ticket", lost.ticket_id) if row.lane == lost.lane]
    openings = [row for row in rows if isinstance(row.effect, OpenTopic)]
    if not openings or any(not row.is_settled for row in openings):
        return
    if Bug.HISTORY_OF_NOTHING in world.bugs:
        return
    effect = openings[-1].effect
    assert isinstance(effect, OpenTopic)
    for row in rows:
        if isinstance(row.effect, RenameTopic) and row.state is SendState.SENT:
            effect = replace(effect, title=row.effect.title)
    world.outbox.add(
        SendRow(
            id=world.next_id("outbox"),
            position=-1,
            ticket_id=lost.ticket_id,
            cause_seq=openings[-1].cause_seq,
            lane=lost.lane,
            effect=effect,
            created_at=world.now,
        )
    )
