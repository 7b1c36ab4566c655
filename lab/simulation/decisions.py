"""The workflow as nodes run it, with messages that it cannot handle."""

from collections import Counter

from actors import workflows
from actors.decision import Decision
from actors.errors import Poison
from actors.messages import ClientWrote, Envelope, StaffWrote
from actors.state import TicketState
from actors.workflows import support

POISON = "poison"
"""A message with this text fails every time."""

FLAKY = "flaky"
"""A message with this text fails a few times, each time that a process meets it anew."""

FINAL = "final"
"""A message with this text is known at once as one that cannot be handled."""

FLAKY_FAILURES = 2


class Decisions:
    """``decide`` and ``give_up`` for all nodes. What fails, fails by its words alone."""

    def __init__(self) -> None:
        self._failed: Counter[str] = Counter()

    def decide(self, state: TicketState, envelope: Envelope) -> Decision:
        words = _words(envelope)
        if words.startswith(POISON):
            raise RuntimeError("no ticket can handle this")
        if words.startswith(FINAL):
            raise Poison("nobody can read this")
        if words.startswith(FLAKY) and self._failed[envelope.key] < FLAKY_FAILURES:
            self._failed[envelope.key] += 1
            raise RuntimeError("not this time")
        return workflows.decide(state, envelope)

    def give_up(self, state: TicketState, envelope: Envelope) -> Decision:
        return support.give_up(state, envelope)


def must_fail(envelope: Envelope) -> bool:
    """Whether that message can only end among the dead letters."""
    return _words(envelope).startswith((POISON, FINAL))


def _words(envelope: Envelope) -> str:
    message = envelope.message
    return message.content.text if isinstance(message, ClientWrote | StaffWrote) else ""
