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
