"""What page routes may ask for: who looks, and in which language."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from quart import Response

from web.access import Role
from web.texts import Words

type Handler = Callable[..., Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks. ``name`` stands in the log of what they do."""

    name: str
    role: Role
    csrf: str
    """For ``<meta name="csrf-token">`` and the header ``X-CSRF-Token`` of every action."""
    can_sign_out: bool
    """Whether there is a session to end (``POST /logout``, form field ``csrf``)."""

    @property
    def may_act(self) -> bool:
        return self.role is Role.OPERATOR


class Site(Protocol):
    """What ``add_pages(app, site)`` is given."""

    def guarded(self, handler: Handler) -> Handler:
        """The handler for those who may look; the others are sent to ``/login``."""

    def visitor(self) -> Visitor:
        """Who asks; only inside a guarded handler."""

    def words(self) -> Words:
        """The texts in the language of who asks."""
