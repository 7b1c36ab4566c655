"""Who waits for a row: the smaller, the sooner it goes when the budget is short."""

from enum import IntEnum

from actors.effects import (
    AnswerPress,
    CloseTopic,
    Delete,
    Edit,
    EditCopy,
    React,
    RenameTopic,
    ReopenTopic,
    ShowCard,
)
from actors.places import PlaceKind
from actors.ports import OutboxRow


class Priority(IntEnum):
    PRESS = 0
    """Somebody's button turns until it is answered."""
    CLIENT = 1
    """A client waits."""
    COPY = 2
    """The staff are to answer it."""
    MIRROR = 3
    """A technician reads along; or what somebody has read already is put right."""
    CARD = 4
    """Cards, buttons, reactions."""
    DECORATION = 5
    """Titles, opening and closing of topics."""


SLACK_S = {
    Priority.PRESS: 0.0,
    Priority.CLIENT: 0.0,
    Priority.COPY: 5.0,
    Priority.MIRROR: 15.0,
    Priority.CARD: 30.0,
    Priority.DECORATION: 300.0,
}
"""Seconds by which each class may be overtaken: in a jam that lasts, none waits for ever."""


def priority_of(row: OutboxRow) -> Priority:
    place = getattr(row.effect, "place", None)
    match row.effect:
        case AnswerPress():
            return Priority.PRESS
        case EditCopy() | Delete():
            return Priority.MIRROR
        case _ if row.address is not None and row.address.chat_id > 0:
            return Priority.CLIENT
        case ShowCard() | Edit() | React():
            return Priority.CARD
        case RenameTopic() | CloseTopic() | ReopenTopic():
            return Priority.DECORATION
        case _ if place is not None and place.kind is PlaceKind.MIRROR:
            return Priority.MIRROR
        case _:
            return Priority.COPY
