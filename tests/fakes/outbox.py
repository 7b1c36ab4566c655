"""An outbox in memory, with the semantics of the real one: lanes, holds, topics, reports."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import anyio
from anyio.lowlevel import checkpoint

from actors.effects import CARD_TAG, Copy, Effect, OpenTopic, Say, ShowCard
from actors.errors import Transient
from actors.ids import ChatId, MessageId, Seq, ThreadId, TicketId, UserId
from actors.messages import DeliveryFailed, Envelope, Message, Person, TopicOpened
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

START = datetime(2026, 1, 1, tzinfo=UTC)

UNSETTLED = frozenset({"waiting", "sending"})

GROUP = ChatId(-1001)
"""Where main topics are; a technician's group is ``GROUP`` minus the technician's number."""


@dataclass
class Record:
    """One row of the table."""

    id: int
    ticket_id: TicketId
    lane: str
    effect: Effect
    client: Person
    position: int = 0
    state: str = "waiting"
    attempts: int = 0
    uncertain: bool = False
    not_before: float = 0.0
    message_id: MessageId | None = None
    error: str | None = None

    @property
    def order(self) -> tuple[int, int]:
        return self.position, self.id

    @property
    def is_settled(self) -> bool:
        return self.state not in UNSETTLED


@dataclass
class Gate:
    """Holds back the answer of one reading, which has looked at the rows already."""

    looked: anyio.Event = field(default_factory=anyio.Event)
    release: anyio.Event = field(default_factory=anyio.Event)


def lane_of(ticket_id: TicketId, effect: Effect, client: UserId) -> str:
    """The lane that a commit would give to an effect."""
    place = getattr(effect, "place", None)
    if place is None:
        return f"press:{getattr(effect, 'callback_id', '')}"
    if place.kind is PlaceKind.CLIENT:
        return f"client:{client}"
    if place.kind is PlaceKind.MAIN:
        return f"main:{ticket_id}"
    return f"mirror:{ticket_id}:{place.technician_id}"


class MemoryOutbox:
    """An Outbox for tests of delivery. Faults are switched on by its attributes."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.topics: dict[str, ThreadId] = {}
        self.bots: dict[str, UserId] = {}
        """Who writes the texts of a lane."""
        self.reports: dict[str, Message] = {}
        """What tickets were told, by key."""
        self.away = False
        """Every call raises Transient before it does anything."""
        self.failures: dict[str, list[Exception]] = defaultdict(list)
        """Raised by the next calls of a method, one each, before anything is written."""
        self.poison: set[int] = set()
        """Rows whose settlement raises an error that is no outage."""
        self.lost_settle_answers = 0
        """That many settlements are written, and then their answer is lost."""
        self.gates: list[Gate] = []
        """Taken by the next readings of all lanes."""
        self.started: list[int] = []
        self.settled: list[Settlement] = []
        self.start_sizes: list[int] = []
        self.settle_sizes: list[int] = []
        self.readings = 0

    # --- for the test -----------------------------------------------------------------------

    def add(self, *effects: Effect, ticket: int = 7, client: int = 501) -> list[int]:
        """Rows as a commit would write them; returns their numbers."""
        made = []
        person = Person(id=UserId(client), name=f"Client {client}", language="en")
        for effect in effects:
            number = len(self.records) + 1
            lane = lane_of(TicketId(ticket), effect, person.id)
            self.records[number] = Record(number, TicketId(ticket), lane, effect, person)
            made.append(number)
        return made

    def lanes(self, numbers: Iterable[int]) -> list[str]:
        return list(dict.fromkeys(self.records[number].lane for number in numbers))

    def state(self, number: int) -> str:
        return self.records[number].state

    @property
    def unsettled(self) -> list[int]:
        return [number for number, record in self.records.items() if not record.is_settled]

    # --- the port ---------------------------------------------------------------------------

    async def heads(
        self, lanes: Sequence[str] | None, per_lane: int, limit: int
    ) -> Sequence[OutboxRow]:
        await self._reach("heads")
        self.readings += 1
        rows = [row for lane in self._wanted(lanes) for row in self._heads(lane, per_lane)]
        if lanes is None and self.gates:
            gate = self.gates.pop(0)
            gate.looked.set()
            await gate.release.wait()
        return rows[:limit]

    async def starting(self, rows: Sequence[OutboxRow]) -> Collection[int]:
        await self._reach("starting")
        self.start_sizes.append(len(rows))
        marked: list[int] = []
        for row in rows:
            record = self.records[row.id]
            if not record.is_settled and record.attempts == row.attempts:
                record.state, record.uncertain = "sending", False
                record.attempts += 1
                marked.append(row.id)
        self.started += marked
        return marked

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[Envelope]:
        await self._reach("settle")
        if any(settlement.row.id in self.poison for settlement in settlements):
            raise ValueError("a row that cannot be written")
        self.settle_sizes.append(len(settlements))
        envelopes = [e for s in settlements if (e := self._record(s)) is not None]
        if self.lost_settle_answers:
            self.lost_settle_answers -= 1
            raise Transient("the connection was lost in COMMIT")
        return envelopes

    async def tagged(self, ticket_id: TicketId, place: Place, tag: str) -> MessageId | None:
        await self._reach("tagged")
        found = [
            record.message_id
            for record in self.records.values()
            if record.ticket_id == ticket_id
            and getattr(record.effect, "place", None) == place
            and tag_of(record.effect) == tag
            and record.message_id is not None
        ]
        return found[-1] if found else None

    # --- inside -----------------------------------------------------------------------------

    async def _reach(self, method: str) -> None:
        await checkpoint()
        if self.away:
            raise Transient("the outbox is away")
        if self.failures[method]:
            raise self.failures[method].pop(0)

    def _waiting(self, lane: str) -> list[Record]:
        found = [r for r in self.records.values() if r.lane == lane and not r.is_settled]
        return sorted(found, key=lambda record: record.order)

    def _wanted(self, lanes: Sequence[str] | None) -> Sequence[str]:
        if lanes is not None:
            return lanes
        return list(dict.fromkeys(self.records[number].lane for number in self.unsettled))

    def _heads(self, lane: str, per_lane: int) -> list[OutboxRow]:
        now = anyio.current_time()
        rows = []
        for record in self._waiting(lane)[:per_lane]:
            if record.not_before > now:
                break
            rows.append(self._row(record))
        return rows

    def mark(self, number: int) -> str:
        """The mark of a row, as delivery will know it."""
        return self._row(self.records[number]).mark

    def _row(self, record: Record) -> OutboxRow:
        return OutboxRow(
            id=record.id,
            ticket_id=record.ticket_id,
            lane=record.lane,
            effect=record.effect,
            address=self._address(record),
            client=record.client,
            attempts=record.attempts,
            uncertain=record.uncertain or record.state == "sending",
            created_at=START,
            bot_id=self.bots.get(record.lane),
        )

    def _address(self, record: Record) -> Address | None:
        place: Place | None = getattr(record.effect, "place", None)
        if place is None:
            return None
        thread = self.topics.get(record.lane)
        if place.kind is PlaceKind.CLIENT:
            return Address(chat_id=ChatId(record.client.id), thread_id=None)
        return Address(chat_id=ChatId(GROUP - (place.technician_id or 0)), thread_id=thread)

    def _record(self, settlement: Settlement) -> Envelope | None:
        record = self.records[settlement.row.id]
        if isinstance(settlement, TopicLost) and self.topics.pop(record.lane, None) is not None:
            self._reopen(record)
        if record.is_settled:
            return None
        self.settled.append(settlement)
        match settlement:
            case Sent(message_id=message_id, thread_id=thread_id):
                record.state = "sent"
                record.message_id = message_id
                if thread_id is not None:
                    self.topics[record.lane] = thread_id
            case Superseded():
                record.state = "superseded"
            case Undeliverable(reason=reason, detail=detail):
                record.state, record.error = "undeliverable", f"{reason}: {detail}"
            case TopicLost():
                record.state, record.not_before = "waiting", 0.0
            case Postponed(after_s=after_s, error=error, uncertain=uncertain):
                record.state, record.error, record.uncertain = "waiting", error, uncertain
                record.not_before = anyio.current_time() + after_s
        return self._report(settlement)

    def _reopen(self, lost: Record) -> None:
        opens = [
            record
            for record in self.records.values()
            if record.lane == lost.lane and isinstance(record.effect, OpenTopic)
        ]
        if opens:
            number = len(self.records) + 1
            self.records[number] = replace(
                opens[-1],
                id=number,
                position=-1,
                state="waiting",
                attempts=0,
                uncertain=False,
                not_before=0.0,
                message_id=None,
            )

    def _report(self, settlement: Settlement) -> Envelope | None:
        row = settlement.row
        place: Place | None = getattr(row.effect, "place", None)
        message: Message
        match settlement:
            case Sent(thread_id=thread_id) if thread_id is not None:
                assert place is not None
                assert row.address is not None
                key, chat = f"sent:{row.id}:opened", row.address.chat_id
                message = TopicOpened(place=place, chat_id=chat, thread_id=thread_id)
            case Undeliverable(reason=reason, detail=detail) if place is not None:
                key = f"sent:{row.id}:failed"
                message = DeliveryFailed(
                    place=place,
                    effect=type(row.effect).__name__,
                    reason=reason,
                    detail=detail,
                    content=row.effect.content if isinstance(row.effect, Copy) else None,
                    row=row.id,
                )
            case _:
                return None
        if key in self.reports:
            return None
        self.reports[key] = message
        return Envelope(
            ticket_id=row.ticket_id,
            seq=Seq(len(self.reports)),
            key=key,
            received_at=START,
            message=message,
        )


def tag_of(effect: Effect) -> str | None:
    """The tag under which the effect's message is found again."""
    if isinstance(effect, ShowCard):
        return CARD_TAG
    return effect.tag if isinstance(effect, Say) else None
