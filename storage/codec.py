"""Messages, effects and states as JSON, and back. The only place that knows their stored form."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from actors.effects import EFFECT_TYPES, Effect, Text
from actors.errors import CorruptSnapshot
from actors.messages import MESSAGE_TYPES, Content, Message, Unreadable
from actors.state import SNAPSHOT_VERSION, TicketState

type Json = dict[str, Any]

TYPE = "type"
"""The field that names the class."""

VERSION = "v"
"""The field of a snapshot that names its form."""

UPCASTERS: Mapping[int, Callable[[Json], Json]] = {}
"""Lifts a snapshot of version ``n`` to ``n + 1``; one entry for each version that ever was."""

_adapters: dict[type[Any], TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (*MESSAGE_TYPES, *EFFECT_TYPES)
}
_messages: dict[str, type[Message]] = {kind.__name__: kind for kind in MESSAGE_TYPES}
_effects: dict[str, type[Effect]] = {kind.__name__: kind for kind in EFFECT_TYPES}
_state = TypeAdapter(TicketState)
_content = TypeAdapter(Content)
_text = TypeAdapter(Text)


def encode(value: Message | Effect) -> Json:
    """A message or an effect as JSON with its class name under ``type``."""
    kind = type(value)
    return {TYPE: kind.__name__, **_adapters[kind].dump_python(value, mode="json")}


def encode_content(content: Content) -> Json:
    return {**_content.dump_python(content, mode="json")}


def encode_text(text: Text) -> Json:
    return {**_text.dump_python(text, mode="json")}


def decode_message(stored: object) -> Message:
    """The message that was stored; what cannot be read comes back as ``Unreadable``, with why."""
    if not isinstance(stored, dict):
        return Unreadable(detail=f"stored as {type(stored).__name__}")
    kind = _messages.get(str(stored.get(TYPE)))
    if kind is None:
        return Unreadable(detail=f"unknown message {stored.get(TYPE)!r}")
    try:
        message: Message = _adapters[kind].validate_python(_fields(stored))
    except (ValidationError, AssertionError) as error:
        return Unreadable(detail=f"{kind.__name__}: {error}")
    return message


def decode_effect(stored: Json) -> Effect:
    """The effect that was stored.

    Raises:
        ValueError: It is none that this program knows.
    """
    kind = _effects.get(str(stored.get(TYPE)))
    if kind is None:
        raise ValueError(f"unknown effect {stored.get(TYPE)!r}")
    effect: Effect = _adapters[kind].validate_python(_fields(stored))
    return effect


def encode_state(state: TicketState) -> Json:
    return {VERSION: SNAPSHOT_VERSION, **_state.dump_python(state, mode="json")}


def decode_state(stored: Json) -> TicketState:
    """The state that was stored, lifted to today's form.

    Raises:
        CorruptSnapshot: It is broken, or written by a newer version of this program.
    """
    version = stored.get(VERSION)
    if not isinstance(version, int) or version > SNAPSHOT_VERSION:
        raise CorruptSnapshot(
            f"snapshot version {version!r}; this program knows {SNAPSHOT_VERSION}"
        )
    while version < SNAPSHOT_VERSION:
        stored = UPCASTERS[version](stored)
        version += 1
    try:
        return _state.validate_python({k: v for k, v in stored.items() if k != VERSION})
    except (ValidationError, AssertionError) as error:
        raise CorruptSnapshot(str(error)) from error


def _fields(stored: Json) -> Json:
    return {key: value for key, value in stored.items() if key != TYPE}
