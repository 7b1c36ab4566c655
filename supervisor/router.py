"""Where stored messages go: to this node's actors, or as a hint to the run that owns the ticket."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from actors.ids import TicketId
from actors.messages import Envelope
from actors.nodes import Hints
from actors.ports import Mailroom


class Router:
    """Implements :class:`actors.ports.Mailroom`.

    The owner that an envelope names is a hint: it may have changed since. A hint to a run that
    is over is lost, and the poll of whoever takes the ticket finds the message.
    """

    def __init__(self, local: Mailroom, hints: Hints, owner: Callable[[], str]) -> None:
        self._local = local
        self._hints = hints
        self._owner = owner

    def offer(self, envelopes: Sequence[Envelope]) -> None:
        mine = self._owner()
        local: list[Envelope] = []
        elsewhere: defaultdict[str, list[TicketId]] = defaultdict(list)
        for envelope in envelopes:
            if envelope.owner is None or envelope.owner == mine:
                local.append(envelope)
            else:
                elsewhere[envelope.owner].append(envelope.ticket_id)
        self._local.offer(local)
        for owner, tickets in elsewhere.items():
            self._hints.tell(owner, tickets)
