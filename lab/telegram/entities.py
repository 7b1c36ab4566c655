"""Entities: measuring texts, and what Telegram marks by itself.

Offsets and lengths count UTF-16 units, as everywhere in the Bot API.
"""

import re

from lab.telegram.errors import ApiError, bad_request

type Entity = dict[str, object]


def units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse_error(what: str) -> ApiError:
    return bad_request(f"can't parse entities: {what}")


def as_int(value: object) -> int:
    assert isinstance(value, int)
    return value


_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)\]])"
    r"|(?P<email>[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?<![\w/])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{4,32})?)(?![\w/])"
    r"|(?<![\w@])(?P<mention>@[A-Za-z][A-Za-z0-9_]{2,31})(?!\w)"
    r"|(?<![\w#])(?P<hashtag>#[^\W\d_]\w*|#\d+[^\W\d]\w*)"
)


def with_found(text: str, entities: list[Entity]) -> list[Entity]:
    """Adds the links, commands, mentions and hashtags that Telegram marks by itself."""
    if "/" not in text and "@" not in text and "#" not in text:
        return entities
    result = list(entities)
    for match in _FOUND.finditer(text):
        offset = units(text[: match.start()])
        length = units(match.group())
        if all(
            offset + length <= as_int(known["offset"])
            or as_int(known["offset"]) + as_int(known["length"]) <= offset
            for known in entities
        ):
            result.append({"type": match.lastgroup, "offset": offset, "length": length})
    result.sort(key=lambda entity: as_int(entity["offset"]))
    return result
