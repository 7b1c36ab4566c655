"""The course of a ticket: who has it, and when it ends."""

from dataclasses import replace

from actors import survey
from actors.decision import Actor, Decision, Event
from actors.effects import (
    CARD_TAG,
    AnswerPress,
    CloseTopic,
    CopyHistory,
    Edit,
    Effect,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    RenameTopic,
    ReopenTopic,
    Say,
    Text,
)
from actors.ids import Seq
from actors.messages import AssignRequested, CloseRequested, Json, Technician
from actors.places import MAIN, mirror
from actors.state import MOVES, MirrorTopic, Status, TicketState
from actors.titles import title
from actors.workflows.phrases import answer, not_yours, reply, triage


def assign(state: TicketState, message: AssignRequested, seq: Seq) -> Decision:
    press, technician, former = message.press, message.technician, state.technician
    if state.status is Status.CLOSED:
        return answer(state, press, Text(key="press-already-closed"))
    if former is not None and message.generation != state.generation:
        args: dict[str, str | int] = {"technician": former.name, "by": state.assigned_by or ""}
        return answer(state, press, Text(key="press-already-assigned", args=args))
    if former is not None and former.id == technician.id:
        same = Text(key="press-same-technician", args={"technician": technician.name})
        return answer(state, press, same)
    known = state.mirror_of(technician.id)
    state = _moved(
        state,
        Status.WORK,
        technician=technician,
        assigned_by=press.by.name,
        generation=state.generation + 1,
        mirrors=_mirrors_after(state, technician, seq),
    )
    payload: dict[str, Json] = {"technician": technician.name, "by": press.by.name}
    told = Text(key="assigned", args={"technician": technician.name, "by": press.by.name})
    leaving: tuple[Effect, ...] = ()
    if former is not None:
        payload["former"] = former.name
        told = Text(key="reassigned", args={**told.args, "former": former.name})
        unassigned = Text(key="mirror-unassigned", args={"technician": technician.name})
        leaving = (
            Say(place=mirror(former.id), text=unassigned),
            Edit(place=mirror(former.id), tag=CARD_TAG),
            CloseTopic(place=mirror(former.id)),
        )
    assigned = Text(key="press-assigned", args={"technician": technician.name})
    event = Event(
        actor=Actor.STAFF,
        action="assigned" if former is None else "reassigned",
        payload=payload,
    )
    return Decision(
        state=state,
        events=(event,),
        effects=(
            AnswerPress(callback_id=press.callback_id, text=assigned),
            *leaving,
            *_entering(state, technician, known),
            Say(place=MAIN, text=told),
            Edit(place=MAIN, tag=CARD_TAG, keyboard=triage(state)),
            RenameTopic(place=MAIN, title=title(state)),
        ),
    )


def _mirrors_after(state: TicketState, technician: Technician, seq: Seq) -> tuple[MirrorTopic, ...]:
    """The mirrors once ``technician`` has the ticket: the former one has seen all up to ``seq``."""
    former = state.technician
    others = tuple(
        replace(m, seen_seq=seq) if former is not None and m.technician_id == former.id else m
        for m in state.mirrors
        if m.technician_id != technician.id
    )
    return (*others, MirrorTopic(technician_id=technician.id, seen_seq=Seq(0)))


def _entering(
    state: TicketState, technician: Technician, known: MirrorTopic | None
) -> tuple[Effect, ...]:
    """Opens the technician's topic, or opens it again, and fills in what was said meanwhile."""
    place = mirror(technician.id)
    args: dict[str, str | int] = {"ticket": state.ticket_id, "client": state.client.name}
    hello = Say(
        place=place,
        text=Text(key="mirror-opened", args=args),
        keyboard=Keyboard(kind=KeyboardKind.MIRROR),
        tag=CARD_TAG,
    )
    if known is None:
        opened = OpenTopic(place=place, title=title(state))
        return opened, hello, CopyHistory(place=place, after_seq=0)
    return (
        ReopenTopic(place=place),
        hello,
        CopyHistory(place=place, after_seq=known.seen_seq),
        RenameTopic(place=place, title=title(state)),
    )


def close(state: TicketState, message: CloseRequested) -> Decision:
    press, by, technician = message.press, message.by, state.technician
    if state.status is Status.CLOSED:
        return reply(state, message, Text(key="press-already-closed"))
    theirs = technician is not None and message.place == mirror(technician.id)
    if message.place != MAIN and not theirs:
        return reply(state, message, not_yours(technician))
    state = _moved(state, Status.CLOSED)
    state, question, timer = survey.offer(state)
    told = Text(key="closed-by", args={"by": by.name})
    effects: list[Effect] = []
    if press is not None:
        effects.append(AnswerPress(callback_id=press.callback_id, text=Text(key="press-closed")))
    effects += [
        question,
        Say(place=MAIN, text=told),
        Edit(place=MAIN, tag=CARD_TAG),
        RenameTopic(place=MAIN, title=title(state)),
        CloseTopic(place=MAIN),
    ]
    if technician is not None:
        theirs_place = mirror(technician.id)
        effects += [
            Say(place=theirs_place, text=told),
            Edit(place=theirs_place, tag=CARD_TAG),
            RenameTopic(place=theirs_place, title=title(state)),
            CloseTopic(place=theirs_place),
        ]
    actor = Actor.STAFF if message.place == MAIN else Actor.TECH
    event = Event(actor=actor, action="closed", payload={"by": by.name})
    return Decision(state=state, events=(event,), effects=tuple(effects), timers=(timer,))


def _moved(state: TicketState, status: Status, **changes: object) -> TicketState:
    """Moves the ticket; a move that the table does not allow is a bug."""
    assert status in MOVES[state.status], (state.status, status)
    return replace(state, status=status, **changes)  # type: ignore[arg-type]
