"""The way in: bytes → a validated update → its meaning → the inbox, committed, then answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import anyio
import orjson
import structlog
from aiogram.types import Update
from anyio.abc import TaskStatus
from pydantic import ValidationError

from actors.books import MessageBook, TopicAddress, TopicBook
from actors.effects import Text
from actors.errors import Transient
from actors.ids import TicketId, UserId
from actors.messages import Technician
from actors.ports import Inbox, Incoming, Mailroom, Route, Stored, ToDesk
from bot.grouped import Grouped
from bot.marks import message_of
from bot.meaning import Accept, Desk, Ignored, Lookups, Refused, Translation
from bot.roster import Roster
from bot.texts import Texts
from bot.translate import ticket_of_button, topic_of, translate

log = structlog.get_logger(__name__)

UPDATE_ID_MAX = 2**63 - 1

NUMBER_MAX = 2**63 - 1
"""Of a bigint."""


class MalformedUpdate(ValueError):
    """Not an update at all: no JSON object with a number of its own."""


class PressAnswers(Protocol):
    """Answers a button press outside of any ticket; failures are its own business."""

    async def answer(self, callback_id: str, text: str, *, alert: bool = False) -> None: ...


class PressLocks(Protocol):
    """Keeps a double click from being handled twice at once. Never needed for correctness."""

    async def acquire(self, user_id: int, data: str, callback_id: str) -> bool:
        """Whether this press may go on; false while the same one is in work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeOptions:
    """How updates are gathered into commits."""

    batch_max: int = 64
    """Updates in one transaction: more only adds latency."""

    queue_max: int = 1000
    """Updates that may wait for a commit; more are asked to come again (503)."""

    writers: int = 2
    """Transactions at once: a further one when the first takes long, or enough waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeStats:
    """Counts since the start; ``last_at`` and ``lag_s`` of the last update, if there was one."""

    stored: int
    duplicates: int
    ignored: int
    refused: int
    unreadable: int
    last_at: datetime | None = None
    lag_s: float | None = None
    """Between Telegram's date on it, which is in whole seconds, and its arrival here."""


def untraced() -> None:
    """No trace begins with an update."""


