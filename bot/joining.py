"""Several waiting texts of one author as one message, in which each is seen to begin."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from aiogram.types import MessageEntity

from actors.effects import Copy
from actors.messages import Content, ContentKind, Json
from actors.places import PlaceKind
from actors.ports import OutboxRow
from bot.titles import cut, utf16_length

UNITS_MAX = 4096
"""Of a message, in UTF-16 units."""

ENTITIES_MAX = 100
"""Of a message; Telegram drops what is beyond."""

HEAD_UNITS_MAX = 200
"""For the author's line; names are shorter, so what is cut is no name."""

_STAMP = "%H:%M"
_AFTER_STAMP = " · "
_STAMP_UNITS = 5 + len(_AFTER_STAMP)


def may_join(row: OutboxRow) -> bool:
    """Whether a row is a text and nothing but a text: no reply, no origin, nothing unheard of."""
    effect = row.effect
    if not isinstance(effect, Copy) or effect.content.kind is not ContentKind.TEXT:
        return False
    content = effect.content
    plain = Content(
        chat_id=content.chat_id,
        message_id=content.message_id,
        kind=content.kind,
        text=content.text,
        entities=content.entities,
    )
    return bool(content.text) and effect == Copy(
        place=effect.place, content=plain, label=effect.label, receipt=effect.receipt
    )


def joinable(rows: Sequence[OutboxRow]) -> int:
    """How many rows, from the first on, fit into one message and have one author."""
    if not rows or not may_join(rows[0]):
        return 0
    author = _author_key(rows[0])
    units, entities = HEAD_UNITS_MAX + 1, 1
    for number, row in enumerate(rows):
        if not may_join(row) or _author_key(row) != author:
            return number
        assert isinstance(row.effect, Copy)
        content = row.effect.content
        units += _STAMP_UNITS + utf16_length(content.text) + 1
        entities += len(content.entities)
        if units > UNITS_MAX or entities > ENTITIES_MAX:
            return number
    return len(rows)


def _author_key(row: OutboxRow) -> object:
    """Rows of different tickets are never joined: each node sends its own tickets' rows.

    To the client all of the staff are one author, who has no name there.
    """
    assert isinstance(row.effect, Copy)
    effect = row.effect
    return row.ticket_id, row.lane, effect.label, effect.content.chat_id, row.uncertain


def joined(
    rows: Sequence[OutboxRow], label: str | None, zone: tzinfo | None
) -> tuple[str, list[MessageEntity]]:
    """One text of them all with its entities: the author once, then each with its time.

    ``label`` is the rows' label as rendered; ``zone`` ``None``: the program's own.
    """
    words, units = "", 0
    entities: list[MessageEntity] = []
    author = _author(rows[0], label)
    if author is not None:
        head = cut(author, HEAD_UNITS_MAX)
        units = utf16_length(head)
        entities.append(MessageEntity(type="bold", offset=0, length=units))
        words, units = f"{head}\n", units + 1
    for number, row in enumerate(rows):
        assert isinstance(row.effect, Copy)
        content = row.effect.content
        stamp = row.created_at.astimezone(zone).strftime(_STAMP)
        before = f"{'\n' if number else ''}{stamp}{_AFTER_STAMP}"
        units += utf16_length(before)
        entities += shifted(content.entities, units)
        units += utf16_length(content.text)
        words += before + content.text
    return words, entities


def _author(row: OutboxRow, label: str | None) -> str | None:
    assert isinstance(row.effect, Copy)
    if label is not None:
        return label
    return None if row.effect.place.kind is PlaceKind.CLIENT else f"{row.client.name}:"


def shifted(entities: Sequence[Mapping[str, Json]], units: int) -> list[MessageEntity]:
    """The entities moved behind a text of so many UTF-16 units."""
    moved = [MessageEntity.model_validate(dict(entity)) for entity in entities]
    return [entity.model_copy(update={"offset": entity.offset + units}) for entity in moved]
