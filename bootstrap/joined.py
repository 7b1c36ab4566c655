"""All nodes' pictures and the database's counts as one overview. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bootstrap.picture import NodePicture
from bootstrap.readiness import POSTGRES
from bootstrap.verdict import judge
from storage.stats import NodeSight, StoreSight
from supervisor.actor import ActorStatus
from supervisor.stats import quantile
from web.shapes import (
    ChatBudget,
    Health,
    Level,
    Loop,
    Mailboxes,
    NodeShape,
    Outbox,
    Overview,
    Ownership,
    Quantiles,
    Restarts,
    Services,
    Timings,
    Traffic,
    Used,
    Webhook,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the desk at one moment.

    ``pictures`` has the answering node's first; ``stored`` may be old (``stored_age_s``) or, if
    the database never answered, missing. ``chats`` are the configured groups with their names.
    """

    taken_at: datetime
    pictures: tuple[NodePicture, ...]
    stored: StoreSight | None
    stored_age_s: float | None
    postgres: Health
    redis: Health
    chats: Mapping[int, str]

    @property
    def own(self) -> NodePicture:
        return self.pictures[0]


def overview(known: Known) -> Overview:
    """The desk as one picture."""
    own, pictures, stored = known.own, known.pictures, known.stored
    shapes = nodes(known)
    living = [node for node in shapes if node.status not in {"dead", "unknown"}]
    bot, *budgets = _budgets(pictures, known.chats)
    reasons = own.reasons if known.postgres.ok else (POSTGRES, *own.reasons)
    joined = Overview(
        state=Level.WELL,
        causes=(),
        taken_at=known.taken_at,
        node=own.name,
        version=own.version,
        started_at=own.started_at,
        is_complete=bool(living) and all(node.snapshot_age_s is not None for node in living),
        is_ready=not reasons,
        reasons=reasons,
        stored_age_s=known.stored_age_s,
        closed_age_s=_closed_age_s(known),
        tickets={} if stored is None else dict(stored.tickets),
        actors=_summed(picture.actors for picture in pictures),
        nodes=shapes,
        traffic=_traffic([picture.traffic for picture in pictures]),
        timings=_timings(pictures),
        mailboxes=_mailboxes([picture.mailboxes for picture in pictures], stored),
        outbox=_outbox([picture.outbox for picture in pictures], stored),
        budgets=tuple(budgets),
        bot=bot,
        restarts=_restarts([picture.restarts for picture in pictures]),
        dead_letters=None if stored is None else stored.dead_letters,
        quarantined=None if stored is None else stored.quarantined,
        ownership=_ownership([picture.ownership for picture in pictures]),
        loop=_loop([picture.loop for picture in pictures]),
        health=Services(postgres=known.postgres, redis=known.redis, telegram=_telegram(pictures)),
        webhook=_webhook([picture.webhook for picture in pictures]),
    )
    verdict = judge(joined)
    return replace(joined, state=verdict.level, causes=verdict.causes)


def nodes(known: Known) -> tuple[NodeShape, ...]:
    """Each node that the database or its own picture tells of, by name."""
    pictures = {picture.name: picture for picture in known.pictures}
    rows = {row.name: row for row in known.stored.nodes} if known.stored is not None else {}
    is_old = not known.postgres.ok
    return tuple(
        _node(name, rows.get(name), pictures.get(name), known, is_old=is_old)
        for name in sorted({*pictures, *rows})
    )


