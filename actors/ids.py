"""Names for the integers that must never be mixed up."""

from typing import NewType

TicketId = NewType("TicketId", int)
"""A ticket's number, as people see it after ``#``."""

TechnicianId = NewType("TechnicianId", int)
"""A technician's row, not their Telegram user."""

UserId = NewType("UserId", int)
"""A Telegram user, always positive."""

ChatId = NewType("ChatId", int)
"""A Telegram chat: equal to the user's id in private, ``-100…`` for a supergroup."""

MessageId = NewType("MessageId", int)
"""A message, unique within its chat only."""

ThreadId = NewType("ThreadId", int)
"""A forum topic, unique within its chat only."""

Seq = NewType("Seq", int)
"""Place of a message in its ticket's inbox: 1, 2, 3 … without gaps."""

Epoch = NewType("Epoch", int)
"""How often a ticket changed hands; a writer with an older one is fenced."""
