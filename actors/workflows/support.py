"""The helpdesk workflow: NEW → WORK → CLOSED."""

from dataclasses import replace
from typing import assert_never

from actors import survey
from actors.decision import SAID, Actor, Decision, Event
from actors.effects import (
    CARD_TAG,
    AnswerPress,
    CloseTopic,
    Copy,
    CopyHistory,
    Edit,
    Effect,
    Keyboard,
    KeyboardKind,
    OpenTopic,
    React,
    RenameTopic,
    ReopenTopic,
    Say,
    ShowCard,
    Text,
)
from actors.errors import Poison
from actors.ids import MessageId, Seq
from actors.messages import (
    AssignRequested,
    ClientWrote,
    CloseRequested,
    CommentOffered,
    CommentSkipped,
    Content,
    ContentKind,
    DeliveryFailed,
    Envelope,
    FailureReason,
    Json,
    Press,
    ScoreGiven,
    StaffWrote,
    Technician,
    TechnicianWrote,
    TimerFired,
    TopicOpened,
    Unreadable,
)
from actors.notes import Aside, aside, called
from actors.places import CLIENT, MAIN, Place, mirror
from actors.state import MOVES, MirrorTopic, Status, TicketState
from actors.titles import title

NOTED_EMOJI = "✍"
"""Put on an aside, so that its author sees that it stayed inside (one of Telegram's reactions)."""


def decide(state: TicketState, envelope: Envelope) -> Decision:
    """The outcome of one message. Pure; total over :data:`~actors.messages.Message`.

    Raises:
        Poison: The message cannot be read at all.
    """
    message = envelope.message
    match message:
        case ClientWrote():
            return _client_wrote(state, message)
        case StaffWrote():
            return _staff_wrote(state, message)
        case TechnicianWrote():
            return _technician_wrote(state, message)
        case AssignRequested():
            return _assign(state, message, envelope.seq)
        case CloseRequested():
            return _close(state, message)
        case ScoreGiven():
            return survey.scored(state, message.press, message.question, message.score)
        case CommentOffered():
            return survey.comment_offered(state, message.press)
        case CommentSkipped():
            return survey.comment_skipped(state, message.press)
        case TopicOpened():
            return _topic_opened(state, message)
        case DeliveryFailed():
            return _delivery_failed(state, message)
        case TimerFired():
            return (
                survey.timed_out(state) if message.name == survey.TIMER else Decision(state=state)
            )
        case Unreadable():
            raise Poison(message.detail)
        case _:
            assert_never(message)


def give_up(state: TicketState, envelope: Envelope) -> Decision:
    """The ticket moves past a message that failed too often, and the staff are told."""
    event = Event(actor=Actor.SYSTEM, action="dead_lettered", payload={"key": envelope.key})
    say = Say(place=MAIN, text=Text(key="dead-letter", args={"seq": envelope.seq}))
    return Decision(state=state, events=(event,), effects=(say,) if state.opened else ())


# --- people write ---------------------------------------------------------------------------


def _client_wrote(state: TicketState, message: ClientWrote) -> Decision:
    content = message.content
    if state.status is Status.CLOSED:
        if state.wants_comment and content.kind is ContentKind.TEXT:
            return survey.commented(state, content.text)
        return Decision(state=state, reroute=True)
    first = not state.opened
    state = replace(state, client=message.author, opened=True, client_unreachable=False)
    opening, receipt = _opening(state) if first else ((), ())
    if content.kind is ContentKind.UNSUPPORTED:
        return Decision(
            state=state,
            events=(_refused(Actor.CLIENT, content),),
            effects=(
                *opening,
                _undelivered(MAIN, FailureReason.UNCOPYABLE, ""),
                *receipt,
                _cannot_deliver(CLIENT, content),
            ),
        )
    copies = [Copy(place=MAIN, content=content)]
    if state.technician is not None:
        copies.append(Copy(place=mirror(state.technician.id), content=content))
    said = Event(actor=Actor.CLIENT, action=SAID, content=content)
    return Decision(state=state, events=(said,), effects=(*opening, *copies, *receipt))


