"""What actions take and say."""

from dataclasses import dataclass

from web.shapes.base import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Shape):
    """An action was done and is in the log."""

    action: str
    """Its name there; empty when there was nothing to do (a move to where it is)."""
    ticket_id: int | None
    node: str | None
    """Who was told, or has the ticket now."""
    heard: bool | None
    """Whether the node was there to hear it; ``None``: nobody was told. It finds it by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneMany(Shape):
    """An action on all that match."""

    action: str
    done: int
    kept: tuple[str, ...]
    """Why some were left as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason(Shape):
    """Body of ``quarantine`` and ``drop``."""

    why: str
    """1-500 characters; goes into the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Shape):
    """Body of ``move``."""

    node: str | None = None
    """Name of a node that is up; ``None``: the idlest of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Many(Shape):
    """Body of ``/api/dead/retry`` and ``/api/dead/drop``: all that match the list's filter."""

    expected: int
    """The list's ``total``; when it is another by now, nothing is done (409, ``changed``)."""
    ticket: int | None = None
    query: str = ""
    why: str = ""
    """For ``drop``: 1-500 characters."""
