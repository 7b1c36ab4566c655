"""A text as a request gives it, to the text and entities that people see."""

from lab.telegram.entities import Entity, as_int, parse_error, units, with_found
from lab.telegram.errors import bad_request
from lab.telegram.markup import parse_html, parse_markdown

TEXT_UNITS_MAX = 4096
CAPTION_UNITS_MAX = 1024

_PARSERS = {"html": parse_html, "markdownv2": parse_markdown, "markdown": parse_markdown}


def marked_text(
    text: str,
    parse_mode: str | None,
    entities: list[Entity] | None,
    *,
    units_max: int,
) -> tuple[str, list[Entity]]:
    """The text as it will show, stripped, and its entities.

    Raises:
        ApiError: 400 for marks that do not parse, entities that lie beyond the text, and texts
            longer than ``units_max`` after parsing.
    """
    if parse_mode:
        chosen = _PARSERS.get(parse_mode.lower())
        if chosen is None:
            raise bad_request("unsupported parse_mode")
        text, found = chosen(text)
    else:
        found = [dict(entity) for entity in entities or ()]
        _check_range(found, units(text))
    text, found = _stripped(text, found)
    if len(text) * 2 > units_max and units(text) > units_max:
        what = "message" if units_max == TEXT_UNITS_MAX else "message caption"
        raise bad_request(f"{what} is too long")
    return text, with_found(text, found)


def _check_range(entities: list[Entity], length: int) -> None:
    for entity in entities:
        offset, size = entity["offset"], entity["length"]
        inside = (
            isinstance(offset, int)
            and isinstance(size, int)
            and offset >= 0
            and size > 0
            and offset + size <= length
        )
        if not inside:
            raise parse_error(f"entity {entity['type']} lies beyond the text")


def _stripped(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Telegram cuts white space at both ends and moves the entities with it."""
    shown = text.strip()
    if len(shown) == len(text) or not entities:
        return shown, entities
    before = units(text[: len(text) - len(text.lstrip())])
    length = units(shown)
    moved = []
    for entity in entities:
        start = max(as_int(entity["offset"]) - before, 0)
        end = min(as_int(entity["offset"]) - before + as_int(entity["length"]), length)
        if end > start:
            moved.append({**entity, "offset": start, "length": end - start})
    return shown, moved
