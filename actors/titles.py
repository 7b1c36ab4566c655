"""The titles of a ticket's topics, as texts of the catalogue."""

from typing import assert_never

from actors.effects import Text
from actors.state import Status, TicketState


def title(state: TicketState) -> Text:
    """The title that both of a ticket's topics should carry now."""
    args: dict[str, str | int] = {"ticket": state.ticket_id, "client": state.client.name}
    if state.words:
        args["words"] = state.words
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


WORDS_LENGTH_MAX = 40
"""Of the staff's words behind a title: it has 128 characters for all."""

_SEPARATOR = "·"
_ISOLATES = str.maketrans("", "", "\u2066\u2067\u2068\u2069")


def own_words(state: TicketState, name: str) -> str:
    """What somebody added to a topic's title, or put in its place."""
    plain = " ".join(name.translate(_ISOLATES).split())
    _, found, rest = plain.partition(f"#{state.ticket_id} |")
    if not found:
        return plain[:WORDS_LENGTH_MAX].strip()
    rest = rest.strip().removeprefix(state.client.name).strip()
    rest = rest.removeprefix(f"(@{state.client.username})").strip()
    before, separated, behind = rest.partition(_SEPARATOR)
    words = behind if separated and not before.strip(" …") else rest
    return words.strip()[:WORDS_LENGTH_MAX].strip()
