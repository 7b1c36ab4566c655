"""The webhook at an address of its own, so that nothing else need be reached from outside.

Aiohttp reads HTTP in C: with hypercorn, whose reader is Python, the same route takes about a fifth
of all the processor time that a message costs. There is nothing here that streams or stays open.
"""

import logging
from collections.abc import AsyncIterator

import anyio
import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from anyio.abc import TaskStatus

from web.server import ServerOptions, listen, url_of
from web.webhook import CONTENT_TYPE, SECRET_HEADER, Knock, Webhook

log = structlog.get_logger(__name__)

_SECRET = SECRET_HEADER.decode()
_ALWAYS = {"Content-Type": CONTENT_TYPE.decode(), "Server": "topicdesk"}


async def serve_webhook(
    webhook: Webhook,
    bind: str,
    closing: anyio.Event,
    *,
    options: ServerOptions | None = None,
    task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Takes updates until ``closing`` is set; what is under way then has ``grace_s`` to end.

    ``bind`` is ``host:port``; port 0 takes a free one. Reports the address once connections are
    accepted.

    Raises:
        CannotBind: Nothing can listen there.
    """
    options = options or ServerOptions()
    listener = await listen(bind)
    url = url_of(listener)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await _handle(webhook, request)

    server = web.Server(
        handle,
        access_log=None,
        logger=_errors(),
        keepalive_timeout=options.keep_alive_s,
        auto_decompress=False,
    )
    runner = web.ServerRunner(server, shutdown_timeout=options.grace_s)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=options.backlog).start()
        log.info("webhook_listening", url=url)
        task_status.started(url)
        await closing.wait()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()
    log.info("webhook_closed")


async def _handle(webhook: Webhook, request: web.BaseRequest) -> web.StreamResponse:
    headers = request.headers
    knock = Knock(
        method=request.method,
        path=request.path,
        secret=_bytes(headers.get(_SECRET, "")),
        content_type=_bytes(headers.get("Content-Type", "")),
        content_length=_bytes(headers.get("Content-Length", "0")),
    )
    reply = await webhook.handle(knock, _chunks(request))
    more = {name.decode(): value.decode() for name, value in reply.headers}
    return web.Response(status=reply.status, body=reply.text.encode(), headers=_ALWAYS | more)


def _bytes(value: str) -> bytes:
    """As it was sent: aiohttp keeps what is not UTF-8 in surrogates."""
    return value.encode("utf-8", "surrogateescape")


async def _chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body, part by part.

    Raises:
        ConnectionError: The sender left in the middle, or lost the thread.
    """
    try:
        while chunk := await request.content.readany():
            yield chunk
    except RequestPayloadError as error:
        raise ConnectionResetError from error


def _errors() -> logging.Logger:
    """Where aiohttp tells of what is no HTTP: without what was sent, which may hold a secret."""
    errors = logging.getLogger("webhook.http")
    errors.addFilter(_tell)
    return errors


def _tell(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    log.info("webhook_no_http", error=type(error).__name__)
    return False
