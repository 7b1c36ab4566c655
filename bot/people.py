"""Who wrote: Telegram's users and senders as people of ours, their names made safe."""

import unicodedata

from aiogram.types import Message, User

from actors.ids import UserId
from actors.messages import Person

ANONYMOUS_ADMIN_ID = 1087968824
"""The user in whose name anonymous administrators of a group write; it is marked as a bot."""

NAME_LENGTH_MAX = 128
"""Longer names are decoration; Telegram allows 64 + 64 characters."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what has no look of its own."""

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Fillers and the empty Braille pattern: letters by category, but nothing to see."""

_SHOWN_CONTROLS = frozenset({"\u200c", "\u200d"})
"""Joiners that emoji and several scripts are written with."""


def clean_name(name: str) -> str:
    """A name on one line, without control characters and direction overrides.

    Empty when there is nothing in it that can be seen.
    """
    kept = "".join(c if _is_shown(c) else " " for c in name)
    return " ".join(kept.split())[:NAME_LENGTH_MAX].rstrip() if any(map(_is_seen, kept)) else ""


def _is_shown(character: str) -> bool:
    if character in _SHOWN_CONTROLS:
        return True
    return character not in _BLANK and unicodedata.category(character) not in _HIDDEN


def _is_seen(character: str) -> bool:
    """Whether a character can stand alone: no space, no joiner, no mark on another."""
    alone = unicodedata.category(character)[0] not in "MZ"
    return alone and character not in _SHOWN_CONTROLS and not character.isspace()


def person_of(user: User) -> Person:
    """A Telegram user; the name falls back to the user name, then to the id."""
    return Person(
        id=UserId(user.id),
        name=clean_name(user.full_name) or user.username or str(user.id),
        username=user.username,
        language=user.language_code,
    )


def author_of(message: Message) -> Person | None:
    """Who wrote a message, ``None`` when it was nobody who counts as a person here.

    An anonymous administrator writes in the name of the group: staff, whatever ``is_bot`` says.
    """
    user = message.from_user
    if user is None:
        return None
    if user.id == ANONYMOUS_ADMIN_ID:
        if message.sender_chat is None or message.sender_chat.id != message.chat.id:
            return None
        title = message.author_signature or message.chat.title or ""
        return Person(id=UserId(user.id), name=clean_name(title) or "Admin")
    return None if user.is_bot else person_of(user)
