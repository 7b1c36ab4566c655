"""What happened in a chaos run, as data: who said what, what each chat shows, what was broken.

All times are Unix times of this machine, in seconds. A ticket is named by its client's id, since
people know no other number.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

WORD: Final = re.compile(r"<([a-z]+-?\d+) (\d+)>")
"""What people write here: who, and the how-manieth of theirs in this ticket."""


def word(who: str, number: int) -> str:
    return f"<{who} {number}>"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A chat, or one topic of it. ``thread`` ``None`` in a group: whichever topic it is."""

    chat: int
    thread: int | None = None

    def holds(self, shown: "Shown") -> bool:
        return self.chat == shown.chat and self.thread in {None, shown.thread}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a person, and where the bot must bring it."""

    who: str
    number: int
    ticket: int
    at: float
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One message of the bot; ``words`` are those of people that it carries."""

    chat: int
    thread: int | None
    message_id: int
    at: float
    words: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody did to a ticket by a button: the topic in the main group must show it."""

    what: str
    """``assigned`` or ``closed``."""
    ticket: int
    chat: int
    thread: int | None


@dataclass(slots=True, kw_only=True)
class Broken:
    """One fault as it happened. ``healed_at`` is when the cause was gone, not its effects."""

    kind: str
    target: str
    detail: str = ""
    started_at: float
    healed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What Postgres holds at the end. All but ``tickets`` are counts of what must not be."""

    tickets: int = 0
    stale_commits: int = 0
    """Turns out of the inbox's order, or of the same message twice: a second writer's traces."""
    unhandled: int = 0
    unsent: int = 0
    undeliverable: int = 0
    dead_letters: int = 0
    quarantined: int = 0


@dataclass(slots=True, kw_only=True)
class History:
    """Everything the checker needs. Grows during the run."""

    said: list[Said] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    undone: list[Deed] = field(default_factory=list)
    pages_read: int = 0
    """How often a status page was compared with the database."""
    pages_wrong: list[str] = field(default_factory=list)
    """What it said that the database did not."""
    """Those that the topics did not show at the end."""
    broken: list[Broken] = field(default_factory=list)
    resent: Counter[int] = field(default_factory=Counter)
    """Calls that the program itself called possibly repeated, by ticket."""
    ledger: Ledger = field(default_factory=Ledger)


def shown_in(message: dict[str, Any]) -> Shown | None:
    """A message of the local Telegram as the checker sees it; ``None`` if it carries no words."""
    if not message["from"]["is_bot"]:
        return None
    words = tuple(_words(message["text"] or ""))
    if not words:
        return None
    return Shown(
        chat=message["chat_id"],
        thread=message["thread_id"],
        message_id=message["message_id"],
        at=message["at"],
        words=words,
    )


def _words(text: str) -> Iterator[tuple[str, int]]:
    for match in WORD.finditer(text):
        yield match[1], int(match[2])
