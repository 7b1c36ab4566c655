"""What Telegram's refusals and the network's troubles mean for a row."""

from dataclasses import replace

import aiohttp
import pytest
from aiogram.exceptions import (
    ClientDecodeError,
    RestartingTelegram,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiohttp.client_reqrep import ConnectionKey

from actors.effects import (
    AnswerPress,
    CloseTopic,
    Edit,
    Effect,
    OpenTopic,
    React,
    RenameTopic,
    ReopenTopic,
    Say,
    Text,
)
from actors.ids import ChatId, MessageId, ThreadId, TicketId, UserId
from actors.messages import FailureReason, Person
from actors.places import CLIENT, MAIN, Place
from actors.ports import Address, OutboxRow, Refusal
from bot.failures import Verdict, classify
from tests.fakes.bot_api import METHOD, copy, server_error, timed_out, too_many
from tests.fakes.outbox import START

TEXT = Text(key="title-new")
OPEN = OpenTopic(place=MAIN, title=TEXT)
RENAME = RenameTopic(place=MAIN, title=TEXT)
CLOSE = CloseTopic(place=MAIN)
REOPEN = ReopenTopic(place=MAIN)
EDIT = Edit(place=CLIENT, tag="survey")
REACT = React(place=MAIN, message_id=MessageId(5), emoji="✍")
PRESS = AnswerPress(callback_id="c1")
SAY = Say(place=CLIENT, text=TEXT)
TO_CLIENT = copy(1, CLIENT)
TO_GROUP = copy(1, MAIN)

REACHED, PAUSE, RETRY = Verdict.REACHED, Verdict.PAUSE, Verdict.RETRY
UNCERTAIN, CLOSED, LOST = Verdict.UNCERTAIN, Verdict.CLOSED, Verdict.TOPIC_LOST

BLOCKED, CHAT_GONE = FailureReason.CLIENT_BLOCKED, FailureReason.CHAT_GONE
SOURCE_GONE, UNCOPYABLE = FailureReason.SOURCE_GONE, FailureReason.UNCOPYABLE
REFUSED = FailureReason.REFUSED


def row(effect: Effect) -> OutboxRow:
    place: Place | None = getattr(effect, "place", None)
    in_group = Address(chat_id=ChatId(-1001), thread_id=ThreadId(7))
    in_private = Address(chat_id=ChatId(501), thread_id=None)
    address = None if place is None else (in_private if place == CLIENT else in_group)
    return OutboxRow(
        id=1,
        ticket_id=TicketId(7),
        lane="lane",
        effect=effect,
        address=address,
        client=Person(id=UserId(501), name="Ivan"),
        attempts=0,
        uncertain=False,
        created_at=START,
    )


def test_a_client_with_a_number_that_nobody_has_holds_up_no_lane() -> None:
    nobody = row(SAY)
    address = Address(chat_id=ChatId(-1), thread_id=None)
    nobody = replace(nobody, address=address, client=Person(id=UserId(-1), name="x"))
    error = TelegramBadRequest(method=METHOD, message="chat not found")
    assert classify(error, nobody).reason is BLOCKED


@pytest.mark.parametrize(
    ("words", "effect", "expected"),
    [
        # the client
        ("Forbidden: bot was blocked by the user", TO_CLIENT, BLOCKED),
        ("Forbidden: user is deactivated", SAY, BLOCKED),
        ("Forbidden: bot can't initiate conversation with a user", SAY, BLOCKED),
        ("Bad Request: chat not found", TO_CLIENT, BLOCKED),
        # the topic
        ("Bad Request: message thread not found", TO_GROUP, LOST),
        ("Bad Request: TOPIC_DELETED", TO_GROUP, LOST),
        ("Bad Request: TOPIC_ID_INVALID", REOPEN, LOST),
        ("Bad Request: TOPIC_ID_INVALID", RENAME, REACHED),
        ("Bad Request: TOPIC_ID_INVALID", CLOSE, REACHED),
        ("Bad Request: TOPIC_NOT_MODIFIED", RENAME, REACHED),
        ("Bad Request: TOPIC_NOT_MODIFIED", CLOSE, REACHED),
        ("Bad Request: TOPIC_NOT_MODIFIED", REOPEN, REACHED),
        ("Bad Request: TOPIC_CLOSED", TO_GROUP, CLOSED),
        # the message
        ("Bad Request: message is not modified: specified new message …", EDIT, REACHED),
        ("Bad Request: message to edit not found", EDIT, REACHED),
        ("Bad Request: message can't be edited", EDIT, REACHED),
        ("Bad Request: message to copy not found", TO_CLIENT, SOURCE_GONE),
        ("Bad Request: MESSAGE_ID_INVALID", TO_CLIENT, SOURCE_GONE),
        ("Bad Request: MESSAGE_ID_INVALID", REACT, REACHED),
        ("Bad Request: REACTION_INVALID", REACT, REACHED),
        ("Bad Request: message to react not found", REACT, REACHED),
        ("Bad Request: message can't be copied", TO_CLIENT, UNCOPYABLE),
        ("Bad Request: message is too long", SAY, REFUSED),
        ("Bad Request: can't parse entities: unexpected end", TO_GROUP, REFUSED),
        # the press
        ("Bad Request: query is too old and response timeout expired", PRESS, REACHED),
        # the group
        ("Forbidden: bot was kicked from the supergroup chat", TO_GROUP, CLOSED),
        ("Forbidden: bot is not a member of the supergroup chat", TO_GROUP, CLOSED),
        ("Bad Request: chat not found", TO_GROUP, CLOSED),
        ("Bad Request: not enough rights to send text messages to the chat", TO_GROUP, CLOSED),
        ("Bad Request: not enough rights to create a topic", OPEN, CLOSED),
        ("Bad Request: the chat is not a forum", OPEN, CLOSED),
        ("Bad Request: not enough rights to manage topics", RENAME, CHAT_GONE),
        ("Bad Request: CHAT_ADMIN_REQUIRED", CLOSE, CHAT_GONE),
        ("Forbidden: bot was kicked from the supergroup chat", RENAME, CLOSED),
        # anything else is told to the ticket
        ("Bad Request: something new in the Bot API", TO_GROUP, REFUSED),
    ],
)
def test_a_refusal_means(words: str, effect: Effect, expected: Verdict | FailureReason) -> None:
    kind = TelegramForbiddenError if words.startswith("Forbidden") else TelegramBadRequest
    failure = classify(kind(METHOD, words), row(effect))
    if isinstance(expected, FailureReason):
        assert (failure.verdict, failure.reason) == (Verdict.FINAL, expected)
    else:
        assert failure.verdict is expected
    assert failure.detail == words


def _refused_connection() -> aiohttp.ClientConnectorError:
    key = ConnectionKey(
        "127.0.0.1", 1, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
    )
    return aiohttp.ClientConnectorError(key, ConnectionRefusedError("refused"))


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


NETWORK = "network trouble"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (too_many(17), PAUSE),
        (server_error(), RETRY),
        (TelegramServerError(METHOD, "Bad Gateway"), RETRY),
        (RestartingTelegram(METHOD, "restart"), RETRY),
        (ClientDecodeError("Failed to decode object", ValueError(), "<html>502</html>"), RETRY),
        (ClientDecodeError("unknown form", ValueError(), {"ok": True, "result": {}}), REACHED),
        (TelegramUnauthorizedError(METHOD, "Unauthorized"), CLOSED),
        (TelegramNotFound(METHOD, "Not Found"), CLOSED),
        (TelegramMigrateToChat(METHOD, "upgraded", -1002), CLOSED),
        (_caused(TelegramNetworkError(METHOD, NETWORK), _refused_connection()), RETRY),
        (timed_out(), UNCERTAIN),
        (
            _caused(TelegramNetworkError(METHOD, NETWORK), aiohttp.ServerDisconnectedError()),
            UNCERTAIN,
        ),
        (ConnectionResetError("reset"), UNCERTAIN),
        (TimeoutError(), UNCERTAIN),
        (TelegramEntityTooLarge(METHOD, "too large"), Verdict.FINAL),
        (KeyError("a bug of ours"), Verdict.FINAL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_a_trouble_means(error: Exception, verdict: Verdict) -> None:
    assert classify(error, row(TO_GROUP)).verdict is verdict


def test_a_pause_lasts_as_long_as_telegram_says() -> None:
    assert classify(too_many(17), row(TO_CLIENT)).wait_s == 17


def test_a_topic_whose_number_could_not_be_read_is_not_written_to() -> None:
    error = ClientDecodeError("unknown form", ValueError(), {"ok": True, "result": {}})
    assert classify(error, row(OPEN)).verdict is Verdict.CLOSED


@pytest.mark.parametrize(
    ("words", "effect", "refusal"),
    [
        ("Bad Request: TOPICS_TOO_MUCH", OPEN, Refusal.FULL),
        ("Bad Request: the chat is not a forum", OPEN, Refusal.SHUT),
        ("Forbidden: bot was kicked from the supergroup chat", OPEN, Refusal.SHUT),
        ("Bad Request: the chat is not a forum", TO_GROUP, None),
    ],
)
def test_a_group_that_makes_no_topic_says_whether_it_is_full(
    words: str, effect: Effect, refusal: Refusal | None
) -> None:
    error: Exception = TelegramBadRequest(METHOD, words)
    if words.startswith("Forbidden"):
        error = TelegramForbiddenError(METHOD, words)
    failure = classify(error, row(effect))
    assert (failure.verdict, failure.refusal) == (CLOSED, refusal)


def test_trouble_of_the_bot_itself_is_no_refusal_of_the_group() -> None:
    failure = classify(TelegramUnauthorizedError(METHOD, "Unauthorized"), row(OPEN))
    assert (failure.verdict, failure.refusal) == (CLOSED, None)
