"""Commands that a text begins with."""

import re

from aiogram.types import Message

from bot.meaning import Desk

_COMMAND = re.compile(r"/(?P<name>[a-zA-Z0-9_]{1,32})(?:@(?P<bot>\w+))?(?:\s|$)")


def command_of(message: Message, desk: Desk) -> str | None:
    """The command that a text begins with, in lower case; ``""`` when it is another bot's.

    In a group, ``/close@other_bot`` is none of our business, but it is not for the client either.
    """
    text = message.text if message.text is not None else message.caption
    match = _COMMAND.match(text or "")
    if match is None:
        return None
    addressed = match["bot"]
    if addressed is not None and addressed.lower() != desk.bot_username.lower():
        return ""
    return match["name"].lower()
