"""Links of the chaos runs: what passes, what is held, and how a connection ends."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream

from lab.chaos.proxy import Address, Conditions, Link, Tcp, Unix, Way, listen

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(20)]


@asynccontextmanager
async def echo(address: Address) -> AsyncIterator[Address]:
    """A server that says back what it hears, in capitals."""

    async def answer(stream: SocketStream) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with stream:
                async for data in stream:
                    await stream.send(data.upper())

    listener, there = await listen(address)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield there
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def linked() -> AsyncIterator[Link]:
    """A link to an echo."""
    async with echo(Tcp()) as there:
        link = Link("link", lambda: [there])
        async with link.serve(Tcp()):
            yield link


async def dial(link: Link) -> SocketStream:
    return await anyio.connect_tcp("127.0.0.1", link.port)


async def says(stream: SocketStream, text: bytes) -> bytes:
    await stream.send(text)
    with anyio.fail_after(5):
        return await stream.receive()


async def is_silent(stream: SocketStream) -> bool:
    with anyio.move_on_after(0.1):
        await stream.receive()
        return False
    return True


async def test_bytes_pass_unchanged_and_whole() -> None:
    sent = bytes(range(97, 123)) * 40_000
    async with linked() as link, await dial(link) as stream:
        got = bytearray()

        async def read() -> None:
            async for data in stream:
                got.extend(data)

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await stream.send(sent)
                await stream.send_eof()
    assert bytes(got) == sent.upper()


async def test_links_unix_sockets_on_either_side(tmp_path: Path) -> None:
    async with echo(Unix(tmp_path / "server")) as there:
        link = Link("link", lambda: [there])
        async with (
            link.serve(Unix(tmp_path / "link")),
            await anyio.connect_unix(tmp_path / "link") as stream,
        ):
            assert await says(stream, b"hello") == b"HELLO"


async def test_a_reset_ends_open_connections_and_lets_new_ones_in() -> None:
    async with linked() as link, await dial(link) as stream:
        assert await says(stream, b"a") == b"A"
        assert link.reset() == 1
        with anyio.fail_after(5), pytest.raises(anyio.BrokenResourceError):
            await stream.receive()
        async with await dial(link) as again:
            assert await says(again, b"b") == b"B"


async def test_refusing_resets_new_connections_and_leaves_the_old() -> None:
    async with linked() as link, await dial(link) as old:
        assert await says(old, b"a") == b"A"
        link.set(Conditions(refuses=True))
        async with await dial(link) as new:
            with anyio.fail_after(5), pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
                await new.receive()
        assert await says(old, b"b") == b"B"


@pytest.mark.parametrize("way", list(Way))
async def test_a_cut_one_way_holds_what_is_said_until_it_heals(way: Way) -> None:
    async with linked() as link, await dial(link) as stream:
        assert await says(stream, b"a") == b"A"
        link.set(Conditions(held=frozenset({way})))
        await stream.send(b"b")
        assert await is_silent(stream)
        link.heal()
        with anyio.fail_after(5):
            assert await stream.receive() == b"B"


async def test_new_connections_are_held_too() -> None:
    async with linked() as link:
        link.set(Conditions(held=frozenset({Way.THERE})))
        async with await dial(link) as stream:
            await stream.send(b"a")
            assert await is_silent(stream)
            link.heal()
            with anyio.fail_after(5):
                assert await stream.receive() == b"A"


async def test_half_open_connections_are_silent_and_end_when_the_link_heals() -> None:
    async with linked() as link, await dial(link) as stream:
        assert await says(stream, b"a") == b"A"
        link.half_open()
        await stream.send(b"b")
        assert await is_silent(stream)
        link.heal()
        with anyio.fail_after(5), pytest.raises(anyio.BrokenResourceError):
            await stream.receive()


@pytest.mark.parametrize(
    "weather", [Conditions(latency_s=0.1), Conditions(bytes_per_s=100)], ids=["latency", "slow"]
)
async def test_weather_takes_its_time(weather: Conditions) -> None:
    async with linked() as link, await dial(link) as stream:
        link.set(weather)
        begun = time.monotonic()
        assert await says(stream, b"ten bytes!") == b"TEN BYTES!"
        assert time.monotonic() - begun > 0.19


async def test_the_next_target_is_tried_when_one_is_down() -> None:
    async with echo(Tcp()) as there:
        async with echo(Tcp()) as gone:
            pass
        link = Link("front", lambda: [gone, there])
        async with link.serve(Tcp()), await dial(link) as stream:
            assert await says(stream, b"a") == b"A"
            assert link.reset(gone) == 0
            assert link.reset(there) == 1


async def test_without_a_target_the_caller_is_told_at_once() -> None:
    link = Link("front", list)
    async with link.serve(Tcp()), await dial(link) as stream:
        with anyio.fail_after(5), pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)):
            await stream.receive()


async def test_the_end_of_the_server_ends_the_connection() -> None:
    async with echo(Tcp()) as there:
        link = Link("link", lambda: [there])
        async with link.serve(Tcp()):
            async with await dial(link) as stream:
                assert await says(stream, b"a") == b"A"
                await stream.send_eof()
                with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
                    await stream.receive()
            with anyio.fail_after(5):
                while link.connections:  # noqa: ASYNC110 - a link tells nobody
                    await anyio.sleep(0.01)
