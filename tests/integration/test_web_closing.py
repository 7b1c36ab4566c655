"""The server: a taken port, requests that never end, streams that are open when it ends."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import anyio
import pytest

from tests.fakes.status import open_site
from web.server import CannotBind, ServerOptions, serve

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def _never(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing was to be served")


async def test_a_taken_port_is_a_clear_error() -> None:
    async with open_site() as site:
        bind = site.url.removeprefix("http://")
        with pytest.raises(CannotBind, match=bind):
            await serve(_never, bind, anyio.Event())


async def test_a_request_that_never_ends_is_cut_off_and_the_server_still_ends(
    http: aiohttp.ClientSession,
) -> None:
    closing, closed, reached = anyio.Event(), anyio.Event(), anyio.Event()

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            reached.set()
            await anyio.sleep_forever()

    async def run(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        await serve(deaf, "127.0.0.1:0", closing, task_status=task_status)
        closed.set()

    async def ask(url: str) -> None:
        async with http.get(url) as response:
            assert response.status == 500

    async with anyio.create_task_group() as group:
        url = await group.start(run)
        group.start_soon(ask, url)
        with anyio.fail_after(20):
            await reached.wait()
        closing.set()
        with anyio.fail_after(20):
            await closed.wait()


async def test_when_the_server_ends_open_streams_and_idle_connections_do_not_hold_it_up(
    http: aiohttp.ClientSession,
) -> None:
    async with open_site(server=ServerOptions(grace_s=60)) as site:
        async with http.get(f"{site.url}/healthz") as response:
            await response.read()
        streams = [await http.get(f"{site.url}/api/stream") for _ in range(3)]
        for stream in streams:
            with anyio.fail_after(20):
                assert await stream.content.readuntil(b"event: status\n")
        site.closing.set()
        with anyio.fail_after(20):
            await site.closed.wait()
        for stream in streams:
            stream.close()


def test_the_servers_own_chatter_is_not_logged() -> None:
    assert logging.getLogger("hypercorn.error").level >= logging.WARNING
