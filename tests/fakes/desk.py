"""Shorthands for tests against the real tables."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId, MessageId, TicketId, UserId
from actors.messages import ClientWrote, Content, ContentKind, Person
from actors.ports import Incoming, ToClient, ToTicket

MAIN_CHAT = ChatId(-1001)


def person(number: int) -> Person:
    return Person(id=UserId(number), name=f"Client {number}", username=f"client{number}")


def wrote(client: int, number: int, words: str | None = None) -> ClientWrote:
    content = Content(
        chat_id=ChatId(client),
        message_id=MessageId(number),
        kind=ContentKind.TEXT,
        text=words or f"message {number}",
    )
    return ClientWrote(author=person(client), content=content)


def from_client(client: int, number: int, *, is_text: bool = True) -> Incoming:
    """The ``number``-th update of a client, as intake hands it over."""
    return Incoming(
        key=f"tg:1:{client}:{number}",
        route=ToClient(client=person(client), is_text=is_text),
        message=wrote(client, number),
        raw={"update_id": number},
    )


def for_ticket(ticket_id: TicketId, key: str, client: int = 1) -> Incoming:
    return Incoming(key=key, route=ToTicket(ticket_id=ticket_id), message=wrote(client, 1))


async def rows(engine: AsyncEngine, query: str, **values: Any) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(text(query), values)).all())


async def scalar(engine: AsyncEngine, query: str, **values: Any) -> Any:
    [row] = await rows(engine, query, **values)
    return row[0]
