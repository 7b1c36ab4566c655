"""The methods of the Bot API that the lab knows, by name in lower case."""

from lab.telegram.methods import chats, copying, editing, forums, media, sending, webhooks
from lab.telegram.methods.base import Call, Method

ALL: dict[str, Method] = (
    sending.METHODS
    | media.METHODS
    | copying.METHODS
    | editing.METHODS
    | forums.METHODS
    | chats.METHODS
    | webhooks.METHODS
)

__all__ = ["ALL", "Call", "Method"]
