"""A status page on a real server, with a source that a test can change."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import anyio

from web.app import WebOptions, create_app
from web.server import serve
from web.status import Health, StatusSnapshot

STARTED_AT = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def snapshot() -> StatusSnapshot:
    now = STARTED_AT + timedelta(hours=2, minutes=5)
    return StatusSnapshot(
        node="desk-1",
        version="0.1.0",
        started_at=STARTED_AT,
        now=now,
        mode="webhook",
        ready=True,
        reasons=(),
        health={
            name: Health(ok=True, detail="1.2 ms") for name in ("postgres", "redis", "telegram")
        },
        actors={"idle": 12, "queued": 2, "running": 1, "backing_off": 1, "quarantined": 0},
        tickets={"NEW": 3, "WORK": 13, "CLOSED": 1240},
        messages_handled=48210,
        messages_per_s=6.4,
        last_message_at=now - timedelta(seconds=3),
        turns=30120,
        commits=9100,
        fenced=0,
        crashes=0,
        transients=2,
        dead_letters=1,
        mailbox_depth_max=4,
        window_messages=9,
        updates_stored=30400,
        updates_duplicate=12,
        updates_ignored=801,
        updates_refused=3,
        outbox_waiting=7,
        outbox_sending=2,
        outbox_oldest_s=4.0,
        in_flight=2,
        sent=91002,
        retries=5,
        possible_doubles=1,
        undeliverable=2,
        pauses_429=4,
        paused_s=61.0,
    )


@dataclass(slots=True)
class FakeSource:
    """Implements :class:`web.status.StatusSource`."""

    picture: StatusSnapshot = field(default_factory=snapshot)
    taken: int = 0
    fails: bool = False

    async def snapshot(self) -> StatusSnapshot:
        self.taken += 1
        if self.fails:
            raise OSError("postgresql://user:hunter2@host")
        return self.picture

    def change(self, **values: object) -> None:
        self.picture = replace(self.picture, **values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Site:
    url: str
    source: FakeSource
    closing: anyio.Event
    closed: anyio.Event


@asynccontextmanager
async def open_site(
    token: str | None = None, bind: str = "127.0.0.1:0", interval_s: float = 0.05
) -> AsyncIterator[Site]:
    source, closing, closed = FakeSource(), anyio.Event(), anyio.Event()
    app = create_app(source, WebOptions(status_token=token, snapshot_interval_s=interval_s))

    async def run(*, task_status: anyio.abc.TaskStatus[str]) -> None:
        await partial(serve, app, bind, closing)(task_status=task_status)
        closed.set()

    async with anyio.create_task_group() as group:
        url = await group.start(run)
        yield Site(url, source, closing, closed)
        closing.set()
        with anyio.fail_after(5):
            await closed.wait()
