"""The HTTP server ends when it is told to, whatever its clients do."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import anyio
import pytest

from web.server import CLOSING, CannotBind, ServerOptions, serve

pytestmark = pytest.mark.anyio

QUICK = ServerOptions(grace_s=0.5, give_up_s=0.5, requests_max=3)
PATIENT = ServerOptions(grace_s=20, give_up_s=0.5)
SOON_S = 10.0
"""Far less than the grace of :data:`PATIENT`, far more than a slow machine takes."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    """/ answers; /stream watches the end; /stuck never ends; /slow ends by itself."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    match scope["path"]:
        case "/stream":
            await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
            async with anyio.create_task_group() as group:

                async def left() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    group.cancel_scope.cancel()

                group.start_soon(left)
                await scope[CLOSING].wait()
                await send({"type": "http.response.body", "body": b"last\n"})
                group.cancel_scope.cancel()
        case "/stuck":
            await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
            await anyio.sleep_forever()
        case "/flood":
            while True:
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        case _:
            await send({"type": "http.response.body", "body": b"ok"})


class Running:
    def __init__(self, url: str, shutdown: anyio.Event, http: aiohttp.ClientSession) -> None:
        self.url, self.shutdown, self.http = url, shutdown, http
        self.port = urlsplit(url).port or 0
        self.ended = anyio.Event()

    async def end(self) -> float:
        """Seconds until the server has ended."""
        started = anyio.current_time()
        self.shutdown.set()
        with anyio.fail_after(60):
            await self.ended.wait()
        return anyio.current_time() - started


@asynccontextmanager
async def running(options: ServerOptions = QUICK) -> AsyncIterator[Running]:
    shutdown = anyio.Event()
    async with anyio.create_task_group() as group, aiohttp.ClientSession() as http:
        made: list[Running] = []

        async def whole(*, task_status: Any) -> None:
            await serve(app, "127.0.0.1:0", shutdown, options=options, task_status=task_status)
            made[0].ended.set()

        url = await group.start(whole)
        made.append(Running(url, shutdown, http))
        yield made[0]
        shutdown.set()


async def test_it_says_where_it_listens_and_answers_there() -> None:
    async with running() as server:
        assert server.port > 0
        async with server.http.get(server.url) as response:
            assert (response.status, await response.text()) == (200, "ok")
            assert "server" not in {name.lower() for name in response.headers}


async def test_an_idle_kept_alive_connection_does_not_hold_up_the_end() -> None:
    async with running(PATIENT) as server:
        async with server.http.get(server.url) as response:
            await response.read()
        assert await server.end() < SOON_S


async def test_a_stream_is_told_and_ends_by_itself() -> None:
    async with running(PATIENT) as server, server.http.get(f"{server.url}/stream") as response:
        assert await response.content.readline() == b"first\n"
        assert await server.end() < SOON_S
        assert await response.content.readline() == b"last\n"


async def test_a_request_that_never_ends_is_cut() -> None:
    async with running() as server, server.http.get(f"{server.url}/stuck") as response:
        await response.content.readline()
        assert 0.4 < await server.end() < SOON_S


async def test_a_client_that_does_not_read_cannot_hold_up_the_end() -> None:
    async with running() as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n")
        await anyio.to_thread.run_sync(raw.recv, 10)
        assert await server.end() < SOON_S
        raw.close()


async def test_half_a_request_cannot_hold_up_the_end() -> None:
    async with running() as server:
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(b"GET / HTTP/1.1\r\nho")
        assert await server.end() < SOON_S
        raw.close()


async def test_too_many_requests_are_asked_to_wait() -> None:
    async with running() as server:
        opened = [await server.http.get(f"{server.url}/stream") for _ in range(3)]
        async with server.http.get(server.url) as response:
            assert (response.status, response.headers["retry-after"]) == (503, "2")
        for each in opened:
            each.close()
        with anyio.fail_after(SOON_S):
            while True:
                async with server.http.get(server.url) as response:
                    if response.status == 200:
                        break
                await anyio.sleep(0.01)


async def test_a_taken_port_is_said_clearly() -> None:
    async with running() as server:
        bind = f"127.0.0.1:{server.port}"
        with pytest.raises(CannotBind, match=f"cannot listen on {bind}: Address already in use"):
            await serve(app, bind, anyio.Event())


async def test_a_cancel_ends_it_at_once() -> None:
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as group, aiohttp.ClientSession() as http:
            url = await group.start(
                lambda *, task_status: serve(
                    app, "127.0.0.1:0", anyio.Event(), task_status=task_status
                )
            )
            async with http.get(f"{url}/stuck") as response:
                await response.content.readline()
                group.cancel_scope.cancel()