def _opening(state: TicketState) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """What a new ticket begins with: for the staff, and the receipt for the client."""
    former = state.former_ticket_id or 0
    args: dict[str, str | int] = {"ticket": state.ticket_id}
    received = Text(key="received", args=args)
    if former:
        received = Text(key="received-after", args={**args, "former": former})
    for_staff = (
        OpenTopic(place=MAIN, title=title(state)),
        ShowCard(place=MAIN, keyboard=_triage(state), former=former),
    )
    return for_staff, (Say(place=CLIENT, text=received),)


def _staff_wrote(state: TicketState, message: StaffWrote) -> Decision:
    content, author = message.content, message.author
    if state.status is Status.CLOSED:
        return _not_sent(state, MAIN, content, Text(key="not-sent-closed"))
    kept = aside(content.text)
    if kept is not None:
        return Decision(
            state=state,
            events=(_aside(Actor.STAFF, kept, content, author.name),),
            effects=(_noted(MAIN, content),),
        )
    if content.kind is ContentKind.UNSUPPORTED:
        return Decision(
            state=state,
            events=(_refused(Actor.STAFF, content),),
            effects=(_cannot_deliver(MAIN, content),),
        )
    label = Text(key="label-staff", args={"name": author.name})
    copies = [Copy(place=CLIENT, content=content)]
    if state.technician is not None:
        copies.append(Copy(place=mirror(state.technician.id), content=content, label=label))
    said = Event(
        actor=Actor.STAFF,
        action=SAID,
        payload={"author": author.name},
        content=content,
        label=label,
    )
    return Decision(state=state, events=(said,), effects=tuple(copies))


def _technician_wrote(state: TicketState, message: TechnicianWrote) -> Decision:
    content, author = message.content, message.author
    here = mirror(message.technician_id)
    if state.status is Status.CLOSED:
        return _not_sent(state, here, content, Text(key="not-sent-closed"))
    technician = state.technician
    if technician is None or technician.id != message.technician_id:
        return _not_sent(state, here, content, _not_yours(technician))
    kept = aside(content.text)
    if kept is not None:
        label = Text(key="label-note", args={"name": technician.name})
        return Decision(
            state=state,
            events=(_aside(Actor.TECH, kept, content, author.name),),
            effects=(_noted(here, content), Copy(place=MAIN, content=content, label=label)),
        )
    if content.kind is ContentKind.UNSUPPORTED:
        return Decision(
            state=state,
            events=(_refused(Actor.TECH, content),),
            effects=(_cannot_deliver(here, content),),
        )
    label = Text(key="label-technician", args={"name": technician.name})
    said = Event(
        actor=Actor.TECH,
        action=SAID,
        payload={"author": author.name, "technician": technician.name},
        content=content,
        label=label,
    )
    effects = (
        Copy(place=CLIENT, content=content),
        Copy(place=MAIN, content=content, label=label),
    )
    return Decision(state=state, events=(said,), effects=effects)


# --- the course of a ticket -----------------------------------------------------------------


def _assign(state: TicketState, message: AssignRequested, seq: Seq) -> Decision:
    press, technician, former = message.press, message.technician, state.technician
    if state.status is Status.CLOSED:
        return _answer(state, press, Text(key="press-already-closed"))
    if former is not None and message.generation != state.generation:
        args: dict[str, str | int] = {"technician": former.name, "by": state.assigned_by or ""}
        return _answer(state, press, Text(key="press-already-assigned", args=args))
    if former is not None and former.id == technician.id:
        same = Text(key="press-same-technician", args={"technician": technician.name})
        return _answer(state, press, same)
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
            Edit(place=MAIN, tag=CARD_TAG, keyboard=_triage(state)),
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


def _close(state: TicketState, message: CloseRequested) -> Decision:
    press, by, technician = message.press, message.by, state.technician
    if state.status is Status.CLOSED:
        return _reply(state, message, Text(key="press-already-closed"))
    theirs = technician is not None and message.place == mirror(technician.id)
    if message.place != MAIN and not theirs:
        return _reply(state, message, _not_yours(technician))
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


# --- what the program reports ---------------------------------------------------------------


def _topic_opened(state: TicketState, message: TopicOpened) -> Decision:
    payload: dict[str, Json] = {
        "place": str(message.place),
        "chat_id": message.chat_id,
        "thread_id": message.thread_id,
    }
    event = Event(actor=Actor.SYSTEM, action="topic_opened", payload=payload)
    return Decision(state=state, events=(event,))


