"""People who talk while the program suffers, and the judge of what arrived."""

import random
import re
from dataclasses import dataclass, field

import anyio

from lab.telegram.client import LabClient
from lab.telegram.scene import Scene

WORD = re.compile(r"<(\w+) (\d+)>")
"""What people write here: who, and the how-manieth of theirs."""

PAUSE_S = (0.05, 0.25)
"""Between two messages of one person: some are always under way when the program dies."""

SETTLE_S = 60.0
"""Without anything new: a slow machine has much to bring after fifty kills."""


@dataclass
class Talk:
    """Who has written how much so far."""

    written: dict[str, int] = field(default_factory=dict)
    over: bool = False

    def next(self, who: str) -> str:
        self.written[who] = self.written.get(who, 0) + 1
        return f"<{who} {self.written[who]}>"


async def open_tickets(
    lab: LabClient, scene: Scene, clients: list[int]
) -> dict[int, tuple[int, int]]:
    """A ticket for each client; alice has the first two. Topics of main and mirror by client."""
    topics: dict[int, tuple[int, int]] = {}
    for client in clients:
        await lab.send(client, client, f"hello from {client}")
        said = await lab.wait_message(scene.main_group_id, f"hello from {client}", timeout=60)
        topics[client] = (said["thread_id"], 0)
    for client in clients[:2]:
        thread = topics[client][0]
        messages = await lab.messages(scene.main_group_id, thread=thread)
        card = next(message for message in messages if message["buttons"])
        await lab.press(scene.maria_id, scene.main_group_id, card["message_id"], text="alice")
        copied = await lab.wait_message(scene.alice_group_id, f"hello from {client}", timeout=60)
        topics[client] = (thread, copied["thread_id"])
    return topics


async def writes(
    lab: LabClient,
    talk: Talk,
    rng: random.Random,
    who: str,
    user: int,
    chat: int,
    thread: int | None,
) -> None:
    while not talk.over:
        await lab.send(user, chat, talk.next(who), thread=thread)
        await anyio.sleep(rng.uniform(*PAUSE_S))


@dataclass
class Report:
    messages: int = 0
    copies: int = 0
    repeated: int = 0
    lost: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.messages} messages, {self.copies} copies, {len(self.lost)} lost, "
            f"{len(self.out_of_order)} out of order, {self.repeated} repeated by a call in flight"
        )


async def settled(
    lab: LabClient,
    scene: Scene,
    clients: list[int],
    topics: dict[int, tuple[int, int]],
    talk: Talk,
) -> Report:
    """Waits until everything has arrived, or nothing more does; then judges."""
    places = wanted(scene, clients, topics)
    arrived, since = 0, anyio.current_time()
    while True:
        report = Report(messages=sum(talk.written.values()))
        seen = await copies(lab, {chat for _, chat, _ in places})
        for who, chat, thread in places:
            judge(report, f"{who} in {chat}", seen.get((who, chat, thread), []), talk.written[who])
        if report.copies > arrived:
            arrived, since = report.copies, anyio.current_time()
        if not report.lost or anyio.current_time() > since + SETTLE_S:
            return report
        await anyio.sleep(1)


def wanted(
    scene: Scene, clients: list[int], topics: dict[int, tuple[int, int]]
) -> list[tuple[str, int, int | None]]:
    """Whose words must be seen where."""
    places: list[tuple[str, int, int | None]] = []
    for client in clients:
        main, mirror = topics[client]
        places.append((f"c{client}", scene.main_group_id, main))
        if mirror:
            places += [
                (f"c{client}", scene.alice_group_id, mirror),
                (f"s{client}", client, None),
                (f"s{client}", scene.alice_group_id, mirror),
                (f"t{client}", client, None),
                (f"t{client}", scene.main_group_id, main),
            ]
    return places


async def copies(lab: LabClient, chats: set[int]) -> dict[tuple[str, int, int | None], list[int]]:
    """The numbers of each one's messages, as the bot brought them into each place, in order."""
    found: dict[tuple[str, int, int | None], list[int]] = {}
    for chat in chats:
        for message in await lab.messages(chat):
            match = WORD.search(message["text"] or "")
            if message["from"]["is_bot"] and match is not None:
                place = match[1], chat, message["thread_id"]
                found.setdefault(place, []).append(int(match[2]))
    return found


def judge(report: Report, where: str, seen: list[int], written: int) -> None:
    report.copies += len(seen)
    report.repeated += len(seen) - len(set(seen))
    missing = set(range(1, written + 1)) - set(seen)
    if missing:
        report.lost.append(f"{where}: {sorted(missing)[:10]}")
    # A repeated call may bring the same message again right behind itself, and nothing else.
    once = list(dict.fromkeys(seen))
    if once != sorted(once):
        report.out_of_order.append(where)
