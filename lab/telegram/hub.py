"""The webhooks in force: one push per bot that has called ``setWebhook``."""

import aiohttp
import anyio.abc

from lab.telegram.bots import Bot
from lab.telegram.webhook import WebhookPush, WebhookRules, WebhookTarget

CONNECTIONS_MAX = 200


class WebhookHub:
    """Owns the pushes; ``tasks`` runs their workers, ``session`` carries their requests."""

    def __init__(
        self,
        *,
        rules: WebhookRules,
        tasks: anyio.abc.TaskGroup,
        session: aiohttp.ClientSession,
    ) -> None:
        self.rules = rules
        self._tasks = tasks
        self._session = session
        self._pushes: dict[int, WebhookPush] = {}

    def set_webhook(self, bot: Bot, target: WebhookTarget) -> None:
        """Begins to push, what is pending first; a push to another address ends at once."""
        self._close(bot)
        push = WebhookPush(
            feed=bot.feed,
            target=target,
            rules=self.rules,
            session=self._session,
            tasks=self._tasks,
            on_gone=lambda: self.delete_webhook(bot),
        )
        self._pushes[bot.id] = push
        bot.feed.push = push
        bot.feed.interrupt()
        for update in list(bot.feed.pending.values()):
            push.offer(update)

    def delete_webhook(self, bot: Bot) -> None:
        """Ends the push; what is pending waits for ``getUpdates``."""
        self._close(bot)
        bot.feed.push = None

    def webhook_of(self, bot: Bot) -> WebhookPush | None:
        return self._pushes.get(bot.id)

    def close(self) -> None:
        for push in self._pushes.values():
            push.close()
        self._pushes.clear()

    def _close(self, bot: Bot) -> None:
        push = self._pushes.pop(bot.id, None)
        if push is not None:
            push.close()


def open_session(rules: WebhookRules) -> aiohttp.ClientSession:
    """The HTTP client of all webhooks."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
        timeout=aiohttp.ClientTimeout(total=rules.answer_timeout_s * rules.time_scale or None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
