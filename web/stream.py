"""``/api/stream``: the overview as server-sent events."""

from collections.abc import AsyncIterator

import anyio
from quart import Response

from web.answers import problem
from web.status import SharedOverview

RETRY_MS = 2000
"""When a browser that lost the stream asks again."""

HEARTBEAT = b": still here\n\n"
"""Sent when there is nothing to tell, so that neither side takes the other for gone."""


class Stream:
    """The open streams. ``streams_max`` at once, each for ``stream_s`` seconds at most."""

    def __init__(self, shared: SharedOverview, *, streams_max: int, stream_s: float) -> None:
        self._shared = shared
        self._streams_max = streams_max
        self._stream_s = stream_s
        self._open = 0

    def answer(self, closing: anyio.Event, every: int) -> Response:
        """One more stream, or 503; ``every`` is in pictures, of which one is taken a second."""
        if self._open >= self._streams_max:
            response = problem(503, "too_many", "too many pages are open")
            response.headers["Retry-After"] = "5"
            return response
        response = Response(
            self._events(closing, every), content_type="text/event-stream; charset=utf-8"
        )
        response.headers["X-Accel-Buffering"] = "no"
        response.timeout = None  # Quart would cut it after a minute
        return response

    async def _events(self, closing: anyio.Event, every: int) -> AsyncIterator[bytes]:
        """A picture now and then one each interval; until the browser leaves or the server ends."""
        self._open += 1
        try:
            ends_at = anyio.current_time() + self._stream_s
            yield b"retry: %d\n\n" % RETRY_MS
            yield _event(await self._shared.get())
            number = self._shared.number
            while not closing.is_set() and anyio.current_time() < ends_at:
                # Not torn when the server ends: it takes a second, and the server gives two.
                number, picture = await self._shared.after(number)
                yield _event(picture) if number % every == 0 else HEARTBEAT
        finally:
            self._open -= 1


def _event(picture: bytes | None) -> bytes:
    return HEARTBEAT if picture is None else b"event: status\ndata: %b\n\n" % picture
