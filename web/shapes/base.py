"""What all answers share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Shape:
    """Base of all answers: the texts under the fields go into the OpenAPI document."""

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True}


class Level(StrEnum):
    """The banner's three states."""

    WELL = "well"
    DEGRADED = "degraded"
    """It works, but somebody should look."""
    DOWN = "down"
    """Nothing is handled now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause(Shape):
    """One reason for the banner's state. The page has texts for ``code`` and for ``advice``."""

    code: str
    """One of: ``postgres``, ``no_node``, ``not_ready`` (these are *down*), ``redis``, ``telegram``,
    ``node_away``, ``node_paused``, ``quarantined``, ``dead_letters``, ``outbox_late``,
    ``mail_late``, ``webhook``, ``loop_lag``, ``restarts``, ``undeliverable``."""
    detail: str
    """What belongs to it: a node's name, a count, seconds as a whole number; may be empty."""
    advice: str
    """Key of what to do, ``advice-<code>`` with dashes; the text may use ``detail``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Shape):
    """Whether something we depend on answers."""

    ok: bool
    latency_s: float | None
    """Of the last question; ``None`` when it was not answered or none was asked."""
    detail: str
    """What went wrong, without secrets; empty when nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(Shape):
    """Health of the three that the desk stands on, as the answering node sees them."""

    postgres: Health
    redis: Health
    telegram: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class Used(Shape):
    """Something bounded: draw it as a bar."""

    used: float
    limit: float
    """0: without a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles(Shape):
    """How long something took, over about the last minute of work. All 0 while nothing ran."""

    count: int
    """How many were measured in that time."""
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Shape):
    """Every answer that is not 2xx."""

    error: str
    """For people, in English."""
    code: str
    """``login``, ``closed``, ``viewer``, ``csrf``, ``not_found``, ``refused`` (it cannot be done as
    things stand), ``changed`` (other than expected), ``away`` (Postgres does not answer),
    ``bad_request``, ``too_many``, ``bug``."""
