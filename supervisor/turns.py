"""Folding waiting messages into one turn: pure, apart from a look at the clock."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.decision import Decision
from actors.errors import Poison
from actors.messages import Envelope
from actors.ports import DeadLetter, LoadedTicket, Turn
from actors.state import TicketState
from supervisor.options import RuntimeOptions

type Decide = Callable[[TicketState, Envelope], Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The first message of a turn could not be decided."""

    envelope: Envelope
    error: Exception

    @property
    def is_final(self) -> bool:
        return isinstance(self.error, Poison)

    def describe(self) -> str:
        return "".join(traceback.format_exception(self.error))


def fold(
    loaded: LoadedTicket,
    envelopes: Sequence[Envelope],
    decide: Decide,
    options: RuntimeOptions,
    clock: Callable[[], float],
) -> Turn | Failure:
    """Decides the messages one after another until the turn is full.

    A message that fails, or that must start a turn of its own, ends the turn before itself; only
    when it is the first is its failure returned. Expects at least one envelope.
    """
    state = loaded.state
    steps: list[tuple[Envelope, Decision]] = []
    deadline = clock() + options.turn_seconds_max
    for envelope in envelopes:
        assert envelope.seq == loaded.handled_seq + len(steps) + 1, (loaded.handled_seq, envelope)
        try:
            decision = decide(state, envelope)
        except Exception as error:  # noqa: BLE001 — a bad message harms its own ticket only
            if not steps:
                return Failure(envelope=envelope, error=error)
            break
        if decision.starts_turn and steps:
            break
        steps.append((envelope, decision))
        state = decision.state
        if decision.starts_turn or clock() >= deadline:
            break
    return _turn(loaded, tuple(steps))


def giving_up(loaded: LoadedTicket, failure: Failure, give_up: Decide, attempts: int) -> Turn:
    """A turn that moves past a message for good and keeps it with its traceback."""
    decision = give_up(loaded.state, failure.envelope)
    dead = DeadLetter(envelope=failure.envelope, error=failure.describe(), attempts=attempts)
    return _turn(loaded, ((failure.envelope, decision),), (dead,))


def _turn(
    loaded: LoadedTicket,
    steps: tuple[tuple[Envelope, Decision], ...],
    dead: tuple[DeadLetter, ...] = (),
) -> Turn:
    return Turn(
        ticket_id=loaded.state.ticket_id,
        epoch=loaded.epoch,
        version=loaded.version,
        steps=steps,
        dead=dead,
    )
