"""Takes this node's picture, from counters alone: nothing is asked, and no actor is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import anyio
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import GetWebhookInfo

from actors.nodes import Role
from bootstrap.measures import Measures
from bootstrap.picture import InTrouble, Measured, NodePicture, Sending
from bootstrap.pulse import Pulse
from bootstrap.readiness import reasons
from bot.api import Api
from bot.delivery import Delivery
from bot.delivery.pace import BudgetSight
from bot.intake import Intake
from bot.polling import Poller
from supervisor.actor import ActorStatus
from supervisor.node import Node
from supervisor.runtime import Runtime
from web.shapes import (
    BotShape,
    ChatBudget,
    Health,
    Mailboxes,
    Outbox,
    Ownership,
    Restarts,
    Traffic,
    Used,
    Webhook,
)

QUIET_POLL_S = 60.0
"""A long poll is answered within half a minute even when there is nothing to tell."""

UNANSWERED_MAX = 3
"""One call that fails is the network's daily bread; three in a row are an outage."""

WEBHOOK_EVERY_S = 30.0
"""How often Telegram is asked how the webhook does, while somebody looks."""

WEBHOOK_TIMEOUT_S = 2.0

COMPLAINT_S = 3600.0
"""A complaint of Telegram about the webhook that is older is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitters:
    """The parts of the node that are looked at. ``chats`` names the groups."""

    node: Node
    runtime: Runtime
    delivery: Delivery
    intake: Intake
    poller: Poller | None
    api: Api
    measures: Measures
    bot_id: int
    bot_username: str
    chats: Mapping[int, str]
    version: str


class Portrait:
    """``clock`` is the parts' own, in seconds."""

    def __init__(
        self,
        sitters: Sitters,
        pulse: Pulse,
        clock: Callable[[], float] = anyio.current_time,
    ) -> None:
        self._sitters = sitters
        self._pulse = pulse
        self._clock = clock
        self._webhook: tuple[int | None, str, datetime | None] = (None, "", None)
        self._webhook_asked_at = -WEBHOOK_EVERY_S
        self.stopping = False

    @property
    def name(self) -> str:
        return self._sitters.node.identity.name

    def take(self, redis: Health) -> NodePicture:
        sitters = self._sitters
        node, identity = sitters.node, sitters.node.identity
        runtime, delivery = sitters.runtime.stats(), sitters.delivery.stats()
        budgets = [self._budget(each) for each in sitters.delivery.budgets()]
        options = sitters.runtime.options
        troubled = sitters.runtime.troubled()
        return NodePicture(
            name=identity.name,
            run=identity.owner,
            version=sitters.version,
            started_at=identity.started_at,
            taken_at=datetime.now(UTC),
            state=str(node.state),
            reasons=self.reasons(),
            beat_age_s=node.beat_age_s,
            roles=tuple(str(role) for role in Role if node.holds(role)),
            actors={str(status): count for status, count in runtime.actors.items()},
            traffic=self._traffic(),
            measured={
                name: Measured(counts=tuple(each.counts()), longest_s=each.longest_s)
                for name, each in sitters.measures.durations.items()
            },
            mailboxes=Mailboxes(
                depth_max=runtime.mailbox_depth_max,
                depth_limit=options.mailbox_messages_max,
                window=Used(used=runtime.window_messages, limit=options.window_messages_max),
                waiting=None,
                oldest_s=None,
            ),
            outbox=Outbox(
                waiting=None,
                sending=None,
                oldest_s=None,
                undeliverable=None,
                in_flight=Used(used=delivery.in_flight, limit=sitters.delivery.in_flight_max),
                lanes=delivery.lanes,
                retries=delivery.retries,
                possible_doubles=delivery.possible_doubles,
            ),
            budgets=tuple(budgets),
            restarts=Restarts(
                used=max((each.crashes for each in troubled), default=0),
                limit=options.crashes_max,
                window_s=options.crash_window_s,
                crashes=runtime.crashes,
                backing_off=runtime.actors[ActorStatus.BACKING_OFF],
                is_circuit_open=runtime.is_circuit_open,
            ),
            ownership=Ownership(
                owned=runtime.owned,
                claims=sitters.measures.claims,
                fenced=runtime.fenced,
                declared_dead=node.declared_dead,
            ),
            loop=self._pulse.loop(),
            redis=redis,
            telegram=self._telegram(),
            webhook=self._way_in(),
            sending=self._sending(),
            troubled=tuple(
                InTrouble(
                    ticket_id=each.ticket_id,
                    status=str(each.status),
                    crashes=each.crashes,
                    dead_letters=each.dead_letters,
                    waiting=each.waiting,
                    error=each.error,
                )
                for each in troubled
            ),
            commits=runtime.commits,
            transients=runtime.transients,
        )

    def reasons(self) -> tuple[str, ...]:
        """Why this node does not serve, as far as it knows by itself; empty when it does."""
        node = self._sitters.node
        return reasons(node.state, node.beat_age_s, stopping=self.stopping)

    async def ask_telegram(self) -> None:
        """How the webhook does, asked now and then; what it last said stays when it is silent."""
        if self._sitters.poller is not None:
            return
        if self._clock() - self._webhook_asked_at < WEBHOOK_EVERY_S:
            return
        self._webhook_asked_at = self._clock()
        try:
            with anyio.fail_after(WEBHOOK_TIMEOUT_S):
                info = await self._sitters.api(GetWebhookInfo())
        except (TelegramAPIError, OSError, TimeoutError):
            return
        at = info.last_error_date
        lately = at is not None and datetime.now(UTC) - at < timedelta(seconds=COMPLAINT_S)
        error = info.last_error_message or ""
        self._webhook = (info.pending_update_count, error if lately else "", at if lately else None)

    # ----------------------------------------------------------------------------------------

    def _traffic(self) -> Traffic:
        sitters = self._sitters
        runtime, delivery = sitters.runtime.stats(), sitters.delivery.stats()
        intake, rates = sitters.intake.stats(), self._pulse.rates()
        return Traffic(
            messages_per_s=rates.handled,
            sent_per_s=rates.sent,
            handled=runtime.messages_handled,
            turns=runtime.turns,
            sent=delivery.sent,
            last_handled_at=self._wall(runtime.last_handled_at),
            last_sent_at=self._wall(delivery.last_sent_at),
            updates_stored=intake.stored,
            updates_duplicate=intake.duplicates,
            updates_ignored=intake.ignored,
            updates_refused=intake.refused,
            last_update_at=intake.last_at,
        )

    def _sending(self) -> Sending:
        sitters = self._sitters
        delivery, api = sitters.delivery.stats(), sitters.api.stats()
        return Sending(
            joined=delivery.joined,
            superseded=delivery.superseded,
            recovered=delivery.recovered,
            topics_lost=delivery.topics_lost,
            paused_s=delivery.paused_s,
            calls=dict(api.calls),
            bots=(
                BotShape(
                    id=sitters.bot_id,
                    username=sitters.bot_username,
                    is_main=True,
                    calls=sum(api.calls.values()),
                    too_many=api.too_many_requests,
                    failed=api.failed,
                    latency_s=api.latency_s,
                ),
            ),
        )

    def _telegram(self) -> Health:
        """How the last calls went, without making another."""
        poller, api = self._sitters.poller, self._sitters.api.stats()
        if api.unanswered >= UNANSWERED_MAX:
            detail = f"no answer to {api.unanswered} calls"
            return Health(ok=False, latency_s=None, detail=detail)
        if poller is not None and self._sitters.node.holds(Role.POLLING):
            answered = poller.answered_at
            if answered is None or self._clock() - answered > QUIET_POLL_S:
                return Health(ok=False, latency_s=None, detail="no answer to getUpdates")
        return Health(ok=True, latency_s=api.latency_s or None, detail="")

    def _way_in(self) -> Webhook:
        pending, error, at = self._webhook
        return Webhook(
            mode="webhook" if self._sitters.poller is None else "polling",
            lag_s=self._sitters.intake.stats().lag_s,
            pending=pending,
            error=error,
            error_at=at,
        )

    def _budget(self, budget: BudgetSight) -> ChatBudget:
        chat_id = budget.chat_id
        return ChatBudget(
            chat_id=chat_id,
            name="bot" if chat_id == 0 else self._sitters.chats.get(chat_id, str(chat_id)),
            used=budget.used,
            limit=budget.limit,
            window_s=budget.window_s,
            closed_for_s=budget.closed_for_s,
            lost_s=budget.lost_s,
            too_many=budget.too_many,
        )

    def _wall(self, at: float | None) -> datetime | None:
        if at is None:
            return None
        return datetime.now(UTC) - timedelta(seconds=self._clock() - at)
