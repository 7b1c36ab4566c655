"""Rows of the database, with what the nodes know, as the API's shapes. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bootstrap.joined import Known, nodes
from bootstrap.picture import InTrouble, NodePicture
from storage.inspection import TicketInspected
from storage.stats_tickets import STATES, Found, Story
from web.shapes import (
    BotShape,
    Crash,
    DeadLetter,
    DeadLetters,
    DeliveryShape,
    LaneLine,
    LogLine,
    MessageStep,
    NodeShape,
    Overview,
    OwnerPeriod,
    SentStep,
    TicketDetail,
    TicketFilter,
    TicketLine,
    Tickets,
    Timer,
    Tree,
    TreeNode,
    UnsentLane,
)

ERROR_LINE_MAX: Final = 300


def tickets(
    found: Found, wanted: TicketFilter, pictures: Sequence[NodePicture], taken_at: datetime
) -> Tickets:
    """As of ``taken_at``; each tab's count is as if it were chosen beside the other filters."""
    troubled = _troubled(pictures)
    matching = [row for row in found.counts if _is_in(row.status, wanted.status)]
    by_state = {name: sum(getattr(row, name) for row in matching) for name in STATES}
    return Tickets(
        taken_at=taken_at,
        total=sum(row.tickets for row in matching),
        by_status={"NEW": 0, "WORK": 0, "CLOSED": 0}
        | {row.status: row.tickets for row in found.counts},
        by_state=by_state,
        tickets=tuple(_line(row, troubled.get(row.id)) for row in found.lines),
    )


def _is_in(status: str, wanted: str) -> bool:
    return wanted in {"", status} or (wanted == "open" and status != "CLOSED")


def _troubled(pictures: Sequence[NodePicture]) -> Mapping[int, InTrouble]:
    return {each.ticket_id: each for picture in pictures for each in picture.troubled}


def _line(row: Any, trouble: InTrouble | None) -> TicketLine:
    return TicketLine(
        id=row.id,
        status=row.status,
        state=_state(
            quarantined=row.quarantined, mail=row.mail, is_owned=row.is_owned, trouble=trouble
        ),
        client_name=row.full_name,
        technician=row.technician,
        node=_node(row.owner),
        created_at=row.created_at,
        closed_at=row.closed_at,
        waiting=row.mail,
        wait_s=float(row.wait_s),
        unsent=row.unsent,
        crashes=row.crashed,
        dead_letters=row.dead,
        quarantined=row.quarantined,
    )


def _state(*, quarantined: str | None, mail: int, is_owned: bool, trouble: InTrouble | None) -> str:
    """The actor's state: what the database says goes before what a node said a second ago."""
    if quarantined is not None:
        return "quarantined"
    if trouble is not None and trouble.status == "backing_off":
        return "backing_off"
    if mail:
        return "queued"
    return "idle" if is_owned else "asleep"


def _node(owner: str | None) -> str | None:
    return None if owner is None else owner.rpartition("/")[0]


def detail(
    inspected: TicketInspected, story: Story, pictures: Sequence[NodePicture]
) -> TicketDetail:
    """One ticket with all that belongs to it."""
    ticket, now = inspected.ticket, datetime.now(UTC)
    wait_s = 0.0 if ticket.mail_oldest is None else (now - ticket.mail_oldest).total_seconds()
    line = TicketLine(
        id=ticket.id,
        status=ticket.status,
        state=_state(
            quarantined=ticket.quarantined,
            mail=ticket.mail_waiting,
            is_owned=ticket.owner_status in {"up", "draining"},
            trouble=_troubled(pictures).get(ticket.id),
        ),
        client_name=ticket.client_name,
        technician=ticket.technician,
        node=_node(ticket.owner),
        created_at=ticket.created_at,
        closed_at=ticket.closed_at,
        waiting=ticket.mail_waiting,
        wait_s=max(0.0, wait_s),
        unsent=sum(lane.unsent for lane in inspected.unsent),
        crashes=len(story.crashes),
        dead_letters=ticket.dead_letters,
        quarantined=ticket.quarantined,
    )
    return TicketDetail(
        taken_at=now,
        ticket=line,
        workflow=ticket.workflow,
        client_id=ticket.client_tg_id,
        client_username=ticket.client_username,
        former_ticket_id=ticket.former_ticket_id,
        main_chat_id=ticket.main_chat_id,
        main_thread_id=ticket.main_thread_id,
        owner=ticket.owner,
        owner_status=ticket.owner_status,
        epoch=ticket.epoch,
        version=ticket.version,
        handled_seq=ticket.handled_seq,
        last_seq=ticket.last_seq,
        steps=_steps(story),
        crashes=tuple(_crash(row) for row in story.crashes),
        dead_letters=tuple(_dead(row) for row in story.dead),
        unsent=tuple(
            UnsentLane(
                lane=lane.lane,
                unsent=lane.unsent,
                oldest_at=lane.oldest,
                attempts=lane.attempts,
                not_before=lane.not_before,
                first=lane.first,
                error=lane.error,
            )
            for lane in inspected.unsent
        ),
        timers=tuple(Timer(name=timer.name, due_at=timer.due_at) for timer in inspected.timers),
        owners=_owners(ticket.owner, ticket.epoch, story),
        log=tuple(
            LogLine(
                at=event.ts,
                seq=event.seq,
                actor=event.actor,
                action=event.action,
                payload=dict(event.payload),
            )
            for event in inspected.events
        ),
        snapshot=None if story.snapshot is None else dict(story.snapshot),
    )