def _delivery_failed(state: TicketState, message: DeliveryFailed) -> Decision:
    """Says what could not be delivered, to whom it concerns, and never by the way that failed."""
    event = Event(
        actor=Actor.SYSTEM,
        action="delivery_failed",
        payload={
            "place": str(message.place),
            "effect": message.effect,
            "reason": str(message.reason),
            "detail": message.detail,
        },
        content=message.content,
    )
    effects: tuple[Effect, ...] = ()
    if message.reason is FailureReason.CLIENT_BLOCKED and not state.client_unreachable:
        state = replace(state, client_unreachable=True)
        effects = (Say(place=MAIN, text=Text(key="client-unreachable")),)
    elif message.content is not None:
        effects = _copy_failed(state, message, message.content)
    elif message.place != MAIN and message.reason is not FailureReason.CLIENT_BLOCKED:
        effects = (_undelivered(message.place, message.reason, message.detail),)
    return Decision(state=state, events=(event,), effects=effects)


def _copy_failed(
    state: TicketState, message: DeliveryFailed, content: Content
) -> tuple[Effect, ...]:
    source = _place_of(state, content)
    if message.place == MAIN and source == CLIENT:
        told = _undelivered(MAIN, message.reason, message.detail)
        return _cannot_deliver(CLIENT, content), told
    if message.place == CLIENT and message.reason is FailureReason.UNCOPYABLE:
        return (_cannot_deliver(source, content),)
    undelivered = _undelivered(message.place, message.reason, message.detail)
    return (replace(undelivered, place=MAIN if source == CLIENT else source),)


def _place_of(state: TicketState, content: Content) -> Place:
    """Where a message was written, by its chat; a technician's group holds no main topic."""
    if int(content.chat_id) == int(state.client.id):
        return CLIENT
    technician = state.technician
    if technician is not None and content.chat_id == technician.chat_id:
        return mirror(technician.id)
    return MAIN


# --- phrases --------------------------------------------------------------------------------


def _triage(state: TicketState) -> Keyboard:
    technician = state.technician
    return Keyboard(
        kind=KeyboardKind.TRIAGE,
        generation=state.generation,
        technician_id=None if technician is None else technician.id,
    )


def _answer(state: TicketState, press: Press, text: Text) -> Decision:
    answer = AnswerPress(callback_id=press.callback_id, text=text, alert=True)
    return Decision(state=state, effects=(answer,))


def _reply(state: TicketState, request: CloseRequested, text: Text) -> Decision:
    """Answers a request that changes nothing, the way it came: as a press or as a message."""
    if request.press is not None:
        return _answer(state, request.press, text)
    return Decision(state=state, effects=(Say(place=request.place, text=text),))


def _not_sent(state: TicketState, place: Place, content: Content, text: Text) -> Decision:
    """Tells the author that the client did not get this, and keeps it in the log."""
    actor = Actor.STAFF if place == MAIN else Actor.TECH
    event = Event(actor=actor, action="not_sent", payload={"why": text.key}, content=content)
    say = Say(place=place, text=text, reply_to=content.message_id)
    return Decision(state=state, events=(event,), effects=(say,))


def _not_yours(technician: Technician | None) -> Text:
    name = "" if technician is None else technician.name
    return Text(key="not-sent-unassigned", args={"technician": name})


def _aside(actor: Actor, kept: Aside, content: Content, author: str) -> Event:
    payload: dict[str, Json] = {"author": author}
    if kept is Aside.CALL:
        payload["called"] = called(content.text)
    return Event(actor=actor, action=str(kept), payload=payload, content=content)


def _noted(place: Place, content: Content) -> React:
    return React(place=place, message_id=MessageId(content.message_id), emoji=NOTED_EMOJI)


def _refused(actor: Actor, content: Content) -> Event:
    return Event(actor=actor, action="unsupported", content=content)


def _cannot_deliver(place: Place, content: Content) -> Say:
    text = Text(key="cannot-deliver-kind")
    return Say(place=place, text=text, reply_to=content.message_id)


def _undelivered(place: Place, reason: FailureReason, detail: str) -> Say:
    args: dict[str, str | int] = {
        "place": str(place.kind),
        "reason": str(reason),
        "detail": detail,
    }
    return Say(place=MAIN, text=Text(key="undelivered", args=args))
