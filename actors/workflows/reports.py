"""What the program reports to a ticket: topics made, deliveries that failed."""

from dataclasses import replace

from actors.decision import Actor, Decision, Event
from actors.effects import Effect, Say, Text
from actors.messages import Content, DeliveryFailed, FailureReason, Json, TopicOpened
from actors.places import CLIENT, MAIN, Place, mirror
from actors.state import UNSENT_MAX, TicketState
from actors.workflows.phrases import cannot_deliver, undelivered


def topic_opened(state: TicketState, message: TopicOpened) -> Decision:
    payload: dict[str, Json] = {
        "place": str(message.place),
        "chat_id": message.chat_id,
        "thread_id": message.thread_id,
    }
    event = Event(actor=Actor.SYSTEM, action="topic_opened", payload=payload)
    return Decision(state=state, events=(event,))


def delivery_failed(state: TicketState, message: DeliveryFailed) -> Decision:
    """Says what could not be delivered, to whom it concerns, and never by the way that failed."""
    event = Event(
        actor=Actor.SYSTEM,
        action="delivery_failed",
        payload={
            "place": str(message.place),
            "effect": message.effect,
            "reason": str(message.reason),
            "detail": message.detail,
        },
        content=message.content,
    )
    effects: tuple[Effect, ...] = ()
    gone = message.reason is FailureReason.CLIENT_BLOCKED
    if gone and message.place == CLIENT and message.content is not None:
        state = replace(state, unsent=(*state.unsent, message.content)[-UNSENT_MAX:])
    if message.reason is FailureReason.CLIENT_BLOCKED and not state.client_unreachable:
        state = replace(state, client_unreachable=True)
        effects = (Say(place=MAIN, text=Text(key="client-unreachable")),)
    elif message.effect == "Delete":
        failed = Text(key="delete-failed", args={"detail": message.detail})
        effects = (Say(place=MAIN, text=failed),)
    elif message.content is not None:
        effects = _copy_failed(state, message, message.content)
    elif message.place != MAIN and message.reason is not FailureReason.CLIENT_BLOCKED:
        effects = (undelivered(message.place, message.reason, message.detail),)
    return Decision(state=state, events=(event,), effects=effects)


def _copy_failed(
    state: TicketState, message: DeliveryFailed, content: Content
) -> tuple[Effect, ...]:
    source = place_of(state, content)
    if message.place == MAIN and source == CLIENT:
        told = undelivered(MAIN, message.reason, message.detail)
        return cannot_deliver(CLIENT, content), told
    if message.place == CLIENT and message.reason is FailureReason.UNCOPYABLE:
        return (cannot_deliver(source, content),)
    reader = MAIN if source == CLIENT else source
    return (undelivered(message.place, message.reason, message.detail, reader=reader),)


def place_of(state: TicketState, content: Content) -> Place:
    """Where a message was written, by its chat; a technician's group holds no main topic."""
    if int(content.chat_id) == int(state.client.id):
        return CLIENT
    technician = state.technician
    if technician is not None and content.chat_id == technician.chat_id:
        return mirror(technician.id)
    return MAIN
