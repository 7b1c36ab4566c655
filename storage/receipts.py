"""Receipts: who wrote to the client sees the bot's reaction once the client has it.

Written with the settlement that says so, so that there is one for each message that arrived and for
no other; it goes out in the author's own lane.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.effects import Copy, React
from actors.ports import Sent, Settlement
from storage.codec import dumps, encode
from storage.turn_rows import lane_of_place

RECEIPT_EMOJI = "👌"
"""One of Telegram's reactions; the client's own takes its place."""

_GIVE = text("""
    INSERT INTO outbox (ticket_id, cause_seq, lane, place, kind, effect, trace)
    SELECT o.ticket_id, o.cause_seq, d.lane, d.place, 'React', CAST(d.effect AS jsonb), o.trace
    FROM unnest(
        CAST(:ids AS bigint[]), CAST(:lanes AS text[]), CAST(:places AS text[]),
        CAST(:effects AS text[])
    ) WITH ORDINALITY AS d(id, lane, place, effect, n)
    JOIN outbox o ON o.id = d.id ORDER BY d.n
""")


async def give_receipts(
    connection: AsyncConnection, settlements: Sequence[Settlement], settled: Collection[int]
) -> None:
    """Receipts for what has just been settled, by the ids of ``settled``, as sent."""
    values: dict[str, list[object]] = {"ids": [], "lanes": [], "places": [], "effects": []}
    for settlement in settlements:
        row, effect = settlement.row, settlement.row.effect
        if not isinstance(settlement, Sent) or settlement.message_id is None:
            continue
        if row.id not in settled or not isinstance(effect, Copy) or effect.receipt is None:
            continue
        shown = React(
            place=effect.receipt, message_id=effect.content.message_id, emoji=RECEIPT_EMOJI
        )
        values["ids"].append(row.id)
        values["lanes"].append(lane_of_place(effect.receipt, row.ticket_id, row.client.id))
        values["places"].append(str(effect.receipt))
        values["effects"].append(dumps(encode(shown)))
    if values["ids"]:
        await connection.execute(_GIVE, values)
