"""The best form in which Telegram takes a message: what it refuses is left out, the rest arrives.

A refused call had no effect, so making it again in a simpler form can double nothing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import (
    CopyMessage,
    EditMessageCaption,
    EditMessageMedia,
    EditMessageText,
    SendMessage,
    TelegramMethod,
)

log = structlog.get_logger(__name__)

FORMS_MAX = 4
"""A form for each thing that can be left out, and the whole."""

_QUOTE = ("quote_text_invalid", "quote is invalid", "quote not found", "quote text")
_REPLY = ("message to be replied not found", "reply_message_id_invalid", "replied message")
_ENTITIES = ("can't parse entities", "entity_", "entities_", "unsupported entity", "invalid entity")
_MEDIUM = ("can't be edited", "media", "file identifier", "file_reference", "no text in")

_ENTITY_FIELDS = ("entities", "caption_entities")


class BestForm:
    """Makes calls of the Bot API; implements what delivery needs of one."""

    def __init__(self, call: Callable[[TelegramMethod[Any]], Awaitable[Any]]) -> None:
        self._call = call

    async def __call__(self, method: TelegramMethod[Any]) -> Any:
        """The answer to the method or to the best of its simpler forms.

        Raises:
            TelegramAPIError: As the API; of a refusal, the one of the last form.
        """
        for _ in range(FORMS_MAX):
            try:
                return await self._call(method)
            except TelegramBadRequest as error:
                simpler = simpler_form(method, error.message)
                if simpler is None:
                    raise
                log.info("form_refused", method=type(method).__name__, detail=error.message)
                method = simpler
        return await self._call(method)


def simpler_form(method: TelegramMethod[Any], refusal: str) -> TelegramMethod[Any] | None:
    """The method without what was refused, ``None`` when that is no matter of form."""
    words = refusal.lower()

    def says(texts: tuple[str, ...]) -> bool:
        return any(text in words for text in texts)

    reply = getattr(method, "reply_parameters", None)
    if reply is not None and reply.quote is not None and says(_QUOTE):
        bare = {"quote": None, "quote_position": None, "quote_entities": None}
        return method.model_copy(update={"reply_parameters": reply.model_copy(update=bare)})
    if reply is not None and says(_REPLY):
        return method.model_copy(update={"reply_parameters": None})
    if says(_ENTITIES):
        return _without_entities(method)
    if isinstance(method, EditMessageMedia) and says(_MEDIUM):
        return EditMessageCaption(
            chat_id=method.chat_id,
            message_id=method.message_id,
            caption=method.media.caption,
            caption_entities=method.media.caption_entities,
        )
    return None


def _without_entities(method: TelegramMethod[Any]) -> TelegramMethod[Any] | None:
    """Plain words where the marks in them are not to be had."""
    if isinstance(method, EditMessageMedia):
        if method.media.caption_entities is None:
            return None
        medium = method.media.model_copy(update={"caption_entities": None})
        return method.model_copy(update={"media": medium})
    if not isinstance(method, SendMessage | CopyMessage | EditMessageText | EditMessageCaption):
        return None
    marked = [name for name in _ENTITY_FIELDS if getattr(method, name, None)]
    return method.model_copy(update=dict.fromkeys(marked)) if marked else None
