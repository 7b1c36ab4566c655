"""The fenced commit over one world: everything that a turn decided, or nothing of it."""

from collections.abc import Sequence
from dataclasses import replace

from actors.decision import SAID, ArmTimer, CancelTimer
from actors.effects import Copy, CopyHistory, Effect, Resend
from actors.ids import ThreadId, TicketId
from actors.messages import ClientWrote, Envelope, TopicOpened
from actors.places import MAIN
from actors.ports import CommitOutcome, CommitStatus, Turn
from lab.simulation.bugs import Bug
from lab.simulation.letters import Letter, current_ticket, make_ticket, note_client, post
from lab.simulation.rows import (
    DeadRow,
    EventRow,
    FeedbackRow,
    SendRow,
    SendState,
    TechThreadRow,
    TimerRow,
)
from lab.simulation.world import World
from storage.turn_rows import lane_of

FENCED = CommitOutcome(status=CommitStatus.FENCED)


def write(world: World, turn: Turn) -> CommitOutcome:
    """Writes one turn inside the caller's transaction."""
    if not _stands(world, turn):
        return FENCED
    history = _history(world, turn)
    _ticket(world, turn)
    for envelope, decision in turn.steps:
        for event in decision.events:
            world.events.add(
                EventRow(
                    id=world.next_id("events"),
                    ticket_id=turn.ticket_id,
                    seq=envelope.seq,
                    event=event,
                )
            )
    lanes = [] if Bug.SEND_BEFORE_COMMIT in world.bugs else send(world, turn, history)
    _last_words(world, turn)
    _bury(world, turn)
    return CommitOutcome(status=CommitStatus.COMMITTED, lanes=tuple(dict.fromkeys(lanes)))


def write_rerouting(world: World, turn: Turn) -> CommitOutcome:
    """Moves the turn's message on to the client's next ticket, and writes the turn."""
    [(envelope, decision)] = turn.steps
    if not _stands(world, turn):
        return FENCED
    message = envelope.message
    client = message.author if isinstance(message, ClientWrote) else decision.state.client
    note_client(world, client)
    later = current_ticket(world, client.id, after=turn.ticket_id)
    if later is not None and later.takes_all:
        target = later.row.id
    else:
        former = turn.ticket_id if later is None else later.latest_id
        target = make_ticket(world, client.id, former)
    moved = Letter(key=f"moved:{envelope.key}", ticket_id=target, message=message)
    fresh = post(world, [moved])
    outcome = write(world, turn)
    return replace(
        outcome, rerouted=tuple(letter for letter in fresh.values() if letter is not None)
    )


def _stands(world: World, turn: Turn) -> bool:
    row = world.tickets.get(turn.ticket_id)
    if row is None:
        return False
    stands = row.epoch == turn.epoch or Bug.NO_EPOCH in world.bugs
    return stands and row.version == turn.version


def _ticket(world: World, turn: Turn) -> None:
    row, state = world.tickets[turn.ticket_id], turn.state
    closed_at = None if state.status.is_open else row.closed_at or world.now
    world.tickets.put(
        replace(
            row,
            status=state.status,
            technician_id=None if state.technician is None else state.technician.id,
            main_thread_id=_main_thread(turn) or row.main_thread_id,
            wants_comment=state.wants_comment,
            handled_seq=turn.handled_seq,
            version=row.version + 1,
            closed_at=closed_at,
            state=state,
        )
    )
    for letter in world.inbox.group("waits_for", turn.ticket_id):
        if letter.seq is not None and letter.seq <= turn.handled_seq:
            world.inbox.put(replace(letter, handled_at=world.now))


def _main_thread(turn: Turn) -> ThreadId | None:
    """The main topic's thread, newest first, if this turn heard of one."""
    for envelope, _ in reversed(turn.steps):
        message = envelope.message
        if isinstance(message, TopicOpened) and message.place == MAIN:
            return message.thread_id
    return None


def _history(world: World, turn: Turn) -> Sequence[EventRow]:
    """What earlier commits said; the turn's own events are no part of it."""
    wanted = any(
        isinstance(effect, CopyHistory) for _, decision in turn.steps for effect in decision.effects
    )
    if not wanted:
        return ()
    return [row for row in world.events.group("ticket", turn.ticket_id) if row.event.action == SAID]


def send(world: World, turn: Turn, history: Sequence[EventRow]) -> list[str]:
    """Puts the turn's effects into the outbox; returns their lanes."""
    lanes: list[str] = []
    for envelope, decision in turn.steps:
        for effect in decision.effects:
            singles = _expanded(world, turn.ticket_id, effect, history)
            lanes += [_send(world, turn, envelope, single) for single in singles]
    return lanes


def _expanded(
    world: World, ticket_id: TicketId, effect: Effect, history: Sequence[EventRow]
) -> Sequence[Effect]:
    if isinstance(effect, Resend):
        failed = world.outbox.get(effect.row)
        if failed is None or failed.ticket_id != ticket_id:
            return []
        if failed.state is not SendState.UNDELIVERABLE:
            return []
        world.outbox.put(replace(failed, state=SendState.SUPERSEDED))
        return [failed.effect]
    if not isinstance(effect, CopyHistory):
        return [effect]
    return [
        Copy(place=effect.place, content=row.event.content, label=row.event.label)
        for row in history
        if row.seq > effect.after_seq and row.event.content is not None
    ]


def _send(world: World, turn: Turn, envelope: Envelope, effect: Effect) -> str:
    row = SendRow(
        id=world.next_id("outbox"),
        ticket_id=turn.ticket_id,
        cause_seq=envelope.seq,
        lane=lane_of(effect, turn.ticket_id, turn.state.client.id),
        effect=effect,
        created_at=world.now,
    )
    return world.outbox.add(row).lane


def _last_words(world: World, turn: Turn) -> None:
    for envelope, decision in turn.steps:
        message = envelope.message
        if isinstance(message, TopicOpened) and message.place.technician_id is not None:
            world.tech_threads.put(
                TechThreadRow(
                    ticket_id=turn.ticket_id,
                    technician_id=message.place.technician_id,
                    chat_id=message.chat_id,
                    thread_id=message.thread_id,
                )
            )
        if decision.feedback is not None:
            world.feedback.put(FeedbackRow(ticket_id=turn.ticket_id, feedback=decision.feedback))
    timers = {timer.name: timer for _, decision in turn.steps for timer in decision.timers}
    for timer in timers.values():
        _timer(world, turn, timer)


def _timer(world: World, turn: Turn, timer: ArmTimer | CancelTimer) -> None:
    due_at = None
    if isinstance(timer, ArmTimer):
        due_at = world.now + timer.after.total_seconds() / world.hurry
    old = world.timers.find("name", (turn.ticket_id, timer.name))
    if old is not None:
        world.timers.put(replace(old, due_at=due_at, arming=old.arming + 1))
        return
    number = world.next_id("timers")
    world.timers.add(TimerRow(id=number, ticket_id=turn.ticket_id, name=timer.name, due_at=due_at))


def _bury(world: World, turn: Turn) -> None:
    if Bug.POISON_SWALLOWED in world.bugs:
        return
    for letter in turn.dead:
        world.dead_letters.add(
            DeadRow(
                id=world.next_id("dead_letters"),
                ticket_id=turn.ticket_id,
                seq=letter.envelope.seq,
                key=letter.envelope.key,
                message=letter.envelope.message,
                error=letter.error,
                attempts=letter.attempts,
            )
        )
