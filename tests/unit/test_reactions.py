"""Each place shows the newest of the others' reactions that stands."""

from actors.effects import React
from actors.ids import ChatId, MessageId, TechnicianId, TicketId, UserId
from actors.messages import Person, Reacted, Technician
from actors.places import CLIENT, MAIN, Place, mirror
from actors.state import REACTIONS_MAX, TicketState
from actors.workflows.bridge import reacted

ALICE = Technician(id=TechnicianId(1), name="alice", chat_id=ChatId(-1002))
HERS = mirror(ALICE.id)
STATE = TicketState(
    ticket_id=TicketId(7), client=Person(id=UserId(501), name="Ann"), technician=ALICE
)


def put(
    state: TicketState, place: Place, by: int, emoji: str | None, message: int = 5
) -> tuple[TicketState, dict[Place, str | None]]:
    """The reaction on a client's message, and what it changes in which place."""
    decision = reacted(
        state,
        Reacted(
            place=place,
            chat_id=ChatId(501),
            message_id=MessageId(message),
            emoji=emoji,
            by=by,
        ),
    )
    effects = [effect for effect in decision.effects if isinstance(effect, React)]
    assert len(effects) == len(decision.effects)
    return decision.state, {effect.place: effect.emoji for effect in effects}


def test_a_colleagues_reaction_comes_back_when_the_newest_is_taken_back() -> None:
    state, _ = put(STATE, MAIN, 1, "👍")
    state, _ = put(state, MAIN, 2, "🔥")
    state, shown = put(state, MAIN, 2, None)
    assert shown == {CLIENT: "👍", HERS: "👍"}
    _, shown = put(state, MAIN, 1, None)
    assert shown == {CLIENT: None, HERS: None}


def test_what_is_shown_already_is_not_shown_again() -> None:
    state, _ = put(STATE, MAIN, 1, "👍")
    state, shown = put(state, MAIN, 2, "👍")
    assert shown == {}
    state, shown = put(state, MAIN, 1, None)
    assert shown == {}
    assert [reaction.by for reaction in state.reactions] == [2]


def test_one_person_has_one_reaction_on_each_message() -> None:
    state, _ = put(STATE, MAIN, 1, "👍")
    state, _ = put(state, MAIN, 1, "🔥")
    state, _ = put(state, MAIN, 1, "❤", message=6)
    assert [reaction.emoji for reaction in state.reactions] == ["🔥", "❤"]
    _, shown = put(state, MAIN, 1, None)
    assert shown == {CLIENT: None, HERS: None}, "that on another message says nothing here"


def test_a_ticket_remembers_no_more_than_its_snapshot_can_carry() -> None:
    state = STATE
    for by in range(REACTIONS_MAX + 5):
        state, _ = put(state, MAIN, by, "👍")
    assert len(state.reactions) == REACTIONS_MAX
    _, shown = put(state, MAIN, 0, None)
    assert shown == {}, "others stand still"
