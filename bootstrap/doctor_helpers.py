"""Looks at each helper bot: its token, and whether it may write in every group."""

from collections.abc import Sequence
from typing import Final

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from pydantic import SecretStr

from actors.ids import ChatId, UserId
from bootstrap.findings import Finding
from bot.delivery.helping import Trouble
from bot.helpers import standing

STEPS_IN: Final = "until then the main bot writes in its stead"

Group = tuple[str, str, int]
"""What it is called here, the setting that names it, and its id."""


async def helper(
    name: str, token: SecretStr, session: AiohttpSession, groups: Sequence[Group]
) -> Finding:
    """One helper in all groups. Whatever is wrong is a note: nothing fails by it."""
    bot = Bot(token.get_secret_value(), session=session)
    try:
        me = await bot.get_me()
        troubles = {
            group: trouble
            for group, _, chat_id in groups
            if (trouble := await standing(bot, UserId(bot.id), ChatId(chat_id))) is not None
        }
    except (TelegramUnauthorizedError, TelegramNotFound):
        advice = f"copy it anew from @BotFather into HELPER_BOT_TOKENS; {STEPS_IN}"
        detail = f"Telegram does not know the token of bot {bot.id}"
        return Finding(name=name, detail=detail, advice=advice, is_note=True)
    except (TelegramAPIError, ClientDecodeError) as error:
        detail = f"no answer ({type(error).__name__})"
        return Finding(name=name, detail=detail, advice="check the network", is_note=True)
    if not troubles:
        return Finding(name=name, detail=f"@{me.username} may write in all groups")
    away = [group for group, trouble in troubles.items() if trouble is Trouble.AWAY]
    muted = [group for group in troubles if group not in away]
    parts = [f"is not in: {', '.join(away)}"] if away else []
    parts += [f"may not write in: {', '.join(muted)}"] if muted else []
    advice = f"add it there, and let members write; {STEPS_IN}"
    detail = f"@{me.username} {'; '.join(parts)}"
    return Finding(name=name, detail=detail, advice=advice, is_note=True)
