"""The Bot API client: aiogram's, with a bound on time and connections, and counted.

Aiogram's own session is kept: measured on one core against a server with canned answers, it makes
3,500–4,600 ``copyMessage`` calls a second (a bare aiohttp call with orjson 8,300–8,700), and all of
delivery with it about 3,000, without the database. Telegram allows some 30.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiogram import Bot
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import TelegramMethod

from bot.session import Session

LATENCY_WEIGHT = 0.1
"""Of the newest call in the moving average: the last twenty or so count."""

AWAY = (TelegramNetworkError, TelegramServerError)
"""What aiogram makes of a Telegram that does not answer, or answers with 5xx."""

OFFICIAL_URL = "https://api.telegram.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Where the Bot API is and how long a call may take, in seconds."""

    url: str = OFFICIAL_URL
    timeout_s: float = 30.0
    """Telegram answers within a second or is in trouble; media are copied by it, not by us."""
    connections: int = 100
    """More than delivery ever has in flight; the poller needs one of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiStats:
    """Calls since the start; ``refused`` by Telegram's error codes."""

    calls: Mapping[str, int]
    too_many_requests: int
    failed: int
    latency_s: float
    """Moving average over answered calls; 0 before the first."""
    unanswered: int = 0
    """Calls in a row, up to the last, to which Telegram said nothing that makes sense."""


def create_bot(token: str, options: ApiOptions) -> Bot:
    """Aiogram's client for one bot; close its session when done."""
    server = TelegramAPIServer.from_base(options.url)
    session = Session(api=server, limit=options.connections, timeout=options.timeout_s)
    return Bot(token, session=session)


class Api:
    """Makes calls for one bot and counts them."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._calls: Counter[str] = Counter()
        self._too_many = 0
        self._failed = 0
        self._latency_s = 0.0
        self._unanswered = 0

    async def __call__(self, method: TelegramMethod[Any]) -> Any:
        """Telegram's answer; raises aiogram's exceptions as they are."""
        self._calls[type(method).__name__] += 1
        started = time.perf_counter()
        try:
            answer = await self._bot(method)
        except TelegramRetryAfter:
            self._too_many += 1
            self._unanswered = 0
            raise
        except (TelegramAPIError, ClientDecodeError, OSError, TimeoutError) as error:
            self._failed += 1
            refused = isinstance(error, TelegramAPIError) and not isinstance(error, AWAY)
            self._unanswered = 0 if refused else self._unanswered + 1
            raise
        self._unanswered = 0
        took_s = time.perf_counter() - started
        weight = LATENCY_WEIGHT if self._latency_s else 1.0
        self._latency_s += weight * (took_s - self._latency_s)
        return answer

    def stats(self) -> ApiStats:
        return ApiStats(
            calls=dict(self._calls),
            too_many_requests=self._too_many,
            failed=self._failed,
            latency_s=self._latency_s,
            unanswered=self._unanswered,
        )
