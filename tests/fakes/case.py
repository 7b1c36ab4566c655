"""A ticket played message by message against the pure workflow."""

from collections.abc import Iterable
from datetime import UTC, datetime

from actors.decision import Decision, Event, Feedback
from actors.effects import Effect
from actors.ids import ChatId, MessageId, Seq, TechnicianId, TicketId, UserId
from actors.messages import (
    AssignRequested,
    ClientWrote,
    CloseRequested,
    Content,
    ContentKind,
    Envelope,
    Message,
    Person,
    Press,
    ScoreGiven,
    StaffWrote,
    Technician,
    TechnicianWrote,
)
from actors.places import MAIN
from actors.state import TicketState
from actors.workflows import decide

CLIENT_ID = UserId(501)
MAIN_CHAT = ChatId(-1001)
IVAN = Person(id=CLIENT_ID, name="Иван", username="ivan", language="ru")
MARIA = Person(id=UserId(601), name="Мария")
OLEG = Person(id=UserId(602), name="Олег")
ALICE = Technician(id=TechnicianId(1), name="alice", chat_id=ChatId(-1002), user_id=UserId(701))
BOB = Technician(id=TechnicianId(2), name="bob", chat_id=ChatId(-1003))


def press(by: Person = MARIA, callback_id: str = "c1") -> Press:
    return Press(callback_id=callback_id, by=by)


class Case:
    """Feeds messages in order and keeps the last decision and everything that was decided."""

    def __init__(self, former: int | None = None) -> None:
        self.state = TicketState(
            ticket_id=TicketId(7),
            client=IVAN,
            former_ticket_id=None if former is None else TicketId(former),
        )
        self.last = Decision(state=self.state)
        self.events: list[Event] = []
        self._seq = 0
        self._message_id = 100

    def tell(self, message: Message) -> Decision:
        self._seq += 1
        envelope = Envelope(
            ticket_id=self.state.ticket_id,
            seq=Seq(self._seq),
            key=f"test:{self._seq}",
            received_at=datetime(2026, 1, 1, tzinfo=UTC),
            message=message,
        )
        self.last = decide(self.state, envelope)
        self.state = self.last.state
        self.events += self.last.events
        return self.last

    def content(
        self, chat_id: ChatId, text: str = "hello", kind: ContentKind = ContentKind.TEXT
    ) -> Content:
        self._message_id += 1
        return Content(
            chat_id=chat_id, message_id=MessageId(self._message_id), kind=kind, text=text
        )

    def client(self, text: str = "hello", kind: ContentKind = ContentKind.TEXT) -> Decision:
        content = self.content(ChatId(CLIENT_ID), text, kind)
        return self.tell(ClientWrote(author=IVAN, content=content))

    def staff(self, text: str = "hello", kind: ContentKind = ContentKind.TEXT) -> Decision:
        return self.tell(StaffWrote(author=MARIA, content=self.content(MAIN_CHAT, text, kind)))

    def technician(
        self,
        text: str = "hello",
        who: Technician = ALICE,
        kind: ContentKind = ContentKind.TEXT,
    ) -> Decision:
        author = Person(id=UserId(who.user_id or 799), name=who.name.title())
        content = self.content(who.chat_id, text, kind)
        return self.tell(TechnicianWrote(author=author, technician_id=who.id, content=content))

    def assign(
        self, who: Technician = ALICE, by: Person = MARIA, generation: int | None = None
    ) -> Decision:
        drawn = self.state.generation if generation is None else generation
        return self.tell(AssignRequested(press=press(by), technician=who, generation=drawn))

    def close(self) -> Decision:
        return self.tell(CloseRequested(by=MARIA, place=MAIN, press=press()))

    def score(self, *scores: int) -> Decision:
        for score in scores:
            assert self.state.survey is not None
            question = self.state.survey.question
            self.tell(ScoreGiven(press=press(IVAN), question=question, score=score))
        return self.last

    def of[Kind: Effect](self, kind: type[Kind]) -> list[Kind]:
        """The last decision's effects of one kind, in order."""
        return [effect for effect in self.last.effects if isinstance(effect, kind)]

    def feedback(self) -> Feedback | None:
        return self.last.feedback

    def actions(self) -> list[str]:
        return [event.action for event in self.events]


def kinds(effects: Iterable[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
