"""What is left of a run for people to see, without what a crash may change."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from lab.simulation.stage import Stage
from lab.simulation.telegram import Posted, Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Chats and tickets. ``doubled`` counts, by row of the outbox, what is there once too often.

    A message that was sent twice stands here once, as the one that is on record; so does a topic.
    Numbers of messages and threads are left out: they depend on what was sent twice.
    """

    chats: dict[str, list[Any]]
    tickets: list[Any]
    doubled: dict[int, int]


def picture(stage: Stage) -> Picture:
    telegram, doubled = stage.telegram, Counter[int]()
    chats: dict[str, list[Any]] = {}
    for chat in sorted({*telegram.messages, *telegram.topics}):
        by_thread: defaultdict[int | None, list[Any]] = defaultdict(list)
        for posted in _once(stage, telegram.messages.get(chat, []), doubled):
            by_thread[posted.thread].append(_message(posted))
        chats[f"{chat}"] = by_thread.pop(None, [])
        topics = telegram.topics.get(chat, {}).values()
        for number, topic in enumerate(_topics(stage, chat, list(topics), doubled), 1):
            state = (topic.name, topic.is_closed, topic.is_deleted)
            chats[f"{chat}/{number}"] = [state, *by_thread.pop(topic.number, [])]
        assert not by_thread, "a message in a topic that nobody knows"
    return Picture(chats=chats, tickets=_tickets(stage), doubled=dict(doubled))


def _message(posted: Posted) -> tuple[object, ...]:
    return posted.text, posted.source is not None, posted.buttons, bool(posted.reaction)


def _once(stage: Stage, messages: list[Posted], doubled: Counter[int]) -> list[Posted]:
    """All messages; of those that were sent twice the one on record."""
    times = Counter(posted.row for posted in messages if posted.row)
    kept: list[Posted] = []
    for posted in messages:
        if times[posted.row] > 1 and stage.world.outbox[posted.row].message_id != posted.number:
            doubled[posted.row] += 1
            continue
        kept.append(posted)
    return kept


def _topics(stage: Stage, chat: int, topics: list[Topic], doubled: Counter[int]) -> list[Topic]:
    """All topics; of those that were made twice the one on record."""
    times = Counter(topic.row for topic in topics)
    known = {row.thread_id for row in stage.world.topics if row.chat_id == chat}
    kept: list[Topic] = []
    for topic in topics:
        if times[topic.row] > 1 and topic.number not in known:
            doubled[topic.row] += 1
            continue
        kept.append(topic)
    return kept


def _tickets(stage: Stage) -> list[Any]:
    world = stage.world
    return [
        (
            row.id,
            row.status,
            row.technician_id,
            row.quarantined,
            world.feedback.get(row.id),
            sorted(letter.key for letter in world.dead_letters if letter.ticket_id == row.id),
            sorted(each.event.action for each in world.events.group("ticket", row.id)),
        )
        for row in world.tickets
    ]
