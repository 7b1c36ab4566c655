"""What the scenes of ``topicdesk bench delivery`` share: people, limits, what arrived, the end."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import anyio

from lab.bench_judge import token
from lab.bench_stage import FIRST_CLIENT_ID, medians, show, write
from lab.telegram.client import LabClient, Object
from lab.telegram.limits import LimitRules
from lab.telegram.scene import MAIN_GROUP_ID

RULES = LimitRules()

LOOK_S = 0.5
"""Between two looks at how far it is; each costs the local Telegram some time."""

QUIET_S = 25.0
"""When nothing has arrived for this long beyond a window, what is missing counts as lost."""

PRIVATE_BURST = 3
"""The bot's own setting: below Telegram's, whose burst nobody has published."""

UVLOOP = {"use_uvloop": True}


class Report(Protocol):
    @property
    def is_clean(self) -> bool: ...


def end(title: str, reports: Sequence[Any], json_file: Path | None) -> int:
    show(f"{title}, medians of {len(reports)}", medians(reports))
    write(json_file, title, reports)
    clean: Sequence[Report] = reports
    return 0 if all(report.is_clean for report in clean) else 1


def pace(scale: float) -> dict[str, str]:
    """The bot's pace for limits of that scale."""
    return {
        "PACE_BOT_PER_S": f"{RULES.bot_per_s * scale:g}",
        "PACE_PRIVATE_PER_S": f"{RULES.private_per_s * scale:g}",
        "PACE_PRIVATE_BURST": f"{round(PRIVATE_BURST * scale)}",
        "PACE_GROUP_PER_MIN": f"{RULES.group_max * scale:g}",
    }


async def gather(lab: LabClient, count: int) -> list[int]:
    people = [FIRST_CLIENT_ID + number for number in range(count)]
    for who in people:
        await lab.add_user(f"Client {who}", id=who, is_client=True)
    return people


async def say(
    lab: LabClient, messages: Sequence[tuple[int, int]], *, mixed: bool = False
) -> dict[tuple[int, int], float]:
    """Clients write at once; when each message came to be.

    ``mixed``: every other one is a photo, so that none are joined and each is a call of its own.
    """
    made = await lab.send_many(
        [
            {
                "user": who,
                "chat": who,
                "text": token(who, number),
                "kind": "photo" if mixed and number % 2 else "text",
            }
            for who, number in messages
        ]
    )
    return {key: message["at"] for key, message in zip(messages, made, strict=True)}


async def arrive(lab: LabClient, expected: set[tuple[int, int]]) -> list[Object]:
    """The bot's messages in the main group, once all are there or no more come."""
    found: list[Object] = []
    missing = {token(*key) for key in expected}
    seen, moved_at = 0, time.monotonic()
    patience_s = RULES.group_window_s + QUIET_S
    while missing and time.monotonic() - moved_at < patience_s:
        fresh = await lab.messages(MAIN_GROUP_ID, after=seen)
        if fresh:
            seen, moved_at = max(message["message_id"] for message in fresh), time.monotonic()
            found += [message for message in fresh if message["from"]["is_bot"]]
            words = " ".join(message["text"] or "" for message in fresh)
            missing = {each for each in missing if each not in words}
        await anyio.sleep(LOOK_S)
    await anyio.sleep(2)  # whatever is doubled comes now
    late = await lab.messages(MAIN_GROUP_ID, after=seen)
    return found + [message for message in late if message["from"]["is_bot"]]


async def all_calls(lab: LabClient) -> list[Object]:
    calls: list[Object] = []
    while fresh := await lab.calls(after=calls[-1]["seq"] if calls else 0):
        calls += fresh
    return calls


async def threads_of(lab: LabClient, people: Sequence[int]) -> dict[int, int]:
    """Each client's topic in the main group, found by its title."""
    world = await lab.world()
    [group] = [chat for chat in world["chats"] if chat["id"] == MAIN_GROUP_ID]
    names = {f"Client {who}": who for who in people}
    found = {}
    for topic in group["topics"]:
        for name, who in names.items():
            if topic["name"].endswith(name):
                found[who] = topic["thread_id"]
    return found


async def private_messages(lab: LabClient, people: Sequence[int]) -> list[Object]:
    """What the bot sent to these clients, chat by chat."""
    private = [message for who in people for message in await lab.messages(who)]
    return [message for message in private if message["from"]["is_bot"]]
