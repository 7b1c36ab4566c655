"""Turning decisions into rows: pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from actors.decision import ArmTimer, CancelTimer, Event, Feedback
from actors.effects import CARD_TAG, AnswerPress, CopyHistory, Effect, Resend, Say, ShowCard
from actors.ids import UserId
from actors.messages import Envelope, TopicOpened
from actors.places import MAIN, Place, PlaceKind
from actors.ports import Turn
from storage.codec import clean, dumps, encode, encode_content, encode_state, encode_text


def lane_of(effect: Effect, ticket_id: int, client_id: UserId) -> str:
    """The delivery lane of an effect: one per chat or topic, one of its own per button press."""
    if isinstance(effect, AnswerPress):
        return f"press:{effect.callback_id}"
    return lane_of_place(effect.place, ticket_id, client_id)


def lane_of_place(place: Place, ticket_id: int, client_id: UserId) -> str:
    match place.kind:
        case PlaceKind.CLIENT:
            return f"client:{client_id}"
        case PlaceKind.MAIN:
            return f"main:{ticket_id}"
        case PlaceKind.MIRROR:
            return f"mirror:{ticket_id}:{place.technician_id}"
        case _:
            assert_never(place.kind)


def tag_of(effect: Effect) -> str | None:
    """The name under which an edit finds the message again."""
    if isinstance(effect, ShowCard):
        return CARD_TAG
    return effect.tag if isinstance(effect, Say) else None


@dataclass(slots=True)
class Columns:
    """Column-wise arrays for ``unnest``: one transaction's worth of rows."""

    tickets: dict[str, list[Any]] = field(default_factory=dict)
    events: dict[str, list[Any]] = field(default_factory=dict)
    outbox: dict[str, list[Any]] = field(default_factory=dict)
    timers: dict[str, list[Any]] = field(default_factory=dict)
    threads: dict[str, list[Any]] = field(default_factory=dict)
    feedback: dict[str, list[Any]] = field(default_factory=dict)
    dead: dict[str, list[Any]] = field(default_factory=dict)


def _add(table: dict[str, list[Any]], **values: Any) -> None:
    for name, value in values.items():
        table.setdefault(name, []).append(value)


def columns(turns: Sequence[Turn]) -> Columns:
    """All rows of these turns, in the order in which they were decided."""
    out = Columns()
    for turn in turns:
        _ticket(out, turn)
        client_id = turn.state.client.id
        for envelope, decision in turn.steps:
            for event in decision.events:
                _event(out, turn.ticket_id, envelope.seq, event)
            for effect in decision.effects:
                _effect(out, turn.ticket_id, envelope, client_id, effect)
        _last_words(out, turn)
        for letter in turn.dead:
            _add(
                out.dead,
                ticket_id=turn.ticket_id,
                seq=letter.envelope.seq,
                key=letter.envelope.key,
                message=dumps(encode(letter.envelope.message)),
                error=clean(letter.error),
                attempts=letter.attempts,
            )
    return out


def _ticket(out: Columns, turn: Turn) -> None:
    state = turn.state
    _add(
        out.tickets,
        id=turn.ticket_id,
        epoch=turn.epoch,
        version=turn.version,
        status=str(state.status),
        tech=None if state.technician is None else state.technician.id,
        thread=next(_main_threads(turn), None),
        wants=state.wants_comment,
        handled=turn.handled_seq,
        snapshot=dumps(encode_state(state)),
    )


def _main_threads(turn: Turn) -> Iterator[int]:
    """The main topic's thread, newest first, if this turn heard of one."""
    for envelope, _ in reversed(turn.steps):
        message = envelope.message
        if isinstance(message, TopicOpened) and message.place == MAIN:
            yield message.thread_id


def _event(out: Columns, ticket_id: int, seq: int, event: Event) -> None:
    payload = dict[str, Any](event.payload)
    if event.content is not None:
        payload["content"] = encode_content(event.content)
    if event.label is not None:
        payload["label"] = encode_text(event.label)
    _add(
        out.events,
        ticket_id=ticket_id,
        seq=seq,
        actor=str(event.actor),
        action=event.action,
        payload=dumps(payload),
    )


def _effect(
    out: Columns, ticket_id: int, cause: Envelope, client_id: UserId, effect: Effect
) -> None:
    _add(
        out.outbox,
        ticket_id=ticket_id,
        cause_seq=cause.seq,
        lane=clean(lane_of(effect, ticket_id, client_id)),  # holds the id of a press as it came
        place=None if isinstance(effect, AnswerPress) else str(effect.place),
        kind=type(effect).__name__,
        effect=dumps(encode(effect)),
        tag=tag_of(effect),
        history_after=effect.after_seq if isinstance(effect, CopyHistory) else None,
        again=effect.row if isinstance(effect, Resend) else None,
        trace=cause.trace,
    )


def _last_words(out: Columns, turn: Turn) -> None:
    """What later steps of a turn replace: one statement may write such a row only once."""
    decisions = [decision for _, decision in turn.steps]
    timers = {timer.name: timer for decision in decisions for timer in decision.timers}
    for timer in timers.values():
        _timer(out, turn.ticket_id, timer)
    messages = [envelope.message for envelope, _ in turn.steps]
    mirrors = {m.place: m for m in messages if isinstance(m, TopicOpened) and m.place != MAIN}
    for place, opened in mirrors.items():
        _add(
            out.threads,
            ticket_id=turn.ticket_id,
            technician_id=place.technician_id,
            chat_id=opened.chat_id,
            thread_id=opened.thread_id,
        )
    given = [decision.feedback for decision in decisions if decision.feedback is not None]
    if given:
        _feedback(out, turn.ticket_id, given[-1])


def _timer(out: Columns, ticket_id: int, timer: ArmTimer | CancelTimer) -> None:
    after = timer.after.total_seconds() if isinstance(timer, ArmTimer) else None
    _add(out.timers, ticket_id=ticket_id, name=timer.name, after_s=after)


def _feedback(out: Columns, ticket_id: int, feedback: Feedback) -> None:
    first, second, third = feedback.scores
    _add(
        out.feedback,
        ticket_id=ticket_id,
        q1=first,
        q2=second,
        q3=third,
        comment=None if feedback.comment is None else clean(feedback.comment),
    )
