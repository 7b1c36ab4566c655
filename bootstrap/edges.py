"""Small adapters between parts that must not know each other."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import AnswerCallbackQuery
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.errors import Transient
from actors.ids import ChatId
from actors.messages import Envelope
from actors.ports import Mailroom
from bootstrap.settings import Settings
from bot.api import Api
from bot.delivery import DeliveryOptions
from bot.intake import Intake, MalformedUpdate
from bot.titles import cut
from storage.cache import CachedRoster
from storage.moves import move_chat
from web.webhook import Refused, TryLater

log = structlog.get_logger(__name__)

ANSWER_LENGTH_MAX = 200
"""Telegram's limit for the answer to a button press."""


def accepting(intake: Intake) -> Callable[[bytes], Awaitable[None]]:
    """Intake as the webhook wants it: its errors in the terms of HTTP."""

    async def accept(body: bytes) -> None:
        try:
            await intake.accept(body)
        except MalformedUpdate as error:
            raise Refused(str(error)) from error
        except Transient as error:
            raise TryLater(error.retry_after_s) from error

    return accept


class PressAnswerer:
    """Answers presses that reach no ticket. Losing such an answer costs nobody anything."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def answer(self, callback_id: str, text: str, *, alert: bool = False) -> None:
        call = AnswerCallbackQuery(
            callback_query_id=callback_id, text=cut(text, ANSWER_LENGTH_MAX), show_alert=alert
        )
        try:
            await self._api(call)
        except (TelegramAPIError, OSError, TimeoutError) as error:
            log.warning("press_not_answered", error=type(error).__name__)


def watched_groups(settings: Settings) -> dict[ChatId, str]:
    """The groups, each with the setting that names it."""
    groups = dict.fromkeys(settings.main_group_id, "MAIN_GROUP_ID")
    for group in settings.tech_groups_mapping:
        groups.setdefault(ChatId(group.chat_id), f"TECH_GROUPS_MAPPING, {group.name}")
    return groups


def group_names(settings: Settings) -> dict[ChatId, str]:
    """The groups as the status page calls them: the staff's is ``main``, further ones numbered."""
    first, *others = settings.main_group_id
    groups = {first: "main"} | {other: f"main {n}" for n, other in enumerate(others, start=2)}
    for group in settings.tech_groups_mapping:
        groups.setdefault(ChatId(group.chat_id), group.name)
    return groups


async def follow_group(engine: AsyncEngine, roster: CachedRoster, old: ChatId, new: ChatId) -> None:
    """A group has another id: everything on record goes there from now on."""
    moved = await move_chat(engine, old, new)
    if moved:
        log.warning("group_moved", old=old, new=new, rows=moved)
        await roster.invalidate()


def delivery_options(settings: Settings) -> DeliveryOptions:
    """Titles are spaced because they cost what texts do: not where nothing costs anything."""
    options = DeliveryOptions()
    return options if settings.pace_group_per_min else replace(options, title_gap_s=0.0)


class Deferred:
    """Stands in for the mailroom until there is one: delivery and the runtime know each other."""

    def __init__(self) -> None:
        self.target: Mailroom | None = None

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        if self.target is not None:
            self.target.offer(envelopes)
