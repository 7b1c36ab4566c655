"""Messages, effects and states as JSON, and back. The only place that knows their stored form."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
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

STAND_IN = "\N{REPLACEMENT CHARACTER}"
NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""An escaped NUL in JSON; not the text backslash, u, 0000."""
HALF = re.compile("[\ud800-\udfff]")

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
        return Unreadable(detail=f"{kind.__name__}: {_why(error)}")
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
        if version not in UPCASTERS:
            raise CorruptSnapshot(f"snapshot version {version}; nothing lifts it")
        stored = UPCASTERS[version](stored)
        version += 1
    try:
        return _state.validate_python({k: v for k, v in stored.items() if k != VERSION})
    except (ValidationError, AssertionError) as error:
        raise CorruptSnapshot(_why(error)) from None


def clean(words: str) -> str:
    """Text without what Postgres cannot store: NUL, and halves of surrogate pairs."""
    if "\0" in words:
        words = words.replace("\0", STAND_IN)
    if not words.isascii() and HALF.search(words):
        words = words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return words


def dumps(value: object) -> str:
    """JSON that Postgres takes, whatever came in: what it cannot store is replaced, not refused.

    One message that can never be stored would hold up its chat's whole queue at Telegram.
    """
    try:
        written = orjson.dumps(value)
    except TypeError:  # half a surrogate pair, a number beyond 64 bits, or nested very deeply
        try:
            written = json.dumps(_cleaned(value), ensure_ascii=False, allow_nan=False).encode()
        except (RecursionError, ValueError):
            return '{"unstorable":true}'
    if b"\\u0000" in written:
        written = NUL.sub(rb"\1" + STAND_IN.encode(), written)
    return written.decode()


def _cleaned(value: object) -> object:
    match value:
        case str():
            return clean(value)
        case Mapping():
            return {clean(str(name)): _cleaned(part) for name, part in value.items()}
        case list() | tuple():
            return [_cleaned(part) for part in value]
        case _:
            return value


def _why(error: ValidationError | AssertionError) -> str:
    """Where and what is wrong, without the values: they are people's words."""
    if isinstance(error, AssertionError):
        return "it contradicts itself"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _fields(stored: Json) -> Json:
    return {key: value for key, value in stored.items() if key != TYPE}
