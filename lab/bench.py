"""``topicdesk bench``: what anyone can measure again.

The local Telegram, the bot and its servers are processes of their own, as in production, all on
this machine's cores. Times are the local Telegram's: from the instant a client's message exists
until its copy does, so they hold everything between the two.
"""

import json
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import anyio
from rich.console import Console
from rich.table import Table

from lab.processes import BotProcess, free_port
from lab.telegram.client import LabClient, Object
from lab.telegram.scene import MAIN_GROUP_ID

QUIET_S = 20.0
"""When nothing more has arrived for this long, what is missing counts as lost."""

LOOK_S = 0.25
"""Between two looks at how far it is; each costs the local Telegram some time."""

FIRST_CLIENT_ID = 6_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReport:
    """What one run of the relay benchmark saw. Times in milliseconds."""

    clients: int
    messages: int
    arrived: int
    lost: int
    doubled: int
    out_of_order: int
    tickets: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order)


def relay(*, clients: int, messages: int, json_file: Path | None) -> int:
    """All clients send all their messages at once; prints the figures, exits 0 when clean."""
    report = anyio.run(_relay, clients, messages, backend_options={"use_uvloop": True})
    _print(report)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(report), indent=2) + "\n")
    return 0 if report.is_clean else 1


async def _relay(clients: int, messages: int) -> RelayReport:
    async with _running() as lab:
        people = [FIRST_CLIENT_ID + number for number in range(clients)]
        for number, client in enumerate(people):
            await lab.add_user(f"Client {number}", id=client, is_client=True)
        burst = [
            {"user": client, "chat": client, "text": f"{client}:{number}"}
            for number in range(messages)
            for client in people
        ]
        await lab.send_many(burst)
        copies = await _arrive(lab, clients * messages)
        sources = [await lab.messages(client) for client in people]
    return judge(clients, messages, copies, sources)


@asynccontextmanager
async def _running() -> AsyncIterator[LabClient]:
    """The local Telegram and the bot, by webhook, in processes of their own."""
    folder = Path(tempfile.mkdtemp(prefix="topicdesk-bench-"))
    try:
        async with await anyio.open_process(
            [sys.executable, "-m", "lab.telegram", "--port", "0", "--die-with-stdin"], stderr=None
        ) as telegram:
            assert telegram.stdout is not None
            ready = json.loads(await telegram.stdout.receive())
            address = f"127.0.0.1:{free_port()}"
            settings = {
                **ready["settings"],
                "HTTP_BIND": address,
                "WEBHOOK_URL": f"http://{address}",
                "WEBHOOK_SECRET": secrets.token_hex(16),
                "DATA_DIR": str(folder),
                "LOG_LEVEL": "WARNING",
                "LOG_FORMAT": "json",
                "PACE_BOT_PER_S": "0",
                "PACE_PRIVATE_PER_S": "0",
                "PACE_GROUP_PER_MIN": "0",
            }
            log_file = folder / "bot.log"
            async with BotProcess(settings, log_file=log_file), LabClient(ready["url"]) as lab:
                yield lab
            telegram.terminate()
            await telegram.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _arrive(lab: LabClient, expected: int) -> list[Object]:
    """The copies in the main group, once all are there or no more come."""
    copies: list[Object] = []
    seen = 0
    moved_at = time.monotonic()
    while time.monotonic() - moved_at < QUIET_S:
        fresh = await lab.messages(MAIN_GROUP_ID, after=seen)
        if fresh:
            seen = max(message["message_id"] for message in fresh)
            moved_at = time.monotonic()
            copies += [message for message in fresh if message["copied_from"]]
        if len(copies) >= expected:
            # Whatever is doubled would come now.
            await anyio.sleep(1)
            late = await lab.messages(MAIN_GROUP_ID, after=seen)
            return copies + [message for message in late if message["copied_from"]]
        await anyio.sleep(LOOK_S)
    return copies


def judge(
    clients: int, messages: int, copies: Sequence[Object], sources: Sequence[Sequence[Object]]
) -> RelayReport:
    """Compares what was sent with what arrived: pure."""
    sent = {
        (message["chat_id"], message["message_id"]): message["at"]
        for chat in sources
        for message in chat
        if not message["from"]["is_bot"]
    }
    arrived: dict[tuple[int, int], float] = {}
    doubled = out_of_order = 0
    last: dict[int, int] = {}
    for copy in sorted(copies, key=lambda message: message["message_id"]):
        chat, number = copy["copied_from"]
        if (chat, number) in arrived:
            doubled += 1
            continue
        arrived[chat, number] = copy["at"]
        out_of_order += number < last.get(chat, 0)
        last[chat] = max(number, last.get(chat, 0))
    waits = sorted((arrived[key] - sent[key]) * 1000 for key in arrived if key in sent)
    begun = min(sent.values(), default=0.0)
    seconds = max(arrived.values(), default=begun) - begun
    return RelayReport(
        clients=clients,
        messages=len(sent),
        arrived=len(arrived),
        lost=clients * messages - len(arrived),
        doubled=doubled,
        out_of_order=out_of_order,
        tickets=len({copy["thread_id"] for copy in copies}),
        seconds=round(seconds, 3),
        per_second=round(len(arrived) / seconds, 1) if seconds else 0.0,
        p50_ms=round(statistics.median(waits), 1) if waits else 0.0,
        p99_ms=round(waits[min(len(waits) - 1, int(len(waits) * 0.99))], 1) if waits else 0.0,
    )


def _print(report: RelayReport) -> None:
    title = f"relay, all at once, {os.cpu_count()} cores"
    table = Table(title=title, show_header=False, min_width=len(title))
    for name, value in asdict(report).items():
        table.add_row(name.replace("_", " "), f"{value:,}")
    Console().print(table)
