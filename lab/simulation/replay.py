"""The state of rest: everything again from the stored messages, compared with what is there."""

from collections.abc import Iterator

from actors import workflows
from actors.decision import SAID, Event
from actors.effects import Copy, CopyHistory, Effect
from actors.ids import Seq, TicketId
from actors.messages import ClientWrote, Envelope
from actors.places import CLIENT, MAIN
from actors.state import TicketState
from actors.workflows import support
from lab.simulation.decisions import must_fail
from lab.simulation.letters import envelope
from lab.simulation.operators import ever_dead
from lab.simulation.rows import SendState, TicketRow
from lab.simulation.telegram import SimulatedTelegram
from lab.simulation.trace import Trace
from lab.simulation.world import World

SETTLES = "everything that was stored is handled and sent soon after the troubles end"
NOTHING_LOST = "what Telegram was told is stored, is stored"
SAME_STATE = "a ticket is what its messages make of it, each once and in order"
SAME_EFFECTS = "what is sent is what the messages decide, each once and in order"
DEAD_KEPT = "a message that cannot be handled is kept among the dead letters, and no other"
ARRIVES = "what a client wrote arrives with the staff"


def unsettled(world: World) -> Iterator[tuple[str, TicketId]]:
    """What still waits, tickets in quarantine left out."""
    for row in world.tickets:
        if row.quarantined is None:
            waiting = world.inbox.group("waits_for", row.id)
            if waiting:
                yield f"{len(waiting)} messages from seq {waiting[0].seq} on", row.id
        for send in world.outbox.group("waiting_ticket", row.id)[:1]:
            yield f"row {send.id} of the outbox in {send.lane}", row.id


def check_rest(world: World, telegram: SimulatedTelegram, trace: Trace, accepted: set[str]) -> None:
    """Compares everything; the trace takes the first difference."""
    for what, ticket_id in unsettled(world):
        trace.fail(SETTLES, what, ticket_id)
    for key in sorted(accepted):
        if world.inbox.find("key", key) is None and not any(row.key == key for row in world.inbox):
            trace.fail(NOTHING_LOST, key)
    for row in world.tickets:
        _check_ticket(world, row, trace)
    _check_arrival(world, telegram, trace)


def _check_ticket(world: World, row: TicketRow, trace: Trace) -> None:
    """Decides all handled messages once more and compares state, events and effects."""
    letters = _letters(world, row)
    if [letter.seq for letter in letters] != list(range(1, len(letters) + 1)):
        trace.fail(SAME_STATE, "its inbox has gaps", row.id)
        return
    dead = ever_dead(world, row.id)
    state = TicketState(
        ticket_id=row.id,
        former_ticket_id=row.former_ticket_id,
        client=world.users[row.client_id].person,
    )
    events: list[tuple[Seq, Event]] = []
    effects: list[tuple[int, Effect]] = []
    for letter in letters[: row.handled_seq]:
        if must_fail(letter) != (letter.key in dead):
            trace.fail(DEAD_KEPT, f"seq {letter.seq} ({letter.key})", row.id)
            return
        decide = support.give_up if letter.key in dead else workflows.decide
        decision = decide(state, letter)
        for effect in decision.effects:
            effects += [(letter.seq, single) for single in _expanded(effect, events)]
        events += [(letter.seq, event) for event in decision.events]
        state = decision.state
    if row.handled_seq and state != row.state:
        trace.fail(SAME_STATE, _difference(state, row.state), row.id)
    sends = world.outbox.group("ticket", row.id)
    written = [(send.cause_seq, send.effect) for send in sends if send.position == 0]
    for number, (was, should) in enumerate(zip(written, effects, strict=False)):
        if was != should:
            detail = f"effect {number} is {was}, not {should}"
            trace.fail(SAME_EFFECTS, detail, row.id)
            return
    if len(written) != len(effects):
        trace.fail(SAME_EFFECTS, f"{len(written)} effects, not {len(effects)}", row.id)


def _letters(world: World, row: TicketRow) -> list[Envelope]:
    found: list[Envelope] = []
    for seq in range(1, world.lanes[row.id].next_seq):
        stored = world.inbox.find("seq", (row.id, seq))
        letter = None if stored is None else envelope(world, stored)
        if letter is not None:
            found.append(letter)
    return found


def _expanded(effect: Effect, events: list[tuple[Seq, Event]]) -> list[Effect]:
    if not isinstance(effect, CopyHistory):
        return [effect]
    return [
        Copy(place=effect.place, content=event.content, label=event.label)
        for seq, event in events
        if event.action == SAID and seq > effect.after_seq and event.content is not None
    ]


def _difference(should: TicketState, was: TicketState | None) -> str:
    if was is None:
        return "there is no state"
    names = [name for name in TicketState.__slots__ if getattr(should, name) != getattr(was, name)]
    return ", ".join(
        f"{name} is {getattr(was, name)!r}, not {getattr(should, name)!r}" for name in names
    )


def _check_arrival(world: World, telegram: SimulatedTelegram, trace: Trace) -> None:
    """Each copy that counts as sent to the staff is in their group, which refuses nothing."""
    posts = telegram.messages.get(world.configuration.main_chat_id, ())
    there = {posted.source for posted in posts}
    texts = {posted.number: posted.text for posted in posts}
    for row in world.outbox:
        effect = row.effect
        if row.state is SendState.UNDELIVERABLE and row.place not in {None, CLIENT}:
            trace.fail(ARRIVES, f"row {row.id} to a group: {row.error}", row.ticket_id)
        if row.state is not SendState.SENT or not isinstance(effect, Copy):
            continue
        if effect.place == MAIN and effect.label is None:
            source = (int(effect.content.chat_id), int(effect.content.message_id))
            joined = effect.content.text and effect.content.text in texts.get(
                row.message_id or 0, ""
            )
            if source not in there and not joined:
                trace.fail(ARRIVES, f"message {source} of row {row.id}", row.ticket_id)
    copied = {
        (row.effect.content.chat_id, row.effect.content.message_id)
        for row in world.outbox
        if isinstance(row.effect, Copy)
    }
    for letter in world.inbox:
        if not isinstance(letter.message, ClientWrote) or letter.handled_at is None:
            continue
        content = letter.message.content
        dead = letter.key in ever_dead(world, letter.ticket_id or TicketId(0))
        moved = world.inbox.find("key", f"moved:{letter.key}")
        known = (content.chat_id, content.message_id) in copied
        if not (known or dead or moved or _is_comment(world, letter.ticket_id, content.text)):
            trace.fail(ARRIVES, f"{letter.key} went nowhere", letter.ticket_id or 0)


def _is_comment(world: World, ticket_id: TicketId | None, words: str) -> bool:
    """Whether these words were taken as the comment of a survey."""
    row = None if ticket_id is None else world.feedback.get(ticket_id)
    if row is not None and row.feedback.comment == words:
        return True
    ticket = None if ticket_id is None else world.tickets[ticket_id]
    survey = None if ticket is None or ticket.state is None else ticket.state.survey
    return survey is not None and survey.comment == words