def _steps(story: Story) -> tuple[MessageStep, ...]:
    sent: dict[int, list[SentStep]] = {}
    for row in story.sent:
        sent.setdefault(row.cause_seq, []).append(_sent(row))
    return tuple(
        MessageStep(
            seq=row.seq,
            key=row.key,
            kind=row.kind or "",
            from_client=row.from_client,
            received_at=row.received_at,
            handled_at=row.handled_at and (row.decided_at or row.handled_at),
            committed_at=row.handled_at,
            owner=row.handled_by,
            epoch=row.handled_epoch,
            attempts=row.attempts,
            events=tuple(row.events),
            sent=tuple(sent.get(row.seq, ())),
        )
        for row in reversed(story.steps)
    )


def _sent(row: Any) -> SentStep:
    return SentStep(
        outbox_id=row.id,
        kind=row.kind,
        lane=row.lane,
        state=row.state,
        decided_at=row.created_at,
        sent_at=row.started_at,
        confirmed_at=row.settled_at,
        attempts=row.attempts,
        message_id=row.message_id,
        error=row.error,
    )


def _crash(row: Any) -> Crash:
    return Crash(
        at=row.ts, node=_node(row.run) or row.run, seq=row.seq, error=row.error, trace=row.trace
    )


def _owners(owner: str | None, epoch: int, story: Story) -> tuple[OwnerPeriod, ...]:
    """The present owner first, also when it has handled nothing yet."""
    periods = [
        OwnerPeriod(
            owner=row.owner,
            epoch=row.epoch,
            first_at=row.first_at,
            last_at=row.last_at,
            handled=row.handled,
            is_present=row.owner == owner and row.epoch == epoch,
        )
        for row in story.owners
    ]
    if owner is not None and not any(period.is_present for period in periods):
        present = OwnerPeriod(
            owner=owner, epoch=epoch, first_at=None, last_at=None, handled=0, is_present=True
        )
        periods.insert(0, present)
    return tuple(periods)


def _dead(row: Any) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        ticket_id=row.ticket_id,
        seq=row.seq,
        kind=row.kind,
        error=row.error,
        attempts=row.attempts,
        created_at=row.created_at,
    )


def dead_letters(total: int, rows: Sequence[Any], taken_at: datetime) -> DeadLetters:
    """A list of them, as of ``taken_at``."""
    return DeadLetters(taken_at=taken_at, total=total, letters=tuple(map(_dead, rows)))


def delivery(
    seen: Overview, lanes: Sequence[Any], pictures: Sequence[NodePicture], taken_at: datetime
) -> DeliveryShape:
    """The way out of all nodes; its lanes as of ``taken_at``."""
    sending = [picture.sending for picture in pictures]
    calls: dict[str, int] = {}
    for part in sending:
        for method, count in part.calls.items():
            calls[method] = calls.get(method, 0) + count
    return DeliveryShape(
        taken_at=taken_at,
        outbox=seen.outbox,
        lanes=tuple(_lane(row) for row in lanes),
        budgets=seen.budgets,
        bot=seen.bot,
        bots=_bots([bot for part in sending for bot in part.bots]),
        calls=dict(sorted(calls.items(), key=lambda call: -call[1])),
        sent=seen.traffic.sent,
        joined=sum(part.joined for part in sending),
        superseded=sum(part.superseded for part in sending),
        recovered=sum(part.recovered for part in sending),
        topics_lost=sum(part.topics_lost for part in sending),
        paused_s=sum(part.paused_s for part in sending),
    )


