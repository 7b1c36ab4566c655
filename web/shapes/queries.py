"""What may be asked for: query strings and bodies, with their bounds."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from web.shapes.base import Shape

BIGINT_MAX = 2**63 - 1

type Number = Annotated[int, Field(ge=1, le=BIGINT_MAX)]
type Words = Annotated[str, Field(max_length=200)]
type Why = Annotated[str, Field(min_length=1, max_length=500)]
type Name = Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketFilter(Shape):
    """Which tickets, and the worst in which sense."""

    query: Words = ""
    """A number, part of a client's name, or words of a message; empty: all."""
    status: Literal["", "open", "NEW", "WORK", "CLOSED"] = ""
    """``open`` is whatever is not closed."""
    state: Literal["", "waiting", "unsent", "quarantined", "dead_letters", "crashed"] = ""
    sort: Literal["wait", "depth", "restarts", "newest"] = "wait"
    """Longest wait, most unhandled mail, most crashes and dead letters, newest."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFilter(Shape):
    """Which dead letters."""

    ticket: Number | None = None
    query: Words = ""
    """Part of the error or of the message's kind; empty: all."""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery(Shape):
    span: Literal["hour", "day"] = "hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamQuery(Shape):
    every: Annotated[int, Field(ge=1, le=60)] = 1
    """Seconds between two events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason(Shape):
    """Body of ``quarantine`` and ``drop``."""

    why: Why
    """1-500 characters; goes into the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Shape):
    """Body of ``move``."""

    node: Name | None = None
    """Name of a node that is up; ``None``: the idlest of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyRetried(Shape):
    """Body of ``/api/dead/retry``: all that match the list's filter."""

    expected: Annotated[int, Field(ge=0, le=BIGINT_MAX)]
    """The list's ``total``; when it is another by now, nothing is done (409, ``changed``)."""
    ticket: Number | None = None
    query: Words = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyDropped(Shape):
    """Body of ``/api/dead/drop``: all that match the list's filter."""

    expected: Annotated[int, Field(ge=0, le=BIGINT_MAX)]
    """As for ``/api/dead/retry``."""
    why: Why
    ticket: Number | None = None
    query: Words = ""
