"""How updates reach the bot: the webhook's methods, and ``getUpdates``."""

import re
import time
from urllib.parse import urlsplit

from lab.telegram.errors import bad_request
from lab.telegram.methods.base import Call, Method
from lab.telegram.model import Json
from lab.telegram.updates import POLL_LIMIT_MAX
from lab.telegram.webhook import WebhookTarget

CONNECTIONS_MAX = 100
CONNECTIONS_DEFAULT = 40

_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


def set_webhook(call: Call) -> bool:
    """Any http or https address of any port is taken, as by a server that runs ``--local``."""
    url = call.text("url")
    if not url:
        return delete_webhook(call)
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise bad_request("bad webhook: invalid webhook URL specified")
    secret = call.maybe_text("secret_token")
    if secret is not None and not _SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    connections = call.number("max_connections", CONNECTIONS_DEFAULT)
    if not 1 <= connections <= CONNECTIONS_MAX:
        raise bad_request(f"max_connections must be 1-{CONNECTIONS_MAX}")
    _allow(call)
    target = WebhookTarget(url=url, secret=secret, max_connections=connections)
    if call.flag("drop_pending_updates"):
        call.bot.feed.drop_pending()
    call.webhooks.set_webhook(call.bot, target)
    call.bot.webhook_set_at = time.time()
    return True


def _allow(call: Call) -> None:
    kinds = call.given.get("allowed_updates")
    call.bot.feed.allow(kinds if isinstance(kinds, list) else None)


def delete_webhook(call: Call) -> bool:
    if call.flag("drop_pending_updates"):
        call.bot.feed.drop_pending()
    call.webhooks.delete_webhook(call.bot)
    return True


def webhook_info(call: Call) -> Json:
    push = call.webhooks.webhook_of(call.bot)
    feed = call.bot.feed
    info: Json = {
        "url": push.target.url if push is not None else "",
        "has_custom_certificate": False,
        "pending_update_count": len(feed.pending),
    }
    if push is not None:
        info |= {"max_connections": push.target.max_connections, "ip_address": "127.0.0.1"}
        if push.last_error is not None:
            info["last_error_date"], info["last_error_message"] = push.last_error
    if feed.allowed is not None:
        info["allowed_updates"] = sorted(feed.allowed)
    return info


async def get_updates(call: Call) -> list[bytes]:
    """Returns the updates as they were encoded when they happened."""
    _allow(call)
    return await call.bot.feed.get_updates(
        call.number("offset"), call.number("limit", POLL_LIMIT_MAX), call.number("timeout")
    )


METHODS: dict[str, Method] = {
    "setwebhook": set_webhook,
    "deletewebhook": delete_webhook,
    "getwebhookinfo": webhook_info,
}
