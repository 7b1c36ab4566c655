"""What a failed call means: pure, from aiogram's exceptions.

Nothing that somebody wrote may end as a guess: what is "needless" is so for bookkeeping only
(titles, edits, reactions), and a group that refuses keeps its messages until it is mended.
"""

from dataclasses import dataclass
from enum import StrEnum

import aiohttp
from aiogram.exceptions import (
    ClientDecodeError,
    RestartingTelegram,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)

from actors.effects import (
    AnswerPress,
    CloseTopic,
    Copy,
    Delete,
    Edit,
    EditCopy,
    OpenTopic,
    React,
    RenameTopic,
    ReopenTopic,
)
from actors.ids import ChatId
from actors.messages import FailureReason
from actors.ports import OutboxRow, Refusal


class Verdict(StrEnum):
    """What to do with the row."""

    REACHED = "reached"
    """What it wanted is so already, or is no longer possible and no loss."""
    PAUSE = "pause"
    """Telegram asked for a pause (429)."""
    RETRY = "retry"
    """It surely did not arrive; try again soon."""
    UNCERTAIN = "uncertain"
    """It may have arrived; try once more, and count it."""
    CLOSED = "closed"
    """The group does not let the bot in; hold the lane until somebody mends it."""
    TOPIC_LOST = "topic_lost"
    """The topic was deleted; make it anew."""
    FINAL = "final"
    """Refused for good; tell the ticket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A verdict with Telegram's words; ``wait_s`` for a pause, ``reason`` for what is final.

    ``refusal`` is why a group let no topic be made in it.
    """

    verdict: Verdict
    detail: str
    wait_s: float = 0.0
    reason: FailureReason = FailureReason.REFUSED
    refusal: Refusal | None = None


_TOPIC_GONE = (
    "message thread not found",
    "topic_deleted",
    "topic_id_invalid",
    "thread not found",
)
_NOTHING_TO_DO = (
    "message is not modified",
    "topic_not_modified",
    "message to edit not found",
    "message to delete not found",
    "message can't be edited",
    "message_id_invalid",
    "query is too old",
    "reaction_invalid",
)
_BOOKKEEPING = (RenameTopic, CloseTopic, ReopenTopic, Edit, EditCopy, React, Delete)
"""Effects that say nothing new by themselves."""

_RIGHTS = ("not enough rights", "have no rights", "need administrator rights", "admin_required")
"""The bot is in the group, but may not do this."""

_SOURCE_GONE = ("message to copy not found", "message to forward not found", "message_id_invalid")
_UNCOPYABLE = ("can't be copied", "can't be forwarded", "wrong type of the message")
_CLIENT_GONE = (
    "bot was blocked by the user",
    "user is deactivated",
    "bot can't initiate conversation",
    "chat not found",
    "peer_id_invalid",
    "bot can't send messages to bots",
)
_FULL = ("topics_too_much", "too many topics", "topics limit")
"""Of an opening: the group has as many topics as it may. The words are in no documentation."""
_CLOSED = (
    *_RIGHTS,
    "bot was kicked",
    "bot is not a member",
    "chat not found",
    "chat_write_forbidden",
    "the group has been migrated",
    "group chat was upgraded",
    "group chat was deactivated",
    "topic_closed",
    "chat is not a forum",
    "the chat is not a forum",
    "channel_private",
)


