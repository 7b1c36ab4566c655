"""The bots that write: the main one, and helpers that share the load of texts in groups.

Each bot has budgets of its own. A topic stays with the bot that wrote its first text: only the
author can edit a message, and people see one name. A helper that cannot write is left out, and what
waits for it goes by the main bot.
"""

from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio
import structlog
from aiogram.methods import TelegramMethod

from actors.ids import ChatId, UserId
from actors.ports import OutboxRow, Sent, Settlement
from bot.delivery.helping import Trouble, may_help
from bot.delivery.pace import Pacing

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A bot with its calls and its budgets."""

    bot_id: UserId
    call: Callable[[TelegramMethod[Any]], Awaitable[Any]]
    pace: Pacing


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewOptions:
    """Times in seconds."""

    given_s: float = 60.0
    """For so long a topic counts as a call that its bot will make, beside those it has made."""
    limited_min_s: float = 5.0
    """A helper that is to wait this long or longer is left out meanwhile; a shorter one waits."""
    topics_max: int = 10_000
    """Topics remembered; of others the database knows who writes them."""
    refused_max: int = 1_000
    """Rows that a helper could not send and the main bot is to try; they go out soon."""


type Post = tuple[UserId, ChatId | None]
"""A helper in a group; ``None``: wherever it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Absence:
    trouble: Trouble
    until: float = float("inf")


@dataclass(slots=True)
class _Keeper:
    """The bot that a topic stays with, and whether the database knows it."""

    bot_id: UserId
    is_on_record: bool


