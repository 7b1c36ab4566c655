"""Which bot a batch goes by: the topic's, the author of what it changes, or the main one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from actors.effects import RenameTopic
from actors.ids import UserId
from actors.ports import OutboxRow
from bot.delivery.batches import Batch
from bot.delivery.crew import Crew
from bot.delivery.helping import is_of_author


class Authors(Protocol):
    async def author(self, row: OutboxRow) -> UserId | None:
        """Who wrote the message that the row changes, as on record."""


def writer_of(crew: Crew, rows: Sequence[OutboxRow]) -> UserId | None:
    """Whose budget a lane will probably ask for next: a title lets messages pass."""
    row = next((row for row in rows if not isinstance(row.effect, RenameTopic)), rows[0])
    return crew.likely_author(row) if is_of_author(row) else crew.writer([row])


async def assigned(batch: Batch, crew: Crew, authors: Authors) -> Batch:
    """The batch with the bot that sends it.

    Raises:
        Transient: Nobody knows now who wrote the message that it changes.
    """
    if not crew.helpers:
        return batch
    head = batch.head
    if not is_of_author(head):
        return replace(batch, bot_id=crew.writer(batch.rows))
    assert head.address is not None, head
    author = await authors.author(head)
    able = None if crew.has_refused(head) else crew.able(author, head.address.chat_id)
    return replace(batch, bot_id=able, foreign=able is None and not crew.is_main(author))
