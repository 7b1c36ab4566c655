"""Every key that the program uses in Redis, so that no two parts of it can meet in one."""

from typing import Final

from actors.ids import UserId

FSM: Final = "fsm"
"""Forms of the desk: what somebody was asked for. aiogram builds the rest of the key."""

TECHNICIANS: Final = "cache:technicians"
"""The active technicians, as JSON."""


def client_card(client: UserId) -> str:
    """The card of one client, as JSON."""
    return f"cache:card:{client}"


def relayed(outbox_id: int) -> str:
    """The message that a row of the outbox became, noted right after its call."""
    return f"fwd:{outbox_id}"


def press(user: int, data: str) -> str:
    """A button press in work. ``data`` is at most 64 bytes, by Telegram's own limit."""
    return f"lock:press:{user}:{data}"
