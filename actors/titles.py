"""The titles of a ticket's topics, as texts of the catalogue."""

from typing import assert_never

from actors.effects import Text
from actors.state import Status, TicketState


def title(state: TicketState) -> Text:
    """The title that both of a ticket's topics should carry now."""
    args: dict[str, str | int] = {"ticket": state.ticket_id, "client": state.client.name}
    technician = state.technician
    match state.status:
        case Status.NEW:
            return Text(key="title-new", args={**args, "username": state.client.username or ""})
        case Status.WORK:
            assert technician is not None, state
            return Text(key="title-work", args={**args, "technician": technician.name})
        case Status.CLOSED if technician is None:
            return Text(key="title-closed-unassigned", args=args)
        case Status.CLOSED:
            return Text(key="title-closed", args={**args, "technician": technician.name})
        case _:
            assert_never(state.status)
