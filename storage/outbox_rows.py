"""Turning settlements into rows: pure."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from actors.effects import Copy
from actors.ports import Postponed, Sent, Settlement, Superseded, TopicLost, Undeliverable
from storage.codec import clean

DETAIL_LENGTH_MAX = 500
"""Telegram's refusals are short; whatever else stands there is cut."""


def outcomes(settlements: Sequence[Settlement]) -> Mapping[str, list[Any]]:
    out: dict[str, list[Any]] = {
        name: [] for name in ("ids", "states", "message_ids", "errors", "uncertains", "afters")
    }
    for settlement in settlements:
        state, message_id, error, uncertain, after = _outcome(settlement)
        out["ids"].append(settlement.row.id)
        out["states"].append(state)
        out["message_ids"].append(message_id)
        out["errors"].append(None if error is None else clean(error[:DETAIL_LENGTH_MAX]))
        out["uncertains"].append(uncertain)
        out["afters"].append(after)
    return out


def _outcome(
    settlement: Settlement,
) -> tuple[str, int | None, str | None, bool, float | None]:
    """State, message, error, uncertain, wait in seconds."""
    match settlement:
        case Sent(message_id=message_id):
            return "sent", message_id, None, False, None
        case Superseded():
            return "superseded", None, None, False, None
        case Undeliverable(reason=reason, detail=detail):
            return "undeliverable", None, f"{reason}: {detail}", False, None
        case TopicLost():
            return "waiting", None, "the topic was deleted", False, None
        case Postponed(after_s=after_s, error=error, uncertain=uncertain):
            return "waiting", None, error, uncertain, after_s
        case _:
            assert_never(settlement)


def links(settlements: Sequence[Settlement]) -> dict[str, list[int | None]]:
    names = ("src_chats", "src_messages", "dst_chats", "dst_messages", "tickets", "outbox_ids")
    out: dict[str, list[int | None]] = {name: [] for name in (*names, "bots")}
    for settlement in settlements:
        effect, address = settlement.row.effect, settlement.row.address
        if not isinstance(settlement, Sent) or not isinstance(effect, Copy):
            continue
        if settlement.message_id is None or address is None:
            continue
        link = (
            effect.content.chat_id,
            effect.content.message_id,
            address.chat_id,
            settlement.message_id,
            settlement.row.ticket_id,
            settlement.row.id,
            settlement.bot_id,
        )
        for name, value in zip(out, link, strict=True):
            out[name].append(value)
    return out
