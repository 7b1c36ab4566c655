"""What a workflow answers: the whole outcome of one message, to be committed or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from actors.effects import CopyHistory, Effect, Text
from actors.messages import Content, Json
from actors.state import TicketState


class Actor(StrEnum):
    """Whose doing an event is."""

    CLIENT = "CLIENT"
    TECH = "TECH"
    STAFF = "STAFF"
    SYSTEM = "SYSTEM"


SAID = "said"
"""The action of every message that both sides may read; ``content`` is always set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the ticket's log; ``action`` is past tense and stable.

    ``content`` and ``label`` are stored inside the payload under their names; a label is what a
    later copy of the message says about its author.
    """

    actor: Actor
    action: str
    payload: Mapping[str, Json] = field(default_factory=dict)
    content: Content | None = None
    label: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTimer:
    """Wake the ticket ``after`` the commit, on the database's clock. Replaces one of that name."""

    name: str
    after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """The survey's outcome; ``None`` for what the client left out."""

    scores: tuple[int | None, int | None, int | None]
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """State after the message, and all that goes with it.

    ``reroute`` hands the message to the client's next ticket, which is made when there is none.
    """

    state: TicketState
    events: tuple[Event, ...] = ()
    effects: tuple[Effect, ...] = ()
    timers: tuple[ArmTimer | CancelTimer, ...] = ()
    feedback: Feedback | None = None
    reroute: bool = False

    @property
    def starts_turn(self) -> bool:
        """Whether it must be the first of its turn, since it reads what earlier commits wrote."""
        return self.reroute or any(isinstance(effect, CopyHistory) for effect in self.effects)