def _node(
    name: str, row: NodeSight | None, picture: NodePicture | None, known: Known, *, is_old: bool
) -> NodeShape:
    if picture is not None and row is not None and row.owner != picture.run and not is_old:
        picture = picture if name == known.own.name else None  # of a run that is over
    run = row.owner if row is not None else picture.run if picture is not None else name
    is_self = name == known.own.name
    beat_age_s = None if row is None or is_old else row.beat_age_s
    if beat_age_s is None and picture is not None:
        beat_age_s = picture.beat_age_s
    return NodeShape(
        name=name,
        run=run,
        incarnation=run.rpartition("/")[2],
        status="unknown" if row is None or is_old else row.status,
        state="" if picture is None else picture.state,
        is_self=is_self,
        started_at=_started_at(row, picture),
        beat_age_s=beat_age_s,
        snapshot_age_s=None if picture is None else 0.0 if is_self else picture.age_s,
        roles=row.roles if row is not None else picture.roles if picture is not None else (),
        version="" if picture is None else picture.version,
        owned=_owned(run, picture, known),
        actors={} if picture is None else dict(picture.actors),
        messages_per_s=None if picture is None else picture.traffic.messages_per_s,
        handled=None if picture is None else picture.traffic.handled,
        lag_s=None if picture is None else picture.loop.lag_max_s,
        memory_bytes=None if picture is None else picture.loop.memory_bytes,
        cpu_share=None if picture is None else picture.loop.cpu_share,
        fenced=None if picture is None else picture.ownership.fenced,
        crashes=None if picture is None else picture.restarts.crashes,
    )


def _closed_age_s(known: Known) -> float | None:
    if known.stored is None or known.stored_age_s is None:
        return None
    return known.stored_age_s + known.stored.closed_age_s


def _started_at(row: NodeSight | None, picture: NodePicture | None) -> datetime | None:
    if row is not None:
        return row.started_at
    return None if picture is None else picture.started_at


def _owned(run: str, picture: NodePicture | None, known: Known) -> int | None:
    """By the database, which judges; without it what the node has in memory."""
    if known.stored is not None:
        return known.stored.owned.get(run, 0)
    return None if picture is None else picture.ownership.owned


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    out = dict.fromkeys(map(str, ActorStatus), 0)
    for each in counts:
        for name, count in each.items():
            out[name] = out.get(name, 0) + count
    return out


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def _traffic(parts: Sequence[Traffic]) -> Traffic:
    return Traffic(
        messages_per_s=sum(part.messages_per_s for part in parts),
        sent_per_s=sum(part.sent_per_s for part in parts),
        handled=sum(part.handled for part in parts),
        turns=sum(part.turns for part in parts),
        sent=sum(part.sent for part in parts),
        last_handled_at=_latest(part.last_handled_at for part in parts),
        last_sent_at=_latest(part.last_sent_at for part in parts),
        updates_stored=sum(part.updates_stored for part in parts),
        updates_duplicate=sum(part.updates_duplicate for part in parts),
        updates_ignored=sum(part.updates_ignored for part in parts),
        updates_refused=sum(part.updates_refused for part in parts),
        last_update_at=_latest(part.last_update_at for part in parts),
    )


def _timings(pictures: Sequence[NodePicture]) -> Timings:
    return Timings(
        queue_wait=quantiles(pictures, "queue_wait"),
        turn=quantiles(pictures, "turn"),
        commit=quantiles(pictures, "commit"),
        delivery=quantiles(pictures, "delivery"),
    )


def quantiles(pictures: Sequence[NodePicture], name: str) -> Quantiles:
    """Of all nodes' histograms of that name."""
    parts = [picture.measured[name] for picture in pictures if name in picture.measured]
    length = max((len(part.counts) for part in parts), default=0)
    counts = [sum(part.counts[i] for part in parts if i < len(part.counts)) for i in range(length)]
    longest_s = max((part.longest_s for part in parts), default=0.0)
    p50_s, p95_s, p99_s = (min(quantile(counts, part), longest_s) for part in (0.5, 0.95, 0.99))
    return Quantiles(count=sum(counts), p50_s=p50_s, p95_s=p95_s, p99_s=p99_s, max_s=longest_s)


def _mailboxes(parts: Sequence[Mailboxes], stored: StoreSight | None) -> Mailboxes:
    return Mailboxes(
        depth_max=max(part.depth_max for part in parts),
        depth_limit=max(part.depth_limit for part in parts),
        window=_used([part.window for part in parts]),
        waiting=None if stored is None else stored.mail,
        oldest_s=None if stored is None else stored.mail_oldest_s,
    )


