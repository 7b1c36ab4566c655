"""Where the runtime lets its work be measured and traced; the wiring says by what."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from actors.messages import Envelope
from actors.ports import Turn


class Observer(Protocol):
    """Sees work begin and end. Must not raise, and must not wait.

    An exception that leaves one of the blocks is how that work ended; it goes on to its family.
    """

    def turn(self, envelopes: Sequence[Envelope]) -> AbstractContextManager[Sequence[Envelope]]:
        """Around one turn, from deciding to its commit; gives the envelopes to go on with.

        There is at least one. They may come back with another trace: that of this turn. Fewer of
        them may be handled than are there.
        """

    def commit(self, turns: Sequence[Turn]) -> AbstractContextManager[object]:
        """Around one transaction with the turns of several tickets."""

    def handled(self, turn: Turn) -> None:
        """The turn stands."""

    def claimed(self, tickets: int) -> None:
        """So many tickets were taken for this run, one for its turn or many of a dead run."""


class Unobserved:
    """Nobody looks."""

    def turn(self, envelopes: Sequence[Envelope]) -> AbstractContextManager[Sequence[Envelope]]:
        return nullcontext(envelopes)

    def commit(self, turns: Sequence[Turn]) -> AbstractContextManager[object]:
        del turns
        return nullcontext()

    def handled(self, turn: Turn) -> None:
        """Nothing to be told."""

    def claimed(self, tickets: int) -> None:
        """Nothing to be told."""