class Crew:
    """Which bot writes what. In memory, for one node; ``main`` writes whatever no helper can."""

    def __init__(
        self,
        main: Sender,
        helpers: Sequence[Sender],
        clock: Callable[[], float],
        options: CrewOptions | None = None,
    ) -> None:
        self.main = main
        self.helpers: Mapping[UserId, Sender] = {helper.bot_id: helper for helper in helpers}
        self._clock = clock
        self._options = options or CrewOptions()
        self._kept: OrderedDict[str, _Keeper] = OrderedDict()
        self._given: dict[tuple[UserId, ChatId], deque[float]] = {}
        self._absent: dict[Post, _Absence] = {}
        self._refused: OrderedDict[int, None] = OrderedDict()
        self._changed = anyio.Event()

    @property
    def paces(self) -> list[Pacing]:
        """The budgets of all bots."""
        return [sender.pace for sender in (self.main, *self.helpers.values())]

    # --- who writes -------------------------------------------------------------------------

    def sender(self, bot_id: UserId | None) -> Sender:
        """The bot of that id; the main one for ``None``."""
        return self.main if bot_id is None else self.helpers[bot_id]

    def writer(self, rows: Sequence[OutboxRow]) -> UserId | None:
        """The helper that writes these rows together, ``None``: the main bot does."""
        if not self.helpers or not all(map(self._may_help, rows)):
            return None
        row = rows[0]
        assert row.address is not None, row
        return self.able(self._keeper(row), row.address.chat_id)

    def likely_author(self, row: OutboxRow) -> UserId | None:
        """Who has probably written what the row changes, without asking anybody."""
        kept = self._kept.get(row.lane)
        assert row.address is not None, row
        return self.able(row.bot_id if kept is None else kept.bot_id, row.address.chat_id)

    def able(self, bot_id: UserId | None, chat_id: ChatId) -> UserId | None:
        """The helper itself while it can write there, else ``None``."""
        if bot_id not in self.helpers or bot_id is None:
            return None
        return bot_id if self.trouble(bot_id, chat_id) is None else None

    def has_help(self, chat_id: ChatId) -> bool:
        """Whether any helper can write there."""
        return any(self.trouble(bot_id, chat_id) is None for bot_id in self.helpers)

    def left(self, chat_id: ChatId) -> float:
        """Calls that the bots which can write there may make now, all together."""
        able = (h for h in self.helpers.values() if self.trouble(h.bot_id, chat_id) is None)
        return sum(max(0.0, sender.pace.left(chat_id)) for sender in (self.main, *able))

    def is_main(self, bot_id: UserId | None) -> bool:
        """Whether a message of that author, as on record, is the main bot's."""
        return bot_id is None or bot_id == self.main.bot_id

    def author(self, bot_id: UserId | None) -> UserId | None:
        """The sender's own id, where several bots could have sent."""
        return self.sender(bot_id).bot_id if self.helpers else None

    def signed(self, settlement: Settlement, bot_id: UserId | None) -> Settlement:
        """The outcome with who wrote it, where several bots could have."""
        if not self.helpers or not isinstance(settlement, Sent):
            return settlement
        row, author = settlement.row, self.author(bot_id)
        kept = self._kept.get(row.lane)
        if kept is None or kept.is_on_record or kept.bot_id != author or not may_help(row):
            return replace(settlement, bot_id=author)
        kept.is_on_record = True
        return replace(settlement, bot_id=author, sticks=True)

    def _may_help(self, row: OutboxRow) -> bool:
        return not self.has_refused(row) and may_help(row)

    def _keeper(self, row: OutboxRow) -> UserId:
        """The bot that the row's topic stays with; chosen now if there is none yet."""
        assert row.address is not None, row
        kept = self._kept.get(row.lane)
        if kept is None:
            known = row.bot_id
            if known is not None and (known == self.main.bot_id or known in self.helpers):
                kept = _Keeper(known, is_on_record=True)
            else:
                kept = _Keeper(self._choose(row.address.chat_id), is_on_record=False)
            self._kept[row.lane] = kept
            if len(self._kept) > self._options.topics_max:
                self._kept.popitem(last=False)
        self._kept.move_to_end(row.lane)
        return kept.bot_id

    def _choose(self, chat_id: ChatId) -> UserId:
        """The bot with most left for the group, what it has promised to other topics taken off.

        The main bot last among equals: media, cards and topics themselves are its work, too.
        """
        now = self._clock()
        able = [h for h in self.helpers.values() if self.trouble(h.bot_id, chat_id) is None]

        def left(sender: Sender) -> float:
            given = self._given.setdefault((sender.bot_id, chat_id), deque())
            while given and given[0] + self._options.given_s <= now:
                given.popleft()
            return sender.pace.left(chat_id) - len(given)

        chosen = max([*able, self.main], key=left)
        self._given[chosen.bot_id, chat_id].append(now)
        return chosen.bot_id

    # --- who is left out --------------------------------------------------------------------

    def has_refused(self, row: OutboxRow) -> bool:
        """Whether a helper has failed with this row."""
        return row.id in self._refused

    def refuse(self, rows: Sequence[OutboxRow]) -> None:
        """A helper could not send these; the main bot tries."""
        self._refused.update(dict.fromkeys(row.id for row in rows))
        while len(self._refused) > self._options.refused_max:
            self._refused.popitem(last=False)

    def limited(self, bot_id: UserId, chat_id: ChatId, seconds: float) -> bool:
        """Telegram asks a helper to wait; says whether it is left out for that long."""
        if seconds < self._options.limited_min_s:
            return False
        if self.trouble(bot_id, chat_id) is None:
            until = self._clock() + seconds
            self._absent[bot_id, chat_id] = _Absence(trouble=Trouble.LIMITED, until=until)
        return True

    def note(self, bot_id: UserId, chat_id: ChatId | None, trouble: Trouble | None) -> None:
        """Somebody looked, or a call failed: what is wrong with a helper, ``None`` if nothing."""
        known = self._absent.get((bot_id, chat_id))
        if known is not None and known.trouble is Trouble.LIMITED and trouble is None:
            return  # it ends by its time
        if (None if known is None else known.trouble) == trouble:
            return
        if trouble is None:
            del self._absent[bot_id, chat_id]
            log.info("helper_well", bot=bot_id, chat=chat_id)
        else:
            self._absent[bot_id, chat_id] = _Absence(trouble=trouble)
            log.warning("helper_left_out", bot=bot_id, chat=chat_id, trouble=str(trouble))
        self._changed.set()
        self._changed = anyio.Event()

    def trouble(self, bot_id: UserId, chat_id: ChatId) -> Trouble | None:
        """What keeps a helper out of a group now."""
        posts: tuple[Post, Post] = (bot_id, None), (bot_id, chat_id)
        for post in posts:
            absence = self._absent.get(post)
            if absence is not None and absence.until > self._clock():
                return absence.trouble
        return None

    def troubles(self) -> Mapping[Post, Trouble]:
        """What somebody has to mend."""
        absences = self._absent.items()
        return {p: a.trouble for p, a in absences if a.trouble is not Trouble.LIMITED}

    async def changed(self) -> None:
        """Returns when :meth:`troubles` has changed."""
        await self._changed.wait()
