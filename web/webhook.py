"""The webhook: a small raw ASGI callable in front of everything else.

Measured on two cores: 1.6 times the throughput of the same route in Quart. It answers 2xx only
after the update is durable; any other answer makes Telegram hold back that chat's whole queue.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/webhook/"
SECRET_HEADER = b"x-telegram-bot-api-secret-token"

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The update is none; the sender is told with status 400."""


class TryLater(Exception):
    """The update could not be stored now; the sender is told with 503 and Retry-After."""

    def __init__(self, retry_after_s: float = 0.0) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """What the webhook takes at most."""

    secret: str
    """In the path and in Telegram's header; never logged."""

    body_bytes_max: int = 1_000_000
    """An update is some kilobytes; Telegram never sends a megabyte."""

    concurrent_max: int = 500
    """Requests at once; Telegram opens at most 100 connections."""

    retry_after_s: int = 3
    """How long Telegram should wait when it could not be stored."""


class Webhook:
    """``POST /webhook/{secret}``; every other request goes to ``fallback``."""

    def __init__(
        self, accept: Callable[[bytes], Awaitable[None]], fallback: App, options: WebhookOptions
    ) -> None:
        self._accept = accept
        self._fallback = fallback
        self._options = options
        self._secret = options.secret.encode()
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._fallback(scope, receive, send)
            return
        status, headers, text = await self._handle(scope, receive)
        body = text.encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    *headers,
                    (b"content-type", b"text/plain; charset=utf-8"),
                    (b"content-length", str(len(body)).encode()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _handle(
        self, scope: Scope, receive: Receive
    ) -> tuple[int, list[tuple[bytes, bytes]], str]:
        """Status, extra headers and a short text that says what was wrong."""
        headers = dict(scope["headers"])
        if not self._may_pass(scope["path"], headers):
            return 404, [], ""  # nothing tells a wrong secret from a wrong path
        if scope["method"] != "POST":
            return 405, [(b"allow", b"POST")], "only POST"
        if not headers.get(b"content-type", b"").startswith(b"application/json"):
            return 415, [], "only application/json"
        if self._in_work >= self._options.concurrent_max:
            return self._later(1)
        self._in_work += 1
        try:
            body = await self._read(headers, receive)
            if body is None:
                return 413, [(b"connection", b"close")], "the body is too large"
            await self._accept(body)
        except Refused as error:
            return 400, [], str(error)
        except TryLater as error:
            return self._later(max(self._options.retry_after_s, int(error.retry_after_s)))
        except ConnectionResetError:
            return 400, [], "the body was cut off"
        except Exception:
            log.exception("webhook_failed")
            return self._later(self._options.retry_after_s)
        else:
            return 200, [], ""
        finally:
            self._in_work -= 1

    def _may_pass(self, path: str, headers: dict[bytes, bytes]) -> bool:
        """Both secrets are compared in constant time, and both always."""
        in_path = hmac.compare_digest(path[len(PREFIX) :].encode(), self._secret)
        in_header = hmac.compare_digest(headers.get(SECRET_HEADER, b""), self._secret)
        return in_path and in_header

    def _later(self, seconds: int) -> tuple[int, list[tuple[bytes, bytes]], str]:
        return 503, [(b"retry-after", str(seconds).encode())], "try again later"

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        """The whole body, ``None`` when it is too large.

        Raises:
            ConnectionResetError: The sender left in the middle.
        """
        limit = self._options.body_bytes_max
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise ConnectionResetError
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                return None
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)
