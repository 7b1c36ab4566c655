"""A ticket's mailbox: a bounded window on its part of the durable inbox."""

from collections import Counter
from collections.abc import Iterable, Sequence

from actors.ids import Seq
from actors.messages import ClientWrote, Envelope, StaffWrote, TechnicianWrote

ENVELOPE_BYTES = 1024
"""What an envelope weighs besides its text, roughly."""


def weight(envelope: Envelope) -> int:
    """About how many bytes an envelope holds in memory."""
    match envelope.message:
        case ClientWrote() | StaffWrote() | TechnicianWrote() as message:
            return ENVELOPE_BYTES + 2 * len(message.content.text)
        case _:
            return ENVELOPE_BYTES


class Window:
    """What all mailboxes of a node hold together, and may hold."""

    __slots__ = ("_deep", "_deepest", "messages", "messages_max")

    def __init__(self, messages_max: int) -> None:
        self.messages = 0
        self.messages_max = messages_max
        self._deep: Counter[int] = Counter()
        """How many mailboxes hold so many messages, kept up with each change."""
        self._deepest = 0

    @property
    def depth_max(self) -> int:
        """Messages in the deepest mailbox; no mailbox is looked at."""
        while self._deepest and not self._deep[self._deepest]:
            self._deepest -= 1
        return self._deepest

    def changed(self, before: int, after: int) -> None:
        """A mailbox holds so many messages now."""
        self.messages += after - before
        if before:
            self._deep[before] -= 1
        if after:
            self._deep[after] += 1
            self._deepest = max(self._deepest, after)

    @property
    def is_full(self) -> bool:
        return self.messages >= self.messages_max


class Mailbox:
    """The next messages of one ticket, gap-free from ``after + 1`` on.

    What does not fit, or arrives with a gap before it, is not taken: it sets :attr:`behind`, and
    the actor reads it from the inbox when its turn comes. So nothing is dropped, and a hint that is
    lost, late or repeated changes nothing but the moment of reading.
    """

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_messages_max",
        "_shared",
        "_window",
        "after",
        "behind",
        "missed",
    )

    def __init__(self, shared: Window, *, messages_max: int, bytes_max: int) -> None:
        self._shared = shared
        self._window: list[Envelope] = []  # short; an empty deque takes ten times the memory
        self._bytes = 0
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self.after: Seq | None = None
        """The last message handled; unknown until the ticket is loaded."""
        self.behind = False
        """Whether the inbox may hold messages after those of the window."""
        self.missed = 0
        """Hints not taken so far; tells whether one came while the inbox was being read."""

    def __len__(self) -> int:
        return len(self._window)

    @property
    def has_mail(self) -> bool:
        return self.behind or bool(self._window)

    def offer(self, envelope: Envelope) -> bool:
        """Takes the envelope if it is the next one and fits; says whether it was taken."""
        last = self._last
        if last is not None and envelope.seq <= last:
            return False  # a repeated hint
        gap = last is not None and envelope.seq != last + 1
        if self.behind or gap or not self._fits(envelope):
            self.behind = True
            self.missed += 1
            return False
        self._window.append(envelope)
        self._bytes += weight(envelope)
        self._shared.changed(len(self._window) - 1, len(self._window))
        return True

    def miss(self) -> None:
        """Hears of mail without seeing it."""
        self.behind = True
        self.missed += 1

    def fill(self, envelopes: Iterable[Envelope], *, complete: bool, missed: int) -> None:
        """Adds what was read from the inbox right after the window's end.

        ``complete`` says that the inbox had no more than that when it was read; ``missed`` is the
        count of :attr:`missed` from before the reading: a hint in between may not be in it.
        """
        unseen = self.missed != missed
        self.behind = False
        for envelope in envelopes:
            self.offer(envelope)
        self.behind = self.behind or unseen or not complete

    def start_after(self, seq: Seq) -> None:
        """Aligns the window with the loaded ticket: what it has handled leaves the window."""
        self.after = seq
        while self._window and self._window[0].seq <= seq:
            self._drop_first()
        if self._window and self._window[0].seq != seq + 1:
            self.clear()

    def peek(self, count: int) -> Sequence[Envelope]:
        """The next messages, at most ``count``, left where they are until they are handled."""
        return self._window[:count]

    def clear(self) -> None:
        """Forgets the window; everything will be read again."""
        self._shared.changed(len(self._window), 0)
        self._window.clear()
        self._bytes = 0
        self.behind = True

    @property
    def _last(self) -> Seq | None:
        return self._window[-1].seq if self._window else self.after

    def _fits(self, envelope: Envelope) -> bool:
        if not self._window:
            return True
        within = self._bytes + weight(envelope) <= self._bytes_max
        return within and len(self._window) < self._messages_max and not self._shared.is_full

    def _drop_first(self) -> None:
        self._bytes -= weight(self._window.pop(0))
        self._shared.changed(len(self._window) + 1, len(self._window))
