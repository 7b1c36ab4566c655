"""Buttons: what they carry, and how they are drawn."""

from collections.abc import Sequence
from typing import Annotated, assert_never

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from pydantic import Field

from actors.effects import Keyboard, KeyboardKind, Text
from actors.ids import TicketId
from actors.messages import Technician
from actors.state import SCORE_MAX, SURVEY_QUESTIONS
from bot.texts import Texts
from bot.titles import cut

Positive = Annotated[int, Field(ge=1, le=2**62)]
Counted = Annotated[int, Field(ge=0, le=2**31)]

TECHNICIANS_PER_ROW = 3
"""Names stay readable on a phone."""

BUTTONS_MAX = 96
"""Telegram allows 100 in all; the rest are ours."""

BUTTON_LENGTH_MAX = 32
"""In UTF-16 units; more does not fit on a phone beside two others."""


class AssignData(CallbackData, prefix="as"):
    """Assign ``technician`` to ``ticket``, as drawn when it had this ``generation``."""

    ticket: Positive
    technician: Positive
    generation: Counted


class CloseData(CallbackData, prefix="cl"):
    ticket: Positive


class ScoreData(CallbackData, prefix="sc"):
    ticket: Positive
    question: Annotated[int, Field(ge=1, le=SURVEY_QUESTIONS)]
    score: Annotated[int, Field(ge=1, le=SCORE_MAX)]


class CommentData(CallbackData, prefix="co"):
    ticket: Positive


class SkipData(CallbackData, prefix="sk"):
    ticket: Positive


class ResendData(CallbackData, prefix="re"):
    ticket: Positive


class RetryData(CallbackData, prefix="rt"):
    """Try again what the card of this number is about."""

    ticket: Positive
    card: Positive


TICKET_DATA: tuple[type[CallbackData], ...] = (
    AssignData,
    CloseData,
    ScoreData,
    CommentData,
    SkipData,
    ResendData,
    RetryData,
)


def draw(
    keyboard: Keyboard,
    ticket_id: TicketId,
    roster: Sequence[Technician],
    texts: Texts,
    language: str | None,
) -> InlineKeyboardMarkup:
    """The buttons of one message, in the reader's language."""

    def button(key: str, data: CallbackData) -> InlineKeyboardButton:
        return _button(texts.render(Text(key=key), language), data)

    match keyboard.kind:
        case KeyboardKind.TRIAGE:
            rows = _technicians(keyboard, ticket_id, roster)
            rows.append([button("button-close", CloseData(ticket=ticket_id))])
        case KeyboardKind.MIRROR:
            rows = [[button("button-close", CloseData(ticket=ticket_id))]]
        case KeyboardKind.SCORES:
            rows = [
                [
                    _button(
                        str(score),
                        ScoreData(ticket=ticket_id, question=keyboard.question, score=score),
                    )
                    for score in range(1, SCORE_MAX + 1)
                ]
            ]
        case KeyboardKind.SKIP:
            rows = [[button("button-skip", SkipData(ticket=ticket_id))]]
        case KeyboardKind.RESEND:
            rows = [[button("button-resend", ResendData(ticket=ticket_id))]]
        case KeyboardKind.RETRY:
            rows = [[button("button-retry", RetryData(ticket=ticket_id, card=keyboard.card))]]
        case KeyboardKind.COMMENT:
            rows = [[button("button-comment", CommentData(ticket=ticket_id))]]
        case _:
            assert_never(keyboard.kind)
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _technicians(
    keyboard: Keyboard, ticket_id: TicketId, roster: Sequence[Technician]
) -> list[list[InlineKeyboardButton]]:
    buttons = [
        _button(
            f"✓ {technician.name}" if technician.id == keyboard.technician_id else technician.name,
            AssignData(ticket=ticket_id, technician=technician.id, generation=keyboard.generation),
        )
        for technician in roster[:BUTTONS_MAX]
    ]
    return [
        buttons[start : start + TECHNICIANS_PER_ROW]
        for start in range(0, len(buttons), TECHNICIANS_PER_ROW)
    ]


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=cut(text, BUTTON_LENGTH_MAX), callback_data=data.pack())
