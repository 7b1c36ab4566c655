"""Reads what every chat shows into the history, a little at a time."""

from collections.abc import Callable, Sequence
from typing import Final

import anyio

from lab.chaos.history import History, shown_in
from lab.telegram.client import LabClient, LabError
from lab.telegram.scene import ALICE_GROUP_ID, BOB_GROUP_ID, MAIN_GROUP_ID

LOOK_S: Final = 1.0
"""Between two rounds; each asks for every chat once."""

GROUPS: Final = (MAIN_GROUP_ID, ALICE_GROUP_ID, BOB_GROUP_ID)


class Watch:
    """Messages are read once, each chat from where the last round ended."""

    def __init__(
        self, lab: LabClient, history: History, client_ids: Callable[[], Sequence[int]]
    ) -> None:
        self._lab = lab
        self._history = history
        self._client_ids = client_ids
        self._read: dict[int, int] = {}

    async def run(self) -> None:
        """Looks for ever."""
        while True:
            await self.look()
            await anyio.sleep(LOOK_S)

    async def look(self) -> None:
        """One round over all chats, each to its end."""
        for chat in (*GROUPS, *self._client_ids()):
            await self._read_chat(chat)

    async def _read_chat(self, chat: int) -> None:
        while True:
            try:
                fresh = await self._lab.messages(chat, after=self._read.get(chat, 0))
            except LabError:
                return  # a client whose chat nobody has written in yet
            if not fresh:
                return
            # Marked and recorded without a pause between: a cancelled round may be repeated.
            self._read[chat] = max(message["message_id"] for message in fresh)
            self._history.shown += filter(None, map(shown_in, fresh))
