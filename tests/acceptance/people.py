"""Ways of the tests of what people do beyond plain messages: who stands where, who sees what."""

from dataclasses import dataclass
from typing import Self

import pytest

from lab.telegram.client import Object
from tests.acceptance.desk import DEADLINE_S, Case, Helpdesk

BY_WEBHOOK = pytest.mark.by_webhook
"""How updates come makes no difference here; the ways in have tests of their own."""

POLLING_TOO = pytest.mark.polling_too
"""One test of each file shows that it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A ticket in work: Иван's chat, the main topic and alice's topic."""

    desk: Helpdesk
    case: Case

    @classmethod
    async def begins(cls, desk: Helpdesk) -> Self:
        case = await desk.opens(desk.ivan)
        await desk.assigns(case, "alice")
        return cls(desk=desk, case=case)

    @property
    def places(self) -> dict[str, tuple[int, int, int | None]]:
        """Who writes there, chat and thread, by the place's name."""
        desk, case = self.desk, self.case
        user, group = desk.technician("alice")
        return {
            "client": (desk.ivan, desk.ivan, None),
            "main": (desk.maria, desk.main, case.topic),
            "alice": (user, group, case.mirrors["alice"]),
        }

    async def writes(self, place: str, words: str = "", **more: object) -> Object:
        """The place's person writes; ends when everything has settled."""
        user, chat, thread = self.places[place]
        given = {} if thread is None else {"thread": thread}
        message = await self.desk.lab.send(user, chat, words, **given, **more)
        await self.desk.settles()
        return message

    async def edits(self, place: str, message: Object, words: str = "", **more: object) -> Object:
        user, chat, _ = self.places[place]
        edited = await self.desk.lab.edit(user, chat, message["message_id"], words, **more)
        await self.desk.settles()
        return edited

    async def last(self, place: str) -> Object:
        """The newest message of the bot in a place."""
        _, chat, thread = self.places[place]
        return (await self.desk.shown(chat, thread))[-1]

    async def all(self, place: str) -> list[Object]:
        _, chat, thread = self.places[place]
        return await self.desk.shown(chat, thread)

    async def now(self, message: Object) -> Object:
        """A message as it is now."""
        return await self.desk.message(message["chat_id"], message["message_id"])


OTHERS = {
    "client": ("main", "alice"),
    "main": ("client", "alice"),
    "alice": ("client", "main"),
}
"""Where a message is read that was written in a place."""

LABELS = {
    ("main", "alice"): "🛟 Мария:\n",
    ("alice", "main"): "👷 alice:\n",
}
"""What stands before the words where the reader could not tell who wrote."""

__all__ = ["BY_WEBHOOK", "DEADLINE_S", "LABELS", "OTHERS", "POLLING_TOO", "Talk"]
