"""Long polling: updates are asked for, and confirmed only after they are durable."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import anyio
import orjson
import structlog
from anyio.abc import TaskStatus

from actors.errors import Transient

log = structlog.get_logger(__name__)

ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "message_reaction",
    "callback_query",
    "my_chat_member",
)
"""What this release handles; nothing else is sent to us."""


class WrongToken(RuntimeError):
    """Telegram does not know the bot token (401 or 404)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingOptions:
    """Times in seconds."""

    timeout_s: int = 25
    """How long Telegram holds a request that has nothing to tell."""

    limit: int = 100
    """Updates in one answer (Telegram's maximum), stored in one transaction."""

    grace_s: float = 10.0
    """How much later than promised an answer may come."""

    retry_base_s: float = 0.5
    retry_max_s: float = 30.0
    """Waits after failures, doubling."""

    store_retry_max_s: float = 2.0
    """While the store is away: it is ours, it minds no question, and people wait for its return."""


class Poller:
    """Asks for updates one answer at a time: the order of a chat is the order of the answers."""

    def __init__(
        self,
        *,
        url: str,
        token: str,
        accept_many: Callable[[Sequence[dict[str, Any]]], Awaitable[None]],
        options: PollingOptions | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/bot{token}/getUpdates"
        self._accept_many = accept_many
        self._options = options or PollingOptions()
        self._offset: int | None = None
        self.answered_at: float | None = None
        """When Telegram last answered, on the loop's clock."""

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Polls until cancelled.

        Raises:
            WrongToken: Polling can never work.
        """
        timeout = aiohttp.ClientTimeout(total=self._options.timeout_s + self._options.grace_s)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            task_status.started()
            failures = 0
            while True:
                try:
                    wait = await self._once(session)
                except (aiohttp.ClientError, OSError, TimeoutError, Transient) as error:
                    wait = self._backoff(failures)
                    if isinstance(error, Transient):
                        wait = min(wait, self._options.store_retry_max_s)
                    log.warning("polling_failed", error=type(error).__name__, wait_s=wait)
                if wait:
                    failures += 1
                    await anyio.sleep(wait)
                else:
                    failures = 0

    async def _once(self, session: aiohttp.ClientSession) -> float:
        """One request; returns how long to wait before the next."""
        options = self._options
        asked: dict[str, Any] = {
            "timeout": options.timeout_s,
            "limit": options.limit,
            "allowed_updates": list(ALLOWED_UPDATES),
        }
        if self._offset is not None:
            asked["offset"] = self._offset
        async with session.post(self._url, json=asked) as response:
            body = await response.read()
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            log.warning("polling_answer_unreadable", status=response.status)
            return options.retry_base_s
        if not isinstance(answer, dict):
            answer = {}
        result = answer.get("result")
        if answer.get("ok") is not True or not isinstance(result, list):
            return self._refused(response.status, answer)
        self.answered_at = anyio.current_time()
        updates = [update for update in result if _is_numbered(update)]
        if updates:
            await self._accept_many(updates)
            # Only now are they Telegram's no more: the next request confirms them.
            self._offset = max(update["update_id"] for update in updates) + 1
        return 0.0

    def _refused(self, status: int, answer: dict[str, Any]) -> float:
        description = str(answer.get("description") or "")
        if status in {401, 404}:
            raise WrongToken("Telegram does not know this BOT_TOKEN")
        if status == 429:  # noqa: PLR2004
            wait = _retry_after(answer.get("parameters"))
            log.warning("polling_limited", wait_s=wait)
            return wait
        if status == 409:  # noqa: PLR2004
            log.error(
                "polling_conflict",
                description=description,
                hint="another program polls with this token"
                if "terminated by other" in description
                else "a webhook is set: `topicdesk doctor` shows it",
            )
            return self._options.retry_max_s / 6
        log.warning("polling_refused", status=status, description=description)
        return self._options.retry_base_s * 4

    def _backoff(self, failures: int) -> float:
        return min(self._options.retry_max_s, self._options.retry_base_s * 2.0 ** min(failures, 10))


def _is_numbered(update: object) -> bool:
    number = update.get("update_id") if isinstance(update, dict) else None
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def _retry_after(parameters: object) -> float:
    """Seconds that Telegram asks us to wait; one when it does not say."""
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return max(0.0, float(asked)) if isinstance(asked, int | float) else 1.0