def classify(error: Exception, row: OutboxRow) -> Failure:
    """The verdict on a call that raised. Errors that are ours (bugs) are final, not endless."""
    detail = getattr(error, "message", None) or str(error) or type(error).__name__
    match error:
        case TelegramRetryAfter(retry_after=seconds):
            return Failure(verdict=Verdict.PAUSE, detail=detail, wait_s=float(seconds))
        case TelegramMigrateToChat() | TelegramUnauthorizedError() | TelegramNotFound():
            # 401 and 404 are about the token or the server's address, not about the message.
            return Failure(verdict=Verdict.CLOSED, detail=detail)
        case ClientDecodeError(data={"ok": True}):
            return _misread(row)
        case RestartingTelegram() | TelegramServerError() | ClientDecodeError():
            return Failure(verdict=Verdict.RETRY, detail=detail)
        case TelegramEntityTooLarge():  # before its base class: it is no trouble of the network
            return Failure(verdict=Verdict.FINAL, detail=detail)
        case TelegramNetworkError():
            return _network(error, detail)
        case TelegramConflictError():
            return Failure(verdict=Verdict.RETRY, detail=detail)
        case TelegramBadRequest() | TelegramForbiddenError():
            return _refused(detail, row)
        case TelegramAPIError():
            return Failure(verdict=Verdict.RETRY, detail=detail)
        case TimeoutError() | OSError() | aiohttp.ClientError():
            return _network(error, detail)
        case _:
            return Failure(verdict=Verdict.FINAL, detail=f"{type(error).__name__}: {detail}")


def _misread(row: OutboxRow) -> Failure:
    """It was done, but the answer has a form that aiogram does not know: never do it again.

    Only a topic cannot be written to without its number.
    """
    verdict = Verdict.CLOSED if isinstance(row.effect, OpenTopic) else Verdict.REACHED
    return Failure(verdict=verdict, detail="the answer could not be read")


def _network(error: Exception, detail: str) -> Failure:
    """Only a connection that was never made tells that nothing arrived."""
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    refused = any(
        isinstance(cause, ConnectionRefusedError | aiohttp.ClientConnectorError) for cause in causes
    )
    verdict = Verdict.RETRY if refused else Verdict.UNCERTAIN
    return Failure(verdict=verdict, detail=detail)


def may_be_the_source(failure: Failure, row: OutboxRow) -> bool:
    """Whether the closed chat may be the one to copy from: Telegram says the same of both."""
    closed = failure.verdict is Verdict.CLOSED and isinstance(row.effect, Copy)
    return closed and "chat not found" in failure.detail.lower()


def _refused(detail: str, row: OutboxRow) -> Failure:
    words = detail.lower()
    # Numbers of people are positive; whatever a client's number is, nobody mends that chat.
    in_private = row.address is not None and (
        row.address.chat_id > 0 or row.address.chat_id == ChatId(row.client.id)
    )

    def says(texts: tuple[str, ...]) -> bool:
        return any(text in words for text in texts)

    bookkeeping = isinstance(row.effect, _BOOKKEEPING)
    if isinstance(row.effect, AnswerPress) or (bookkeeping and says(_NOTHING_TO_DO)):
        return Failure(verdict=Verdict.REACHED, detail=detail)
    if says(_TOPIC_GONE):
        # A title, a closing or a reaction is no reason to make a topic anew.
        vain = bookkeeping and not isinstance(row.effect, ReopenTopic)
        return Failure(verdict=Verdict.REACHED if vain else Verdict.TOPIC_LOST, detail=detail)
    if isinstance(row.effect, Copy) and says(_SOURCE_GONE):
        return _final(FailureReason.SOURCE_GONE, detail)
    if isinstance(row.effect, Copy) and says(_UNCOPYABLE):
        return _final(FailureReason.UNCOPYABLE, detail)
    if in_private and says(_CLIENT_GONE):
        return _final(FailureReason.CLIENT_BLOCKED, detail)
    if bookkeeping and says(_RIGHTS):
        # The staff are told, but messages must not wait behind a title that may not be changed.
        return _final(FailureReason.CHAT_GONE, detail)
    opening = isinstance(row.effect, OpenTopic)
    if opening and says(_FULL):
        return Failure(verdict=Verdict.CLOSED, detail=detail, refusal=Refusal.FULL)
    if not in_private and says(_CLOSED):
        refusal = Refusal.SHUT if opening else None
        return Failure(verdict=Verdict.CLOSED, detail=detail, refusal=refusal)
    if isinstance(row.effect, React):
        return Failure(verdict=Verdict.REACHED, detail=detail)
    return _final(FailureReason.REFUSED, detail)


def _final(reason: FailureReason, detail: str) -> Failure:
    return Failure(verdict=Verdict.FINAL, reason=reason, detail=detail)
