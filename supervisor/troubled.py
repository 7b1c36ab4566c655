"""The actors that an operator should look at."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from supervisor.actor import ActorStatus
from supervisor.directory import Directory

TROUBLED_MAX: Final = 50
"""Actors in trouble that are told one by one; an outage must not make a list of everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubled:
    """One actor that failed lately or stands still; ``crashes`` within the restart window."""

    ticket_id: int
    status: ActorStatus
    crashes: int
    dead_letters: int
    waiting: int
    error: str

    @property
    def badness(self) -> tuple[bool, int, int]:
        return self.status is ActorStatus.QUARANTINED, self.dead_letters, self.crashes


def troubled(directory: Directory, since: float) -> Sequence[Troubled]:
    """The worst first, at most ``TROUBLED_MAX``; crashes count from ``since`` on."""
    found = [
        Troubled(
            ticket_id=actor.ticket_id,
            status=actor.status,
            crashes=sum(at >= since for at in actor.crashes or ()),
            dead_letters=len(actor.dead_letters or ()),
            waiting=len(actor.mailbox),
            error=actor.last_error or "",
        )
        for actor in directory.troubled()
    ]
    return heapq.nlargest(TROUBLED_MAX, found, key=lambda actor: actor.badness)
