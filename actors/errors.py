"""Errors that say what the supervisor must do."""


class TopicdeskError(Exception):
    """Something went wrong in topicdesk."""


class Transient(TopicdeskError):
    """A service is away for now; wait and try again. Never counts against the message.

    ``retry_after_s`` is how long to wait at least, when the service said so.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Fenced(TopicdeskError):
    """Another node owns the ticket now; stop silently, without a further write."""


class CorruptSnapshot(TopicdeskError):
    """The ticket's snapshot cannot be read: broken, or written by a newer version."""


class Quarantined(TopicdeskError):
    """The ticket was stopped until an operator releases it; the message says why."""


class Poison(TopicdeskError):
    """This message can never be handled; give it up at once instead of trying again."""