class Intake:
    """Takes updates from the webhook or the poller and returns once they are durable."""

    def __init__(
        self,
        *,
        desk: Desk,
        inbox: Inbox,
        topics: TopicBook,
        messages: MessageBook,
        roster: Roster,
        mailroom: Mailroom,
        presses: PressAnswers,
        locks: PressLocks,
        texts: Texts,
        desk_hint: Callable[[], None],
        trace: Callable[[], str | None] = untraced,
        options: IntakeOptions | None = None,
    ) -> None:
        self._desk = desk
        self._inbox = inbox
        self._topics = topics
        self._messages = messages
        self._roster = roster
        self._mailroom = mailroom
        self._presses = presses
        self._locks = locks
        self._texts = texts
        self._desk_hint = desk_hint
        self._trace = trace
        self._options = options or IntakeOptions()
        self._waiting = 0
        self._storing: Grouped[Incoming] = Grouped(self._store, self._options.batch_max)
        self._counts = dict.fromkeys(("stored", "duplicates", "ignored", "refused", "bad"), 0)
        self._last_at: datetime | None = None
        self._lag_s: float | None = None

    def stats(self) -> IntakeStats:
        counts = self._counts
        return IntakeStats(
            stored=counts["stored"],
            duplicates=counts["duplicates"],
            ignored=counts["ignored"],
            refused=counts["refused"],
            unreadable=counts["bad"],
            last_at=self._last_at,
            lag_s=self._lag_s,
        )

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Writes what is waiting, in groups, until cancelled; each group's senders are told."""
        try:
            async with anyio.create_task_group() as group:
                for _ in range(self._options.writers):
                    group.start_soon(self._storing.run, name="intake writer")
                task_status.started()
        finally:
            self._storing.close()

    async def accept(self, body: bytes) -> None:
        """One update as the webhook got it. Returning means that it is stored or needs no storing.

        Raises:
            MalformedUpdate: It is no update.
            Transient: It could not be stored now; the sender must come again.
        """
        incoming = await self._understand(parse(body))
        if not incoming:
            return
        if self._waiting >= self._options.queue_max:
            raise Transient("too many updates are waiting", retry_after_s=1)
        self._waiting += 1
        try:
            for each in incoming:
                await self._storing(each)
        finally:
            self._waiting -= 1

    async def accept_many(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """Updates as ``getUpdates`` gave them, stored in their order, in one transaction if it can.

        Raises:
            Transient: None is known to be stored; the offset must not be confirmed.
        """
        understood = [await self._understand(_checked(update)) for update in updates]
        incoming = [each for all_of_it in understood for each in all_of_it]
        if incoming:
            await self._store(incoming)

    # --- understanding ----------------------------------------------------------------------

    async def _understand(self, raw: dict[str, Any]) -> list[Incoming]:
        """What is to be stored of an update, in its order; mostly one message, or none."""
        self._came(raw)
        update_id = raw["update_id"]
        with structlog.contextvars.bound_contextvars(update_id=update_id):
            translation = await self._translate(raw)
            match translation:
                case Ignored():
                    self._counts["ignored"] += 1
                    log.debug("update_ignored", why=str(translation))
                    return []
                case Refused():
                    self._counts["refused"] += 1
                    log.warning("press_refused", why=translation.why)
                    await self._answer(translation)
                    return []
                case _:
                    if not await self._may_press(raw):
                        return []
                    found = [self._incoming(raw, translation.route, translation.message)]
                    if translation.also is not None:
                        found.append(self._incoming(raw, *translation.also, part=":also"))
                    return found

    def _came(self, raw: Mapping[str, Any]) -> None:
        """Notes how late it is; a button press carries no date of its own."""
        now = self._last_at = datetime.now(UTC)
        parts = [part for part in raw.values() if isinstance(part, dict)]
        dates = [part.get("edit_date", part.get("date")) for part in parts]
        found = [date for date in dates if isinstance(date, int)]
        if found:
            self._lag_s = max(0.0, now.timestamp() - max(found))

    async def _translate(self, raw: dict[str, Any]) -> Translation:
        """The update's meaning; what cannot be read goes to the desk, which keeps it with why."""
        try:
            _check_numbers(raw)
            update = Update.model_validate(raw)
        except (ValidationError, ValueError, TypeError) as error:
            self._counts["bad"] += 1
            log.warning("update_unreadable", error=type(error).__name__)
            return Accept(route=ToDesk(), message=None)
        topic = topic_of(update)
        ticket = ticket_of_button(update)
        message = message_of(update)
        found = None if topic is None else await self._topics.find_topic(*topic)
        known = Lookups(
            topic=found,
            client_of_ticket=None if ticket is None else await self._topics.client_of(ticket),
            technicians={} if ticket is None else await self._technicians(),
            message=None if message is None else await self._messages.find(*message),
            latest_ticket=await self._latest(update, found),
        )
        return translate(update, raw, self._desk, known)

    async def _latest(self, update: Update, topic: TopicAddress | None) -> TicketId | None:
        """The newest ticket of the client who left or whose topic was opened again."""
        change, message = update.my_chat_member, update.message
        if change is not None and change.chat.type == "private":
            return await self._topics.ticket_of(UserId(change.chat.id))
        if topic is None or message is None or message.forum_topic_reopened is None:
            return None
        return await self._topics.latest_ticket(topic.ticket_id)

    async def _technicians(self) -> dict[int, Technician]:
        return {technician.id: technician for technician in await self._roster.active()}

    async def _may_press(self, raw: dict[str, Any]) -> bool:
        """Whether a press is the first of its kind in work; the others are told so."""
        query = raw.get("callback_query")
        person = query.get("from") if isinstance(query, dict) else None
        if not isinstance(query, dict) or not isinstance(person, dict) or "id" not in person:
            return True  # no press, or none that could be read: the desk keeps it
        callback_id = str(query.get("id"))
        if await self._locks.acquire(person["id"], str(query.get("data")), callback_id):
            return True
        spoken = person.get("language_code")
        language = spoken if isinstance(spoken, str) else None
        text = self._texts.render(Text(key="press-in-work"), language)
        await self._presses.answer(callback_id, text)
        return False

    async def _answer(self, refused: Refused) -> None:
        text = self._texts.render(refused.text, refused.language)
        await self._presses.answer(refused.callback_id, text, alert=True)

    def _incoming(
        self, raw: dict[str, Any], route: Route, message: Any, *, part: str = ""
    ) -> Incoming:
        key = f"tg:{self._desk.bot_id}:{raw['update_id']}{part}"
        return Incoming(key=key, route=route, message=message, raw=raw, trace=self._trace())

    # --- storing ----------------------------------------------------------------------------

    async def _store(self, group: Sequence[Incoming]) -> None:
        """One transaction; if that is refused, one for each, so that only the bad one suffers."""
        try:
            self._stored(await self._inbox.put(group))
        except Transient:
            raise
        except Exception:  # noqa: BLE001 — met again and logged by the one at fault
            for each in group:
                await self._store_alone(each)

    async def _store_alone(self, incoming: Incoming) -> None:
        """Stores one; what is refused again is left to the desk.

        It would come again for ever and hold up all behind it. The desk gets it in a wrapping that
        it cannot read, so that it ends as a dead letter.
        """
        try:
            self._stored(await self._inbox.put([incoming]))
        except Transient:
            raise
        except Exception as error:
            self._counts["bad"] += 1
            log.exception("update_not_storable", key=incoming.key)
            update = dict(incoming.raw or {})
            kept = Incoming(
                key=incoming.key,
                route=ToDesk(),
                message=None,
                raw={"refused": type(error).__name__, "update": update},
            )
            self._stored(await self._inbox.put([kept]))

    def _stored(self, stored: Sequence[Stored]) -> None:
        """After the commit: hints for what is new."""
        fresh = [each for each in stored if not each.duplicate]
        self._counts["stored"] += len(fresh)
        self._counts["duplicates"] += len(stored) - len(fresh)
        self._mailroom.offer([each.envelope for each in fresh if each.envelope is not None])
        if any(each.envelope is None for each in fresh):
            self._desk_hint()


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of an update.

    Raises:
        MalformedUpdate: It is none.
    """
    try:
        return _checked(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise MalformedUpdate("the body is not JSON") from error


def _checked(update: Any) -> dict[str, Any]:
    if not isinstance(update, dict):
        raise MalformedUpdate("an update is a JSON object")
    update_id = update.get("update_id")
    if not isinstance(update_id, int) or isinstance(update_id, bool):
        raise MalformedUpdate("update_id must be a whole number")
    if not 0 <= update_id <= UPDATE_ID_MAX:
        raise MalformedUpdate("update_id is out of range")
    return {str(name): value for name, value in update.items()}


def _check_numbers(update: Mapping[str, Any]) -> None:
    """Telegram's own numbers have 52 bits at most; what has more than 64 has no column anywhere.

    Raises:
        ValueError: One is too large.
    """
    left: list[Any] = [update]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)
        elif isinstance(value, int) and not -NUMBER_MAX <= value <= NUMBER_MAX:
            raise ValueError("a number is out of range")