def _outbox(parts: Sequence[Outbox], stored: StoreSight | None) -> Outbox:
    return Outbox(
        waiting=None if stored is None else stored.waiting,
        sending=None if stored is None else stored.sending,
        oldest_s=None if stored is None else stored.oldest_s,
        undeliverable=None if stored is None else stored.undeliverable,
        in_flight=_used([part.in_flight for part in parts]),
        lanes=sum(part.lanes for part in parts),
        retries=sum(part.retries for part in parts),
        possible_doubles=sum(part.possible_doubles for part in parts),
    )


def _used(parts: Sequence[Used]) -> Used:
    return Used(used=sum(part.used for part in parts), limit=sum(part.limit for part in parts))


def _budgets(pictures: Sequence[NodePicture], chats: Mapping[int, str]) -> list[ChatBudget]:
    """The bot's first, then the configured groups in their order, then others."""
    found: dict[int, list[ChatBudget]] = {0: []}
    for picture in pictures:
        for budget in picture.budgets:
            found.setdefault(budget.chat_id, []).append(budget)
    group = next((each for chat, [each, *_] in found.items() if chat and found[chat]), None)
    order = [0, *chats, *sorted(chat for chat in found if chat and chat not in chats)]
    return [_budget(chat, chats.get(chat), found.get(chat, []), group) for chat in order]


def _budget(
    chat_id: int, name: str | None, parts: Sequence[ChatBudget], alike: ChatBudget | None
) -> ChatBudget:
    """What all nodes send to one chat; a group that nobody has written to yet is empty."""
    first = parts[0] if parts else alike
    return ChatBudget(
        chat_id=chat_id,
        name=name or (first.name if first is not None and parts else "bot"),
        used=sum(part.used for part in parts),
        limit=0 if first is None else first.limit,
        window_s=0.0 if first is None else first.window_s,
        closed_for_s=max((part.closed_for_s for part in parts), default=0.0),
        lost_s=sum(part.lost_s for part in parts),
        too_many=sum(part.too_many for part in parts),
    )


def _restarts(parts: Sequence[Restarts]) -> Restarts:
    return Restarts(
        used=max(part.used for part in parts),
        limit=parts[0].limit,
        window_s=parts[0].window_s,
        crashes=sum(part.crashes for part in parts),
        backing_off=sum(part.backing_off for part in parts),
        is_circuit_open=any(part.is_circuit_open for part in parts),
    )


def _ownership(parts: Sequence[Ownership]) -> Ownership:
    return Ownership(
        owned=sum(part.owned for part in parts),
        claims=sum(part.claims for part in parts),
        fenced=sum(part.fenced for part in parts),
        declared_dead=sum(part.declared_dead for part in parts),
    )


def _loop(parts: Sequence[Loop]) -> Loop:
    return Loop(
        lag_s=max(part.lag_s for part in parts),
        lag_max_s=max(part.lag_max_s for part in parts),
        gc_pauses=sum(part.gc_pauses for part in parts),
        gc_pause_last_s=max(part.gc_pause_last_s for part in parts),
        gc_pause_max_s=max(part.gc_pause_max_s for part in parts),
        memory_bytes=sum(part.memory_bytes for part in parts),
        cpu_share=max(part.cpu_share for part in parts),
    )


def _telegram(pictures: Sequence[NodePicture]) -> Health:
    sick = next((each.telegram for each in pictures if not each.telegram.ok), None)
    return sick or pictures[0].telegram


def _webhook(parts: Sequence[Webhook]) -> Webhook:
    lags = [part.lag_s for part in parts if part.lag_s is not None]
    asked = [part for part in parts if part.pending is not None]
    said = asked[0] if asked else parts[0]
    return replace(said, lag_s=max(lags, default=None))