def _bots(parts: Sequence[BotShape]) -> tuple[BotShape, ...]:
    found: dict[int, list[BotShape]] = {}
    for part in parts:
        found.setdefault(part.id, []).append(part)
    return tuple(
        BotShape(
            id=bot_id,
            username=same[0].username,
            is_main=same[0].is_main,
            calls=sum(each.calls for each in same),
            too_many=sum(each.too_many for each in same),
            failed=sum(each.failed for each in same),
            latency_s=max(each.latency_s for each in same),
        )
        for bot_id, same in found.items()
    )


def _lane(row: Any) -> LaneLine:
    return LaneLine(
        lane=row.lane,
        ticket_id=row.ticket_id,
        chat_id=row.chat_id,
        unsent=row.unsent,
        oldest_s=max(0.0, float(row.oldest_s)),
        attempts=row.attempts,
        first=row.first,
        error=row.error,
        not_before=row.not_before,
    )


def tree(known: Known) -> Tree:
    """A root for each node; those that did not answer are leaves."""
    pictures = {picture.name: picture for picture in known.pictures}
    living = [node for node in nodes(known) if node.status != "dead"]
    return Tree(
        taken_at=known.taken_at,
        roots=tuple(_root(node, pictures.get(node.name)) for node in living),
    )


def _root(node: NodeShape, picture: NodePicture | None) -> TreeNode:
    about: dict[str, float | str] = {
        "status": node.status,
        "beat_age_s": round(node.beat_age_s or 0.0, 1),
    }
    if picture is None:
        return _branch(node.name, "node", "silent", about)
    roles = [_branch(role, "service", "running", {"role": "for all nodes"}) for role in node.roles]
    traffic = picture.traffic
    intake = {"stored": traffic.updates_stored, "duplicates": traffic.updates_duplicate}
    sending = {"sent": traffic.sent, "in_flight": picture.outbox.in_flight.used}
    return _branch(
        node.name,
        "node",
        picture.state,
        about | {"memory_bytes": picture.loop.memory_bytes, "version": picture.version},
        _runtime(picture),
        _branch("delivery", "service", "running", sending | {"lanes": picture.outbox.lanes}),
        _branch("intake", "service", "running", intake),
        *roles,
    )


def _runtime(picture: NodePicture) -> TreeNode:
    serves = picture.state == "serving"
    state = (
        "open circuit" if picture.restarts.is_circuit_open else "running" if serves else "paused"
    )
    traffic, restarts = picture.traffic, picture.restarts
    troubled = [
        TreeNode(
            name=str(each.ticket_id),
            kind="actor",
            state=each.status,
            detail={
                "crashes": each.crashes,
                "dead_letters": each.dead_letters,
                "waiting": each.waiting,
                "error": each.error[:ERROR_LINE_MAX],
            },
            ticket_id=each.ticket_id,
            children=(),
        )
        for each in picture.troubled
    ]
    groups = [
        _branch(status, "actors", status, {"count": count})
        for status, count in picture.actors.items()
    ]
    return _branch(
        "runtime",
        "supervisor",
        state,
        {"crashes": restarts.crashes, "restarts_used": restarts.used, "restarts": restarts.limit},
        _branch("workers", "service", "running", {"turns": traffic.turns}),
        _branch("committers", "service", "running", {"commits": picture.commits}),
        _branch("lookout", "service", "running", {"claims": picture.ownership.claims}),
        _branch("actors", "actors", "running", {"owned": picture.ownership.owned}, *groups),
        *troubled,
    )


def _branch(
    name: str, kind: str, state: str, about: Mapping[str, float | str], *children: TreeNode
) -> TreeNode:
    return TreeNode(
        name=name, kind=kind, state=state, detail=dict(about), ticket_id=None, children=children
    )
