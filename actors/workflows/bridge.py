"""What is done to messages that have been relayed already."""

from actors.decision import Actor, Decision, Event
from actors.effects import EditCopy, Effect, React, Text
from actors.messages import Edited, Reacted
from actors.notes import aside
from actors.places import CLIENT, MAIN, Place, PlaceKind, mirror
from actors.state import TicketState
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
    """A reaction is seen on the same message in the other places."""
    effects = tuple(
        React(
            place=place,
            message_id=message.message_id,
            emoji=message.emoji,
            of_chat=message.chat_id,
        )
        for place in others(state, message.place)
    )
    return Decision(state=state, effects=effects)


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
