"""What could not be delivered: a card in the ticket's topic, and a button to try again."""

from dataclasses import replace

from actors.decision import Actor, Decision, Event
from actors.effects import (
    AnswerPress,
    Copy,
    Edit,
    Effect,
    Keyboard,
    KeyboardKind,
    Resend,
    Say,
    ShowCard,
    Text,
)
from actors.messages import Content, DeliveryFailed, FailureReason, Json, RetryRequested
from actors.places import CLIENT, MAIN, Place, mirror
from actors.state import FAILED_MAX, UNSENT_MAX, Failed, TicketState
from actors.workflows.phrases import answer, cannot_deliver, undelivered

WORDS_MAX = 60
"""Of what somebody wrote, in characters: enough to know it again."""

_NOTICES = frozenset({Say.__name__, ShowCard.__name__})
"""What the bot says by itself: one that fails in the main topic cannot be reported there."""

_FIT_FOR_NOBODY = frozenset({FailureReason.UNCOPYABLE})
"""Trying again is in vain."""


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
    state, effects = _reported(state, message)
    return Decision(state=state, events=(event,), effects=effects)


def _reported(
    state: TicketState, message: DeliveryFailed
) -> tuple[TicketState, tuple[Effect, ...]]:
    content, in_main = message.content, message.place == MAIN
    if message.reason is FailureReason.CLIENT_BLOCKED:
        return _client_gone(state, message)
    if message.effect == "Delete":
        failed = Text(key="delete-failed", args={"detail": message.detail})
        return state, (Say(place=MAIN, text=failed),)
    if content is None:
        return (state, ()) if in_main and message.effect in _NOTICES else _card(state, message)
    source = place_of(state, content)
    if message.place == CLIENT and message.reason is FailureReason.UNCOPYABLE:
        return state, (cannot_deliver(source, content),)
    state, card = _card(state, message)
    if in_main and source == CLIENT:
        return state, (cannot_deliver(CLIENT, content), *card)
    if source in {CLIENT, MAIN}:
        return state, card
    told = undelivered(message.place, message.reason, message.detail, reader=source)
    return state, (told, *card)


def _client_gone(
    state: TicketState, message: DeliveryFailed
) -> tuple[TicketState, tuple[Effect, ...]]:
    """What people wrote is kept until the client is back; that the client went is said once."""
    content = message.content
    if content is not None and message.place == CLIENT:
        state = replace(state, unsent=(*state.unsent, content)[-UNSENT_MAX:])
    if not state.client_unreachable:
        told = Text(key="client-unreachable")
        return replace(state, client_unreachable=True), (Say(place=MAIN, text=told),)
    if content is None:
        return state, ()
    source = place_of(state, content)
    reader = MAIN if source == CLIENT else source
    return state, (undelivered(message.place, message.reason, message.detail, reader=reader),)


def _card(state: TicketState, message: DeliveryFailed) -> tuple[TicketState, tuple[Effect, ...]]:
    """One card for each message; of the bot's own doings one for each kind, with the newest."""
    text = _text(message)
    if message.row is None or message.reason in _FIT_FOR_NOBODY:
        return state, (Say(place=MAIN, text=text),)
    failed = Failed(card=message.row, row=message.row, place=message.place, effect=message.effect)
    if message.effect != Copy.__name__:
        for known in state.failed:
            if (known.place, known.effect) == (failed.place, failed.effect):
                newer = replace(known, row=failed.row)
                kept = tuple(newer if each is known else each for each in state.failed)
                return replace(state, failed=kept), ()
    state = replace(state, failed=(*state.failed, failed)[-FAILED_MAX:])
    button = Keyboard(kind=KeyboardKind.RETRY, card=failed.card)
    return state, (Say(place=MAIN, text=text, keyboard=button, tag=_tag(failed)),)


def _text(message: DeliveryFailed) -> Text:
    content = message.content
    words = "" if content is None else " ".join(content.text.split())
    return Text(
        key="undeliverable",
        args={
            "kind": message.effect if content is None else str(content.kind),
            "words": words if len(words) <= WORDS_MAX else words[: WORDS_MAX - 1].rstrip() + "…",
            "place": str(message.place.kind),
            "reason": str(message.reason),
            "detail": message.detail,
        },
    )


def _tag(failed: Failed) -> str:
    return f"failed:{failed.card}"


def retry(state: TicketState, message: RetryRequested) -> Decision:
    """Sends the row of a card again, once; should that fail, too, it gets a card of its own."""
    failed = next((each for each in state.failed if each.card == message.card), None)
    if failed is None:
        return answer(state, message.press, Text(key="press-retried-already"))
    payload: dict[str, Json] = {"by": message.press.by.name, "effect": failed.effect}
    again = Text(key="press-retried")
    return Decision(
        state=replace(state, failed=tuple(each for each in state.failed if each is not failed)),
        events=(Event(actor=Actor.STAFF, action="retried", payload=payload),),
        effects=(
            AnswerPress(callback_id=message.press.callback_id, text=again),
            Resend(place=failed.place, row=failed.row),
            Edit(place=MAIN, tag=_tag(failed)),
        ),
    )


def place_of(state: TicketState, content: Content) -> Place:
    """Where a message was written, by its chat; a technician's group holds no main topic."""
    if int(content.chat_id) == int(state.client.id):
        return CLIENT
    technician = state.technician
    if technician is not None and content.chat_id == technician.chat_id:
        return mirror(technician.id)
    return MAIN
