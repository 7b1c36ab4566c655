"""The two mark-up languages of the Bot API, with Telegram's complaints about bad ones."""

import re
import sys
from dataclasses import dataclass, field

from lab.telegram.entities import Entity, parse_error, units

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_SURROGATES = (0xD800, 0xDFFF)
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_TOKEN = re.compile(r"<(?P<tag>[^<>]*)>|&(?P<name>#\d+|#x[0-9a-fA-F]+|[a-zA-Z]+);|(?P<bad><)")
_TAG = re.compile(r"(/?)\s*([a-zA-Z-]+)\s*(.*?)\s*$", re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|(\S+)))?")


@dataclass(slots=True)
class _Builder:
    """The text so far and its length in UTF-16 units."""

    parts: list[str] = field(default_factory=list)
    at: int = 0
    entities: list[Entity] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.at += units(text)

    def mark(self, entity: Entity, start: int) -> None:
        if self.at > start:
            self.entities.append({**entity, "offset": start, "length": self.at - start})

    def done(self) -> tuple[str, list[Entity]]:
        self.entities.sort(key=_order)
        return "".join(self.parts), self.entities


def _order(entity: Entity) -> tuple[int, int]:
    offset, length = entity["offset"], entity["length"]
    assert isinstance(offset, int)
    assert isinstance(length, int)
    return offset, -length


def _byte_offset(text: str, index: int) -> int:
    return len(text[:index].encode())


def _character(name: str) -> str | None:
    if not name.startswith("#"):
        return _NAMED.get(name)
    digits = name[1:]
    code = int(f"0{digits}", 0) if digits.startswith("x") else int(digits)
    is_character = 0 < code <= sys.maxunicode and not _SURROGATES[0] <= code <= _SURROGATES[1]
    return chr(code) if is_character else None


def parse_html(text: str) -> tuple[str, list[Entity]]:
    """Telegram's HTML: a fixed set of tags, everything else must be escaped."""
    built = _Builder()
    opened: list[tuple[str, Entity, int]] = []
    last = 0
    for token in _TOKEN.finditer(text):
        built.add(text[last : token.start()])
        last = token.end()
        if (name := token["name"]) is not None:
            built.add(_character(name) or token.group())
            continue
        where = _byte_offset(text, token.start())
        parsed = None if token["bad"] else _TAG.match(token["tag"])
        if parsed is None:
            name = token["tag"] or ""
            raise parse_error(f'Unsupported start tag "{name}" at byte offset {where}')
        closing, tag, rest = parsed.group(1), parsed.group(2).lower(), parsed.group(3)
        if closing:
            _close(built, opened, tag, where)
        else:
            opened.append((tag, _entity_of(tag, rest, where), built.at))
    built.add(text[last:])
    if opened:
        raise parse_error(f'Can\'t find end tag corresponding to start tag "{opened[-1][0]}"')
    return built.done()


def _close(built: _Builder, opened: list[tuple[str, Entity, int]], tag: str, where: int) -> None:
    if not opened:
        raise parse_error(f"Unexpected end tag at byte offset {where}")
    expected, entity, start = opened.pop()
    if tag != expected:
        raise parse_error(
            f'Unmatched end tag at byte offset {where}, expected "</{expected}>", found "</{tag}>"'
        )
    if entity["type"] == "text_link" and not entity.get("url"):
        return
    built.mark(entity, start)


def _entity_of(tag: str, rest: str, where: int) -> Entity:
    kind = _TAGS.get(tag)
    attributes = {
        found[1].lower(): found[2] or found[3] or found[4] or ""
        for found in _ATTRIBUTE.finditer(rest)
    }
    if kind is None or (tag == "span" and attributes.get("class") != "tg-spoiler"):
        raise parse_error(f'Unsupported start tag "{tag}" at byte offset {where}')
    if tag == "blockquote" and "expandable" in attributes:
        return {"type": "expandable_blockquote"}
    if tag == "a":
        return {"type": kind, "url": re.sub(r"&amp;", "&", attributes.get("href", ""))}
    if tag == "tg-emoji":
        return {"type": kind, "custom_emoji_id": attributes.get("emoji-id", "")}
    if tag == "code" and attributes.get("class", "").startswith("language-"):
        return {"type": "pre", "language": attributes["class"].removeprefix("language-")}
    return {"type": kind}


_STYLES = {
    "*": "bold",
    "_": "italic",
    "__": "underline",
    "~": "strikethrough",
    "||": "spoiler",
}
_MARKDOWN = re.compile(
    r"\\(?P<escaped>[\x01-\x7e])"
    r"|```(?:(?P<language>\w+)\n)?(?P<pre>(?:[^`\\]|\\.)*)```"
    r"|`(?P<code>(?:[^`\\]|\\.)+)`"
    r"|(?P<open>\[)|\]\((?P<url>(?:[^)\\]|\\.)*)\)"
    r"|(?P<style>__|\|\||[*_~])"
    r"|(?P<reserved>[\[\]()`>#+\-=|{}.!])",
    re.DOTALL,
)


def parse_markdown(text: str) -> tuple[str, list[Entity]]:
    """MarkdownV2, without quotations and custom emoji."""
    built = _Builder()
    opened: list[tuple[str, int, int]] = []
    last = 0
    for token in _MARKDOWN.finditer(text):
        built.add(text[last : token.start()])
        last = token.end()
        where = _byte_offset(text, token.start())
        match token.lastgroup:
            case "escaped":
                built.add(token["escaped"])
            case "pre" | "code" | "language":
                _literal(built, token)
            case "open":
                opened.append(("[", built.at, where))
            case "url":
                link: Entity = {"type": "text_link", "url": token["url"]}
                _close_markdown(built, opened, "[", link, where)
            case "style" if any(mark == token["style"] for mark, _, _ in opened):
                style = token["style"]
                _close_markdown(built, opened, style, {"type": _STYLES[style]}, where)
            case "style":
                opened.append((token["style"], built.at, where))
            case _:
                raise parse_error(
                    f"Character '{token.group()}' is reserved and must be escaped "
                    "with the preceding '\\'"
                )
    built.add(text[last:])
    if opened:
        mark, _, where = opened[-1]
        name = _STYLES.get(mark, "text_link").capitalize()
        raise parse_error(f"Can't find end of {name} entity at byte offset {where}")
    return built.done()


def _literal(built: _Builder, token: re.Match[str]) -> None:
    start = built.at
    inner = token["pre"] if token["pre"] is not None else token["code"]
    built.add(re.sub(r"\\(.)", r"\1", inner))
    entity: Entity = {"type": "code" if token["pre"] is None else "pre"}
    if token["language"]:
        entity["language"] = token["language"]
    built.mark(entity, start)


def _close_markdown(
    built: _Builder, opened: list[tuple[str, int, int]], mark: str, entity: Entity, where: int
) -> None:
    if not opened or opened[-1][0] != mark:
        name = _STYLES.get(opened[-1][0] if opened else mark, "text_link").capitalize()
        raise parse_error(f"Can't find end of {name} entity at byte offset {where}")
    built.mark(entity, opened.pop()[1])
