"""What happened in a run, in order: for its hash, and for whoever reads why it failed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from lab.simulation.world import Commit


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is no transaction: a fault, a call, a person's deed. ``ticket`` may be 0."""

    at: float
    who: str
    what: str
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken; ``ticket`` is 0 when it concerns none."""

    promise: str
    detail: str
    ticket: int = 0


class Trace:
    """Notes and transactions. Two runs of one seed have the same :attr:`hash`.

    ``clock`` is the run's; ``stop`` is called at the first violation.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.entries: list[tuple[float, Note | Commit]] = []
        """With the time of the run: a database's own clock may differ."""
        self.violation: Violation | None = None
        self.stop: Callable[[], object] = lambda: None
        self._clock = clock
        self._hash = hashlib.sha256()

    @property
    def hash(self) -> str:
        return self._hash.hexdigest()

    def note(self, who: str, what: str, ticket: int = 0) -> None:
        note = Note(self._clock(), who, what, ticket)
        self.entries.append((note.at, note))
        self._feed(f"{note.at:.9f} {who} {what} {ticket}")

    def committed(self, commit: Commit) -> None:
        self.entries.append((self._clock(), commit))
        rows = " ".join(f"{change.table}:{change.key}" for change in commit.changes)
        self._feed(f"{commit.at:.9f} {commit.by} {commit.what} {rows}")

    def fail(self, promise: str, detail: str, ticket: int = 0) -> None:
        """Keeps the first violation and ends the run."""
        if self.violation is None:
            self.violation = Violation(promise, detail, ticket)
            self.note("check", f"BROKEN: {promise}: {detail}", ticket)
            self.stop()

    def _feed(self, line: str) -> None:
        self._hash.update(f"{line}\n".encode())
