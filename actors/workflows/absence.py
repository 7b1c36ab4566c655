"""The client goes away, comes back, or is shown the door."""

from dataclasses import replace

from actors.decision import Actor, Decision, Event
from actors.effects import RETURN_TAG, AnswerPress, Copy, Edit, Keyboard, KeyboardKind, Say, Text
from actors.messages import BanRequested, ResendRequested
from actors.places import CLIENT, MAIN
from actors.state import TicketState
from actors.workflows.failures import place_of
from actors.workflows.phrases import answer


def left(state: TicketState) -> Decision:
    """The client blocked the bot: the staff hear it at once, while the ticket is open."""
    if state.client_unreachable or not state.status.is_open:
        return Decision(state=state)
    return Decision(
        state=replace(state, client_unreachable=True),
        events=(Event(actor=Actor.CLIENT, action="left"),),
        effects=(Say(place=MAIN, text=Text(key="client-unreachable")),),
    )


def returned(state: TicketState) -> Decision:
    """The client is there again; what waited is sent when the staff ask for it."""
    if not state.client_unreachable:
        return Decision(state=state)
    keyboard = Keyboard(kind=KeyboardKind.RESEND) if state.unsent else None
    told = Text(key="client-returned", args={"waiting": len(state.unsent)})
    return Decision(
        state=replace(state, client_unreachable=False),
        events=(Event(actor=Actor.CLIENT, action="returned"),),
        effects=(Say(place=MAIN, text=told, keyboard=keyboard, tag=RETURN_TAG),),
    )


def resend(state: TicketState, message: ResendRequested) -> Decision:
    """Everything that waited goes out, in the order in which it was written, once."""
    if not state.unsent:
        return answer(state, message.press, Text(key="press-nothing-waits"))
    copies = tuple(
        Copy(place=CLIENT, content=content, receipt=place_of(state, content))
        for content in state.unsent
    )
    event = Event(actor=Actor.STAFF, action="resent", payload={"count": len(copies)})
    sending = Text(key="press-resent", args={"count": len(copies)})
    return Decision(
        state=replace(state, unsent=()),
        events=(event,),
        effects=(
            AnswerPress(callback_id=message.press.callback_id, text=sending),
            *copies,
            Edit(place=MAIN, tag=RETURN_TAG),
        ),
    )


def banned(state: TicketState, message: BanRequested) -> Decision:
    """The client hears it, this once; what they write from now on reaches nobody."""
    event = Event(
        actor=Actor.STAFF,
        action="banned" if message.banned else "unbanned",
        payload={"by": message.by.name},
    )
    if message.banned:
        effects: tuple[Say, ...] = (
            Say(place=CLIENT, text=Text(key="banned-client")),
            Say(place=MAIN, text=Text(key="banned-by", args={"by": message.by.name})),
        )
    else:
        effects = (Say(place=MAIN, text=Text(key="unbanned-by", args={"by": message.by.name})),)
    return Decision(state=state, events=(event,), effects=effects)
