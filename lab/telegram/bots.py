"""A bot of the world: its account, its token, its updates."""

from dataclasses import dataclass, field

from lab.telegram.model import Json, User
from lab.telegram.updates import UpdateFeed


@dataclass(slots=True, kw_only=True, eq=False)
class Bot:
    """``privacy``: in groups where it is no admin it sees only commands, replies and service."""

    token: str
    user: User
    feed: UpdateFeed
    privacy: bool = True
    webhook_set_at: float | None = None
    commands: dict[str, list[Json]] = field(default_factory=dict)
    """By scope and language, as one key."""

    @property
    def id(self) -> int:
        return self.user.id
