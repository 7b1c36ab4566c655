"""What the program reports to a ticket: topics that were made."""

from actors.decision import Actor, Decision, Event
from actors.messages import Json, TopicOpened
from actors.state import TicketState


def topic_opened(state: TicketState, message: TopicOpened) -> Decision:
    payload: dict[str, Json] = {
        "place": str(message.place),
        "chat_id": message.chat_id,
        "thread_id": message.thread_id,
    }
    event = Event(actor=Actor.SYSTEM, action="topic_opened", payload=payload)
    return Decision(state=state, events=(event,))
