"""Nobody in the simulation answers, changes or marks a message, so no copy is ever looked up."""

from actors.books import Counterpart, LinkedMessage
from actors.ids import ChatId, MessageId, TicketId


class NoLinks:
    """Implements :class:`actors.ports.MessageBook`: no message stands for another."""

    async def find(self, chat_id: ChatId, message_id: MessageId) -> LinkedMessage | None:
        del chat_id, message_id
        return None

    async def counterpart(
        self, ticket_id: TicketId, chat_id: ChatId, message_id: MessageId, in_chat: ChatId
    ) -> Counterpart | None:
        del ticket_id, chat_id, message_id, in_chat
        return None
