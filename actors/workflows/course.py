"""The course of a ticket: who has it, and when it ends."""

from dataclasses import replace

from actors import survey
from actors.decision import Actor, CancelTimer, Decision, Event
from actors.effects import (
    CARD_TAG,
    SURVEY_TAG,
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
from actors.messages import (
    AssignRequested,
    CloseRequested,
    Json,
    ReopenRequested,
    Technician,
    TopicRenamed,
)
from actors.places import CLIENT, MAIN, mirror
from actors.state import MOVES, MirrorTopic, Status, TicketState
from actors.titles import own_words, title
from actors.workflows.phrases import answer, card, not_yours, reply, triage


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
            card(state, triage(state)),
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
        if message.by_hand:
            return Decision(state=state)
        return reply(state, message, Text(key="press-already-closed"))
    theirs = technician is not None and message.place == mirror(technician.id)
    if message.place != MAIN and not theirs:
        if message.by_hand:
            return Decision(state=state)
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
        card(state),
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


def reopen(state: TicketState, message: ReopenRequested) -> Decision:
    """The ticket goes on where it was, unless the client has a newer one by now."""
    technician, here = state.technician, message.place
    places = [MAIN] if technician is None else [MAIN, mirror(technician.id)]
    if state.status is not Status.CLOSED or here not in places:
        return Decision(state=state)
    if message.latest != state.ticket_id:
        newer = Text(key="not-reopened", args={"ticket": message.latest})
        return Decision(state=state, effects=(Say(place=here, text=newer), CloseTopic(place=here)))
    status = Status.NEW if technician is None else Status.WORK
    state = _moved(state, status, survey=None)
    told = Text(key="reopened-by", args={"by": message.by.name})
    again = Text(key="survey-reopened", args={"ticket": state.ticket_id})
    effects: list[Effect] = [Edit(place=CLIENT, tag=SURVEY_TAG, text=again)]
    for place in places:
        theirs = Edit(place=place, tag=CARD_TAG, keyboard=Keyboard(kind=KeyboardKind.MIRROR))
        effects += [
            ReopenTopic(place=place),
            Say(place=place, text=told),
            card(state, triage(state)) if place == MAIN else theirs,
            RenameTopic(place=place, title=title(state)),
        ]
    actor = Actor.STAFF if here == MAIN else Actor.TECH
    return Decision(
        state=state,
        events=(Event(actor=actor, action="reopened", payload={"by": message.by.name}),),
        effects=tuple(effects),
        timers=(CancelTimer(name=survey.TIMER),),
    )


def renamed(state: TicketState, message: TopicRenamed) -> Decision:
    """The words of the staff stay behind our part of the title, in all topics."""
    words = own_words(state, message.name)
    state = replace(state, words=words)
    places = [MAIN] if state.technician is None else [MAIN, mirror(state.technician.id)]
    if message.place not in places:
        places.append(message.place)
    payload: dict[str, Json] = {"by": message.by.name, "words": words}
    actor = Actor.STAFF if message.place == MAIN else Actor.TECH
    return Decision(
        state=state,
        events=(Event(actor=actor, action="renamed", payload=payload),),
        effects=tuple(RenameTopic(place=place, title=title(state)) for place in places),
    )


def _moved(state: TicketState, status: Status, **changes: object) -> TicketState:
    """Moves the ticket; a move that the table does not allow is a bug."""
    assert status in MOVES[state.status], (state.status, status)
    return replace(state, status=status, **changes)  # type: ignore[arg-type]
