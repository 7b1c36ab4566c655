"""Looks at the bot, its groups, its rights and its webhook, with read-only calls."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramNetworkError,
    TelegramUnauthorizedError,
)
from aiogram.types import ChatMemberAdministrator, ChatMemberOwner, User

from bootstrap.doctor_helpers import helper
from bootstrap.findings import Finding, Verdict, in_time
from bootstrap.settings import Settings

CALL_TIMEOUT_S: Final = 10.0
RECENT: Final = timedelta(minutes=10)
"""An error of the webhook this old is history, if nothing waits."""


async def telegram(settings: Settings, report: Callable[[Finding], None]) -> None:
    """The bot first; without it, nothing else can be asked."""
    session = AiohttpSession(
        api=TelegramAPIServer.from_base(settings.telegram_api_url), timeout=CALL_TIMEOUT_S
    )
    async with Bot(settings.bot_token.get_secret_value(), session=session) as bot:
        me, finding = await _identity(bot, settings)
        report(finding)
        if me is None:
            return
        main = settings.main_group_id
        groups = [
            ("main group" if len(main) == 1 else f"main group {number}", "MAIN_GROUP_ID", chat_id)
            for number, chat_id in enumerate(main, start=1)
        ]
        groups += [
            (f"group {group.name}", "TECH_GROUPS_MAPPING", group.chat_id)
            for group in settings.tech_groups_mapping
        ]
        findings = [
            await in_time(name, _group(bot, me, name, setting, chat_id))
            for name, setting, chat_id in groups
        ]
        admin = all(finding.verdict is Verdict.OK for finding in findings)
        report(_privacy(me, all_admin=admin))
        for finding in findings:
            report(finding)
        for number, token in enumerate(settings.helper_tokens, start=1):
            name = f"helper {number}"
            report(await in_time(name, helper(name, token, session, groups)))
        report(await in_time("webhook", _webhook(bot, settings)))


async def _identity(bot: Bot, settings: Settings) -> tuple[User | None, Finding]:
    host = urlsplit(settings.telegram_api_url).netloc
    try:
        me = await bot.get_me()
    except TelegramUnauthorizedError:
        advice = "copy BOT_TOKEN anew from @BotFather (/mybots, API Token)"
        return None, Finding(name="bot", detail=f"{host} does not know the token", advice=advice)
    except (TelegramNetworkError, ClientDecodeError, TelegramAPIError) as error:
        detail = f"{host} does not answer ({type(error).__name__})"
        advice = "check the network and TELEGRAM_API_URL"
        return None, Finding(name="bot", detail=detail, advice=advice)
    return me, Finding(name="bot", detail=f"@{me.username} at {host}")


def _privacy(me: User, *, all_admin: bool) -> Finding:
    if me.can_read_all_group_messages:
        return Finding(name="privacy", detail="off, the bot reads its groups")
    if all_admin:
        return Finding(name="privacy", detail="on, but as an admin the bot reads its groups")
    return Finding(
        name="privacy",
        detail="on, so the bot does not see what people write in groups",
        advice="make it an admin in each group, or switch privacy off: @BotFather, /setprivacy, "
        "Disable, then remove the bot from its groups and add it again",
    )


async def _group(bot: Bot, me: User, name: str, setting: str, chat_id: int) -> Finding:
    """Whether it is a forum in which the bot may manage topics."""
    add = f"add @{me.username} to the group as an admin, and check {setting}"
    try:
        chat = await bot.get_chat(chat_id)
        member = await bot.get_chat_member(chat_id, me.id)
    except TelegramNetworkError as error:
        detail = f"no answer ({type(error).__name__})"
        return Finding(name=name, detail=detail, advice="check the network")
    except (TelegramAPIError, ClientDecodeError) as error:
        said = error.message if isinstance(error, TelegramAPIError) else type(error).__name__
        return Finding(name=name, detail=f"{chat_id}: {said}", advice=add)
    detail = f"“{chat.title}” ({chat_id})"
    if not chat.is_forum:
        return Finding(
            name=name,
            detail=f"{detail} has no topics",
            advice="turn on Topics in the group's settings; its id may change then",
        )
    match member:
        case ChatMemberOwner() | ChatMemberAdministrator(can_manage_topics=True):
            return Finding(name=name, detail=f"{detail} is a forum, the bot manages its topics")
        case ChatMemberAdministrator():
            advice = "allow the bot to manage topics: group, Administrators, the bot, Manage Topics"
            return Finding(name=name, detail=f"{detail}: a right is missing", advice=advice)
        case _ if member.status in {"left", "kicked"}:
            return Finding(name=name, detail=f"{detail}: the bot is not there", advice=add)
        case _:
            advice = "make the bot an admin with the right to manage topics"
            return Finding(name=name, detail=f"{detail}: the bot is no admin", advice=advice)


async def _webhook(bot: Bot, settings: Settings) -> Finding:
    """Compares what Telegram has with what is set; never shows the address, it holds the secret."""
    try:
        info = await bot.get_webhook_info()
    except (TelegramAPIError, ClientDecodeError) as error:
        return Finding(name="webhook", detail=type(error).__name__, advice="check the network")
    waiting = f"{info.pending_update_count} updates waiting"
    wanted = settings.webhook_endpoint
    host = urlsplit(info.url).netloc
    if wanted is None and not info.url:
        return Finding(name="webhook", detail=f"not set, long polling; {waiting}")
    if wanted is None:
        return Finding(
            name="webhook",
            detail=f"set to {host}, but WEBHOOK_URL is empty; {waiting}",
            advice="another program may serve this bot: stop it (then `topicdesk run` takes the "
            "webhook away), or set WEBHOOK_URL",
        )
    if not info.url:
        detail = f"not set yet, `topicdesk run` does it; {waiting}"
        return Finding(name="webhook", detail=detail)
    if info.url != wanted.get_secret_value():
        same = host == urlsplit(wanted.get_secret_value()).netloc
        detail = f"set to another {'path or secret at ' if same else 'host, '}{host}; {waiting}"
        advice = "start `topicdesk run` again, and see that no other program serves this bot"
        return Finding(name="webhook", detail=detail, advice=advice)
    if info.last_error_message and _is_recent(info.last_error_date, info.pending_update_count):
        return Finding(
            name="webhook",
            detail=f"set to {host}, {waiting}; Telegram says: {info.last_error_message}",
            advice="see that topicdesk runs and that the proxy passes /webhook/ on to it",
        )
    return Finding(name="webhook", detail=f"set to {host}; {waiting}")


def _is_recent(failed_at: datetime | None, pending: int) -> bool:
    return pending > 0 or (failed_at is not None and datetime.now(UTC) - failed_at < RECENT)
