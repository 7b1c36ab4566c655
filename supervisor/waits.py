"""Waiting: longer each time, or for whatever comes first."""

from collections.abc import Callable, Iterator

import anyio

JITTER = 0.2
"""Part of a wait that is drawn, so that those who failed together do not return together."""


def backoff(base_s: float, limit_s: float, attempt: int, jitter: Callable[[], float]) -> float:
    """The wait before try ``attempt + 1``: ``base · 2^attempt``, at most ``limit``, jittered down.

    ``jitter`` draws from [0, 1).
    """
    return min(limit_s, base_s * 2.0 ** min(attempt, 30)) * (1 - JITTER * jitter())


def doubling(base_s: float, limit_s: float, jitter: Callable[[], float]) -> Iterator[float]:
    """Endless waits, each about twice the one before."""
    attempt = 0
    while True:
        yield backoff(base_s, limit_s, attempt, jitter)
        attempt += 1


async def set_within(event: anyio.Event, seconds: float) -> None:
    """Returns when the event is set, and after so many seconds at the latest."""
    with anyio.move_on_after(max(0.0, seconds)):
        await event.wait()
