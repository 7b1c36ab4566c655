"""The three kinds of place where a ticket is spoken about."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from actors.ids import TechnicianId


class PlaceKind(StrEnum):
    CLIENT = "client"
    """The client's private chat with the bot."""
    MAIN = "main"
    """The ticket's topic in the main group, where the staff read and answer."""
    MIRROR = "mirror"
    """The ticket's topic in one technician's group."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place of one ticket. The chat and thread behind it are known to the edge only.

    A symbolic address lets a ticket decide on messages for a topic before that topic exists: the
    delivery lane of the place opens the topic first and sends the rest into it, in order.
    """

    kind: PlaceKind
    technician_id: TechnicianId | None = None

    def __post_init__(self) -> None:
        assert (self.kind is PlaceKind.MIRROR) == (self.technician_id is not None), self

    def __str__(self) -> str:
        return self.kind if self.technician_id is None else f"{self.kind}:{self.technician_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what ``str(place)`` wrote.

        Raises:
            ValueError: The text names no place.
        """
        kind, _, technician = text.partition(":")
        return cls(PlaceKind(kind), TechnicianId(int(technician)) if technician else None)


CLIENT = Place(PlaceKind.CLIENT)
MAIN = Place(PlaceKind.MAIN)


def mirror(technician_id: TechnicianId) -> Place:
    """The ticket's topic in that technician's group."""
    return Place(PlaceKind.MIRROR, technician_id)
