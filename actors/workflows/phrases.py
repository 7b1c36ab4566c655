"""Answers and notices that several parts of a workflow give."""

from dataclasses import replace

from actors.decision import Actor, Decision, Event
from actors.effects import (
    CARD_TAG,
    AnswerPress,
    Copy,
    Edit,
    Keyboard,
    KeyboardKind,
    Part,
    React,
    Say,
    Text,
)
from actors.ids import MessageId
from actors.messages import CloseRequested, Content, FailureReason, Json, Press, Technician
from actors.notes import Aside, called
from actors.places import MAIN, Place
from actors.state import TicketState

NOTED_EMOJI = "✍"
"""Put on an aside, so that its author sees that it stayed inside (one of Telegram's reactions)."""


CAPTION_UNITS_MAX = 1024
"""A bot's caption, in UTF-16 units. Some people may write longer ones."""


def copies(copy: Copy) -> tuple[Copy, ...]:
    """A copy, in two parts where its caption is longer than a bot may write."""
    content = copy.content
    units = len(content.text.encode("utf-16-le")) // 2
    if not content.kind.takes_caption or units <= CAPTION_UNITS_MAX:
        return (copy,)
    medium = replace(copy, part=Part.MEDIUM, content=replace(content, album=None))
    return medium, replace(copy, part=Part.WORDS, receipt=None)


def triage(state: TicketState) -> Keyboard:
    technician = state.technician
    return Keyboard(
        kind=KeyboardKind.TRIAGE,
        generation=state.generation,
        technician_id=None if technician is None else technician.id,
    )


def card(state: TicketState, keyboard: Keyboard | None = None) -> Edit:
    """The client's card as it is to stand now; no keyboard once nothing can be done with it."""
    former = state.former_ticket_id or 0
    return Edit(place=MAIN, tag=CARD_TAG, keyboard=keyboard, former=former)


def answer(state: TicketState, press: Press, text: Text) -> Decision:
    effect = AnswerPress(callback_id=press.callback_id, text=text, alert=True)
    return Decision(state=state, effects=(effect,))


def reply(state: TicketState, request: CloseRequested, text: Text) -> Decision:
    """Answers a request that changes nothing, the way it came: as a press or as a message."""
    if request.press is not None:
        return answer(state, request.press, text)
    return Decision(state=state, effects=(Say(place=request.place, text=text),))


def not_sent(state: TicketState, place: Place, content: Content, text: Text) -> Decision:
    """Tells the author that the client did not get this, and keeps it in the log."""
    actor = Actor.STAFF if place == MAIN else Actor.TECH
    event = Event(actor=actor, action="not_sent", payload={"why": text.key}, content=content)
    say = Say(place=place, text=text, reply_to=content.message_id)
    return Decision(state=state, events=(event,), effects=(say,))


def not_yours(technician: Technician | None) -> Text:
    name = "" if technician is None else technician.name
    return Text(key="not-sent-unassigned", args={"technician": name})


def aside_event(actor: Actor, kept: Aside, content: Content, author: str) -> Event:
    payload: dict[str, Json] = {"author": author}
    if kept is Aside.CALL:
        payload["called"] = called(content.text)
    return Event(actor=actor, action=str(kept), payload=payload, content=content)


def noted(place: Place, content: Content) -> React:
    return React(place=place, message_id=MessageId(content.message_id), emoji=NOTED_EMOJI)


def refused(actor: Actor, content: Content) -> Event:
    return Event(actor=actor, action="unsupported", content=content)


def cannot_deliver(place: Place, content: Content) -> Say:
    text = Text(key="cannot-deliver-kind")
    return Say(place=place, text=text, reply_to=content.message_id)


def undelivered(place: Place, reason: FailureReason, detail: str, *, reader: Place = MAIN) -> Say:
    """Tells the people of ``reader`` that a message did not arrive in ``place``."""
    args: dict[str, str | int] = {
        "place": "here" if place == reader else str(place.kind),
        "reason": str(reason),
        "detail": detail,
    }
    return Say(place=reader, text=Text(key="undelivered", args=args))
