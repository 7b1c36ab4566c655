"""The helpdesk workflow: NEW → WORK → CLOSED."""

from dataclasses import replace
from typing import assert_never

from actors import survey
from actors.decision import SAID, Actor, Decision, Event
from actors.effects import Copy, Effect, OpenTopic, Say, ShowCard, Text
from actors.errors import Poison
from actors.messages import (
    AssignRequested,
    BanRequested,
    ClientLeft,
    ClientReturned,
    ClientWrote,
    CloseRequested,
    CommentOffered,
    CommentSkipped,
    ContentKind,
    Deleted,
    DeleteRequested,
    DeliveryFailed,
    Edited,
    Envelope,
    FailureReason,
    HintAsked,
    Reacted,
    ReopenRequested,
    ResendRequested,
    RetryRequested,
    ScoreGiven,
    StaffWrote,
    TechnicianWrote,
    TimerFired,
    TopicOpened,
    TopicRenamed,
    Unreadable,
)
from actors.notes import aside
from actors.places import CLIENT, MAIN, mirror
from actors.state import Status, TicketState
from actors.titles import title
from actors.workflows import absence
from actors.workflows.bridge import delete_requested, deleted, edited, hint_asked, reacted
from actors.workflows.course import assign, close, renamed, reopen
from actors.workflows.failures import delivery_failed, retry
from actors.workflows.phrases import (
    aside_event,
    cannot_deliver,
    copies,
    not_sent,
    not_yours,
    noted,
    refused,
    triage,
    undelivered,
)
from actors.workflows.reports import topic_opened


def decide(state: TicketState, envelope: Envelope) -> Decision:
    """The outcome of one message. Pure; total over :data:`~actors.messages.Message`.

    Raises:
        Poison: The message cannot be read at all.
    """
    return _in_thread(_decided(state, envelope))


def _in_thread(decision: Decision) -> Decision:
    """What goes to the client goes to the topic that the client wrote in last."""
    thread = decision.state.client_thread
    if thread is None:
        return decision
    effects = tuple(
        replace(effect, thread_id=thread)
        if isinstance(effect, Copy | Say) and effect.place == CLIENT
        else effect
        for effect in decision.effects
    )
    return replace(decision, effects=effects)


def _decided(state: TicketState, envelope: Envelope) -> Decision:
    message = envelope.message
    match message:
        case ClientWrote():
            return _client_wrote(state, message)
        case StaffWrote():
            return _staff_wrote(state, message)
        case TechnicianWrote():
            return _technician_wrote(state, message)
        case Edited():
            return edited(state, message)
        case Reacted():
            return reacted(state, message)
        case DeleteRequested():
            return delete_requested(state, message)
        case Deleted():
            return deleted(state, message)
        case HintAsked():
            return hint_asked(state, message)
        case AssignRequested():
            return assign(state, message, envelope.seq)
        case CloseRequested():
            return close(state, message)
        case ReopenRequested():
            return reopen(state, message)
        case ClientLeft():
            return absence.left(state)
        case ClientReturned():
            return absence.returned(state)
        case ResendRequested():
            return absence.resend(state, message)
        case RetryRequested():
            return retry(state, message)
        case BanRequested():
            return absence.banned(state, message)
        case TopicRenamed():
            return renamed(state, message)
        case ScoreGiven():
            return survey.scored(state, message.press, message.question, message.score)
        case CommentOffered():
            return survey.comment_offered(state, message.press)
        case CommentSkipped():
            return survey.comment_skipped(state, message.press)
        case TopicOpened():
            return topic_opened(state, message)
        case DeliveryFailed():
            return delivery_failed(state, message)
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
    back = absence.returned(state)
    state = replace(
        back.state,
        client=message.author,
        opened=True,
        client_thread=message.thread_id,
    )
    opening, receipt = _opening(state) if first else ((), ())
    if content.kind is ContentKind.UNSUPPORTED:
        return Decision(
            state=state,
            events=(*back.events, refused(Actor.CLIENT, content)),
            effects=(
                *opening,
                *back.effects,
                undelivered(MAIN, FailureReason.UNCOPYABLE, ""),
                *receipt,
                cannot_deliver(CLIENT, content),
            ),
        )
    relayed = [*copies(Copy(place=MAIN, content=content))]
    if state.technician is not None:
        relayed += copies(Copy(place=mirror(state.technician.id), content=content))
    said = Event(actor=Actor.CLIENT, action=SAID, content=content)
    return Decision(
        state=state,
        events=(*back.events, said),
        effects=(*opening, *back.effects, *relayed, *receipt),
    )


def _opening(state: TicketState) -> tuple[tuple[Effect, ...], tuple[Effect, ...]]:
    """What a new ticket begins with: for the staff, and the receipt for the client."""
    former = state.former_ticket_id or 0
    args: dict[str, str | int] = {"ticket": state.ticket_id}
    received = Text(key="received", args=args)
    if former:
        received = Text(key="received-after", args={**args, "former": former})
    for_staff = (
        OpenTopic(place=MAIN, title=title(state)),
        ShowCard(place=MAIN, keyboard=triage(state), former=former),
    )
    return for_staff, (Say(place=CLIENT, text=received),)


def _staff_wrote(state: TicketState, message: StaffWrote) -> Decision:
    content, author = message.content, message.author
    if state.status is Status.CLOSED:
        return not_sent(state, MAIN, content, Text(key="not-sent-closed"))
    kept = aside(content.text)
    if kept is not None:
        return Decision(
            state=state,
            events=(aside_event(Actor.STAFF, kept, content, author.name),),
            effects=(noted(MAIN, content),),
        )
    if content.kind is ContentKind.UNSUPPORTED:
        return Decision(
            state=state,
            events=(refused(Actor.STAFF, content),),
            effects=(cannot_deliver(MAIN, content),),
        )
    label = Text(key="label-staff", args={"name": author.name})
    relayed = [*copies(Copy(place=CLIENT, content=content, receipt=MAIN))]
    if state.technician is not None:
        relayed += copies(Copy(place=mirror(state.technician.id), content=content, label=label))
    said = Event(
        actor=Actor.STAFF,
        action=SAID,
        payload={"author": author.name},
        content=content,
        label=label,
    )
    return Decision(state=state, events=(said,), effects=tuple(relayed))


def _technician_wrote(state: TicketState, message: TechnicianWrote) -> Decision:
    content, author = message.content, message.author
    here = mirror(message.technician_id)
    if state.status is Status.CLOSED:
        return not_sent(state, here, content, Text(key="not-sent-closed"))
    technician = state.technician
    if technician is None or technician.id != message.technician_id:
        return not_sent(state, here, content, not_yours(technician))
    kept = aside(content.text)
    if kept is not None:
        label = Text(key="label-note", args={"name": technician.name})
        return Decision(
            state=state,
            events=(aside_event(Actor.TECH, kept, content, author.name),),
            effects=(noted(here, content), *copies(Copy(place=MAIN, content=content, label=label))),
        )
    if content.kind is ContentKind.UNSUPPORTED:
        return Decision(
            state=state,
            events=(refused(Actor.TECH, content),),
            effects=(cannot_deliver(here, content),),
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
        *copies(Copy(place=CLIENT, content=content, receipt=here)),
        *copies(Copy(place=MAIN, content=content, label=label)),
    )
    return Decision(state=state, events=(said,), effects=effects)
