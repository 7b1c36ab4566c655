"""Parts of a node with a mistake in them; without one, the parts themselves."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from actors.errors import Transient
from actors.ids import TicketId
from actors.messages import Envelope
from actors.ports import Inbox, Incoming, Stored
from lab.simulation.bugs import Bug
from supervisor.node import Node
from supervisor.options import NodeOptions

type Spawn = Callable[..., object]
type Bugs = frozenset[Bug]

SHORT_LEASE_S = 9.0
"""Shorter than what a run is given to stop by itself (``NodeOptions.pause_after_s``)."""


class HastyInbox:
    """Says that a batch is stored, and stores it later, if nothing comes between."""

    def __init__(
        self, inbox: Inbox, spawn: Spawn, offer: Callable[[Sequence[Envelope]], None]
    ) -> None:
        self._inbox = inbox
        self._spawn = spawn
        self._offer = offer

    async def put(self, batch: Sequence[Incoming]) -> Sequence[Stored]:
        self._spawn(self._put, batch)
        return [Stored(key=each.key, duplicate=False, envelope=None) for each in batch]

    async def _put(self, batch: Sequence[Incoming]) -> None:
        with suppress(Transient):
            stored = await self._inbox.put(batch)
            self._offer([each.envelope for each in stored if each.envelope is not None])


class HastyNode(Node):
    """Takes nothing for busy when it gives its tickets away."""

    def _busy(self) -> set[TicketId]:
        return set()


def inbox_of(
    bugs: Bugs, inbox: Inbox, spawn: Spawn, offer: Callable[[Sequence[Envelope]], None]
) -> Inbox:
    return HastyInbox(inbox, spawn, offer) if Bug.EARLY_ACKNOWLEDGEMENT in bugs else inbox


def node_type(bugs: Bugs) -> type[Node]:
    return HastyNode if Bug.HASTY_HAND_OVER in bugs else Node


def node_options(bugs: Bugs) -> NodeOptions:
    return NodeOptions(lease_s=SHORT_LEASE_S) if Bug.LEASE_MARGIN in bugs else NodeOptions()


def told[Item](bugs: Bugs, items: Sequence[Item]) -> Sequence[Item]:
    """What of a hint arrives."""
    return items[:-1] if Bug.LOST_HINT in bugs else items
