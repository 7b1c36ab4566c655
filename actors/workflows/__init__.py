"""Workflows: which messages a ticket accepts in which status, and what follows.

A workflow is data (its table of moves in ``actors.state``) and one pure function.
"""

from typing import assert_never

from actors.decision import Decision
from actors.messages import Envelope
from actors.state import TicketState, Workflow
from actors.workflows import support


def decide(state: TicketState, envelope: Envelope) -> Decision:
    """The outcome of one message, by the ticket's workflow. Pure and total."""
    match state.workflow:
        case Workflow.SUPPORT:
            return support.decide(state, envelope)
        case _:
            assert_never(state.workflow)
