"""What is done to messages that have been relayed already."""

from dataclasses import replace

from actors.decision import Actor, Decision, Event
from actors.effects import Delete, EditCopy, Effect, React, Say, Text
from actors.ids import ChatId
from actors.messages import Deleted, DeleteRequested, Edited, HintAsked, Json, Reacted
from actors.notes import aside
from actors.places import CLIENT, MAIN, Place, PlaceKind, mirror
from actors.state import REACTIONS_MAX, Reaction, TicketState
from actors.workflows.phrases import noted


def edited(state: TicketState, message: Edited) -> Decision:
    """A change follows its message wherever that went; what became an aside goes no further.

    It does not matter whether the ticket is closed or the technician another one now.
    """
    content, here = message.content, message.place
    event = Event(
        actor=actor_at(here),
        action="edited",
        payload={"author": message.author.name},
        content=content,
    )
    effects: list[Effect] = []
    if here == CLIENT:
        effects += [EditCopy(place=place, content=content) for place in others(state, here)]
    elif aside(content.text) is not None:
        effects.append(noted(here, content))
        if here != MAIN:
            label = author_label(state, here, message.author.name, note=True)
            effects.append(EditCopy(place=MAIN, content=content, label=label))
    else:
        label = author_label(state, here, message.author.name)
        effects.append(EditCopy(place=CLIENT, content=content))
        effects += [
            EditCopy(place=place, content=content, label=label)
            for place in others(state, here)
            if place != CLIENT
        ]
    return Decision(state=state, events=(event,), effects=tuple(effects))


def reacted(state: TicketState, message: Reacted) -> Decision:
    """The newest of the others' reactions that stands is seen on the message in each place."""
    chat_id, message_id = message.chat_id, message.message_id
    if message.source_chat_id is not None and message.source_message_id is not None:
        chat_id, message_id = message.source_chat_id, message.source_message_id
    theirs = message.place, message.by, chat_id, message_id
    standing = tuple(
        r for r in state.reactions if (r.place, r.by, r.chat_id, r.message_id) != theirs
    )
    if message.emoji is not None:
        reaction = Reaction(
            place=message.place,
            by=message.by,
            chat_id=chat_id,
            message_id=message_id,
            emoji=message.emoji,
        )
        standing = (*standing, reaction)[-REACTIONS_MAX:]

    def shown(reactions: tuple[Reaction, ...], place: Place) -> str | None:
        fitting = (
            r.emoji
            for r in reversed(reactions)
            if (r.chat_id, r.message_id) == (chat_id, message_id) and r.place != place
        )
        return next(fitting, None)

    effects = tuple(
        React(
            place=place,
            message_id=message.message_id,
            emoji=emoji,
            of_chat=message.chat_id,
        )
        for place in others(state, message.place)
        for emoji in [shown(standing, place)]
        if emoji is None or emoji != shown(state.reactions, place)
    )
    return Decision(state=replace(state, reactions=standing), effects=effects)


def delete_requested(state: TicketState, message: DeleteRequested) -> Decision:
    """Takes what the staff or the technician wrote out of the client's chat."""
    chat_id, target = message.target_chat_id, message.target_message_id
    if chat_id is None or target is None:
        return _answered(state, message, Text(key="delete-hint"))
    if int(chat_id) == int(state.client.id):
        return _answered(state, message, Text(key="delete-not-ours"))
    if message.place != MAIN and not _wrote_in(state, message.place, chat_id):
        return _answered(state, message, Text(key="delete-not-yours"))
    gone = Delete(place=CLIENT, of_chat=chat_id, message_id=target, by=message.by.name)
    return Decision(state=state, effects=(gone,))


def _answered(state: TicketState, message: DeleteRequested | HintAsked, text: Text) -> Decision:
    say = Say(place=message.place, text=text, reply_to=message.message_id)
    return Decision(state=state, effects=(say,))


def _wrote_in(state: TicketState, place: Place, chat_id: ChatId) -> bool:
    """Whether that chat is the group of the technician whose topic ``place`` is."""
    technician = state.technician
    return (
        technician is not None and place == mirror(technician.id) and chat_id == technician.chat_id
    )


def deleted(state: TicketState, message: Deleted) -> Decision:
    """The original and its copies are marked: the client no longer has the message."""
    payload: dict[str, Json] = {
        "by": message.by,
        "chat_id": message.chat_id,
        "message_id": message.message_id,
    }
    told = Text(key="deleted-by", args={"by": message.by})
    effects = tuple(
        Say(place=place, text=told, reply_to=message.message_id, of_chat=message.chat_id)
        for place in others(state, CLIENT)
    )
    event = Event(actor=Actor.SYSTEM, action="deleted", payload=payload)
    return Decision(state=state, events=(event,), effects=effects)


def hint_asked(state: TicketState, message: HintAsked) -> Decision:
    return _answered(state, message, Text(key="edit-hint"))


def others(state: TicketState, here: Place) -> list[Place]:
    """The ticket's other places: the client's chat, the main topic, the technician's topic."""
    places = [CLIENT, MAIN]
    if state.technician is not None:
        places.append(mirror(state.technician.id))
    return [place for place in places if place != here]


def author_label(state: TicketState, here: Place, author: str, *, note: bool = False) -> Text:
    """How a message from that place names its author elsewhere."""
    if here == MAIN:
        return Text(key="label-staff", args={"name": author})
    technician = state.technician
    name = technician.name if technician is not None and here == mirror(technician.id) else author
    return Text(key="label-note" if note else "label-technician", args={"name": name})


def actor_at(place: Place) -> Actor:
    """Whose doing it is when something happens in that place."""
    match place.kind:
        case PlaceKind.CLIENT:
            return Actor.CLIENT
        case PlaceKind.MAIN:
            return Actor.STAFF
        case PlaceKind.MIRROR:
            return Actor.TECH
