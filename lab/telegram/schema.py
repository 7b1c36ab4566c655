"""Strict checks of request parameters, compiled once from :mod:`lab.telegram.table`.

The same check serves JSON bodies, where values come typed, and forms, where all come as text and
objects as JSON in text. The real server ignores unknown fields and bends types; here both are
errors, so that a client's mistakes show (``strict=False`` lets unknown fields pass).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from lab.telegram.errors import bad_request
from lab.telegram.keyboards import check_inline, check_markup
from lab.telegram.table import METHODS

type Check = Callable[[object], object]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came as a part of a multipart form."""

    name: str
    mime: str
    data: bytes


class WrongTypeError(ValueError):
    """The text says what was expected."""


def _integer(value: object) -> int:
    if type(value) is int:
        return value
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    raise WrongTypeError("an integer")


def _number(value: object) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass  # falls through to the one error below
    raise WrongTypeError("a number")


_TRUTHS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}


def _boolean(value: object) -> bool:
    if type(value) is bool:
        return value
    if isinstance(value, str) and value in _TRUTHS:
        return _TRUTHS[value]
    raise WrongTypeError("a boolean")


def _string(value: object) -> str:
    if type(value) is str:
        return value
    raise WrongTypeError("a string")


def _chat(value: object) -> int | str:
    if type(value) is int:
        return value
    if isinstance(value, str):
        if value.removeprefix("-").isdecimal():
            return int(value)
        if value.startswith("@"):
            return value
        raise bad_request("chat not found")
    raise WrongTypeError("a chat id or @username")


def _file(value: object) -> str | Upload:
    if isinstance(value, str | Upload):
        return value
    raise WrongTypeError("a file, a file_id or a URL")


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise WrongTypeError("a JSON-serialized value") from None


def _object(value: object) -> dict[str, object]:
    decoded = _decoded(value)
    if isinstance(decoded, dict):
        return decoded
    raise WrongTypeError("an object")


def _array(value: object) -> list[object]:
    decoded = _decoded(value)
    if isinstance(decoded, list):
        return decoded
    raise WrongTypeError("an array")


def _integers(value: object) -> list[int]:
    return [_integer(item) for item in _array(value)]


def _strings(value: object) -> list[str]:
    return [_string(item) for item in _array(value)]


def _objects(value: object) -> list[dict[str, object]]:
    return [_object(item) for item in _array(value)]


def _options(value: object) -> list[dict[str, object]]:
    """Poll options; plain strings are what the API took before 7.3 and still takes."""
    items = _array(value)
    return [{"text": item} if isinstance(item, str) else _object(item) for item in items]


_REPLY_FIELDS: dict[str, Check] = {
    "message_id": _integer,
    "chat_id": _chat,
    "allow_sending_without_reply": _boolean,
    "quote": _string,
    "quote_parse_mode": _string,
    "quote_entities": _objects,
    "quote_position": _integer,
    "checklist_task_id": _integer,
    "poll_option_id": _string,
    "ephemeral_message_id": _integer,
}


def _reply(value: object) -> dict[str, object]:
    checked = _fields(_object(value), _REPLY_FIELDS, "reply_parameters")
    if "message_id" not in checked:
        raise WrongTypeError("an object with message_id")
    return checked


_ENTITY_FIELDS: dict[str, Check] = {
    "type": _string,
    "offset": _integer,
    "length": _integer,
    "url": _string,
    "user": _object,
    "language": _string,
    "custom_emoji_id": _string,
    "unix_time": _integer,
    "date_time_format": _string,
}


def _entities(value: object) -> list[dict[str, object]]:
    checked = [_fields(item, _ENTITY_FIELDS, "entity") for item in _objects(value)]
    for entity in checked:
        if not {"type", "offset", "length"} <= entity.keys():
            raise WrongTypeError("entities with type, offset and length")
    return checked


_COMMAND_FIELDS: dict[str, Check] = {
    "command": _string,
    "description": _string,
    "is_ephemeral": _boolean,
}


def _commands(value: object) -> list[dict[str, object]]:
    return [_fields(item, _COMMAND_FIELDS, "command") for item in _objects(value)]


def _fields(value: dict[str, object], known: Mapping[str, Check], what: str) -> dict[str, object]:
    checked: dict[str, object] = {}
    for name, item in value.items():
        check = known.get(name)
        if check is None:
            raise bad_request(f'unknown field "{name}" in {what}')
        if item is not None:
            checked[name] = check(item)
    return checked


def _markup(value: object) -> dict[str, object]:
    return check_markup(_object(value))


def _inline(value: object) -> dict[str, object]:
    return check_inline(_object(value))


_KINDS: dict[str, Check] = {
    "int": _integer,
    "float": _number,
    "bool": _boolean,
    "str": _string,
    "chat": _chat,
    "file": _file,
    "object": _object,
    "ints": _integers,
    "strs": _strings,
    "options": _options,
    "reply": _reply,
    "entities": _entities,
    "commands": _commands,
    "reactions": _objects,
    "media": _object,
    "media_list": _objects,
    "markup": _markup,
    "inline": _inline,
}

_EMPTY = {
    "chat_id": "chat_id is empty",
    "from_chat_id": "from_chat_id is empty",
    "text": "message text is empty",
    "message_id": "message identifier is not specified",
}


@dataclass(frozen=True, slots=True)
class MethodSchema:
    """The checks of one method."""

    name: str
    checks: Mapping[str, Check]
    required: tuple[str, ...]

    def validate(self, given: Mapping[str, object], *, strict: bool) -> dict[str, object]:
        """Returns the parameters typed; those that are null are as if not given.

        Raises:
            ApiError: 400, with a text that names the parameter.
        """
        checks = self.checks
        checked: dict[str, object] = {}
        for name, value in given.items():
            if value is None:
                continue
            check = checks.get(name)
            if check is None:
                if strict and not isinstance(value, Upload):
                    raise bad_request(f'unknown field "{name}" in method {self.name}')
                checked[name] = value
                continue
            try:
                checked[name] = check(value)
            except WrongTypeError as wrong:
                raise bad_request(f'field "{name}" of {self.name} must be {wrong}') from None
        for name in self.required:
            if name not in checked:
                text = _EMPTY.get(name, f'parameter "{name}" is required')
                raise bad_request(text)
        return checked


def _compiled(name: str, line: str) -> MethodSchema:
    words = line.split()
    dropped = {word[1:] for word in words if word.startswith("-")}
    checks: dict[str, Check] = {}
    required: list[str] = []
    for word in words:
        if word.startswith("-"):
            continue
        parameter, kind = word.split(":")
        plain = parameter.removesuffix("!")
        if plain in dropped:
            continue
        checks[plain] = _KINDS[kind]
        if parameter.endswith("!"):
            required.append(plain)
    return MethodSchema(name, checks, tuple(required))


SCHEMAS: dict[str, MethodSchema] = {
    name.lower(): _compiled(name, line) for name, line in METHODS.items()
}
