"""What one call takes of a lane: a row, texts joined, an album, or a title that is needless."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.effects import CloseTopic, Copy, OpenTopic, React, RenameTopic, ReopenTopic
from actors.ids import UserId
from actors.ports import OutboxRow
from bot.joining import joinable

ALBUM_MAX = 10
"""Messages of one album, by Telegram's rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows that go out in one call, in their order. ``needless``: a newer row makes it pointless.

    ``may_grow``: rows that have not been read may belong to it. ``bot_id`` is the helper that
    sends it, ``None`` the main bot; ``foreign``: who could change that message is not to be had.
    """

    rows: tuple[OutboxRow, ...]
    needless: bool = False
    may_grow: bool = False
    bot_id: UserId | None = None
    foreign: bool = False

    @property
    def head(self) -> OutboxRow:
        return self.rows[0]

    @property
    def is_album(self) -> bool:
        return album_of(self.head) is not None

    @property
    def is_title(self) -> bool:
        return isinstance(self.head.effect, RenameTopic)

    @property
    def is_joined(self) -> bool:
        return len(self.rows) > 1 and not self.is_album

    @property
    def cost(self) -> int:
        """Of the chat's budget: an album counts by its parts, a reaction not at all."""
        if isinstance(self.head.effect, React):
            return 0
        return len(self.rows) if self.is_album else 1


def choose(rows: Sequence[OutboxRow], *, join: bool, alone: bool = False) -> Batch:
    """What goes out next of a lane's rows, as read. ``join``: waiting texts go together.

    All in order, except that a title lets messages pass: it is decoration.
    """
    first = rows[0]
    if isinstance(first.effect, RenameTopic):
        if any(isinstance(row.effect, RenameTopic) for row in rows[1:]):
            return Batch(rows=(first,), needless=True)
        if len(rows) == 1 or isinstance(rows[1].effect, _BARRIERS):
            return Batch(rows=(first,), may_grow=len(rows) == 1)
    waiting = _until_barrier(rows)
    if not waiting:
        return Batch(rows=(first,))
    if alone:
        return Batch(rows=(waiting[0],))
    album = album_of(waiting[0])
    if album is not None:
        parts = _album(waiting)
        return Batch(rows=parts, may_grow=len(parts) == len(waiting))
    count = joinable(waiting) if join else 0
    return Batch(rows=tuple(waiting[: max(1, count)]), may_grow=0 < count == len(waiting))


_BARRIERS = (OpenTopic, CloseTopic, ReopenTopic)
"""What no title is overtaken by: they change the topic itself."""


def _until_barrier(rows: Sequence[OutboxRow]) -> list[OutboxRow]:
    """The messages before the topic itself changes, titles left out."""
    found: list[OutboxRow] = []
    for row in rows:
        if isinstance(row.effect, _BARRIERS):
            break
        if not isinstance(row.effect, RenameTopic):
            found.append(row)
    return found


def album_of(row: OutboxRow) -> object:
    """Names the album that a row is a part of, ``None`` for a message of its own.

    With a label no album is one call: only a single message can carry it.
    """
    effect = row.effect
    if not isinstance(effect, Copy) or effect.content.album is None:
        return None
    content = effect.content
    return row.ticket_id, row.lane, content.chat_id, content.album, row.uncertain


def _album(rows: Sequence[OutboxRow]) -> tuple[OutboxRow, ...]:
    """The album that begins here: ``copyMessages`` wants its ids strictly increasing."""
    name = album_of(rows[0])
    parts = [rows[0]]
    for row in rows[1:ALBUM_MAX]:
        if album_of(row) != name or _source(row) <= _source(parts[-1]):
            break
        parts.append(row)
    return tuple(parts)


def _source(row: OutboxRow) -> int:
    assert isinstance(row.effect, Copy)
    return row.effect.content.message_id
