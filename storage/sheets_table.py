"""From the rows of a sheet, which anybody may have filled with anything, to clients' cards."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from actors.messages import Person
from actors.ports import ClientCard

ID_HEADERS: Final = frozenset(
    {"telegramid", "телеграмid", "телеграмид", "телеграммid", "tgid", "тгid", "тгид", "telegram"}
    | {"idtelegram", "idтелеграм", "iduser", "userid", "chatid", "idклиента", "clientid"}
)
"""Names of the column with Telegram's numeric id, as :func:`header_key` writes them."""

USERNAME_HEADERS: Final = frozenset(
    {"username", "user", "nick", "nickname", "telegramusername", "tgusername", "telegramnick"}
    | {"юзернейм", "ник", "никнейм", "имяпользователя", "юзернеймtelegram", "никtelegram"}
    | {"никвtelegram", "никвтелеграм", "юзернеймтелеграм", "логинtelegram", "telegram", "телеграм"}
)
"""Names of the column with the user name; a column «Telegram» may hold either of the two."""

_GROUPS = r"\d{1,3}(?:[\s,.'’]\d{3})+"
_ID = re.compile(rf"(\d{{1,16}}|{_GROUPS})(?:[.,]0{{1,2}})?", re.ASCII)
"""An id, also as a sheet shows a number: in groups of three digits, or with ``.00``."""

_USERNAME = re.compile(r"(?:(?:https?://)?t\.me/|@)?([a-z0-9_]{3,32})/?", re.IGNORECASE | re.ASCII)

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"})
"""Categories that are shown as a space: controls, direction overrides, private and line signs."""

_JOINER: Final = "\u200d"
"""Makes one picture of several: a family, a flag."""


class SheetUnread(Exception):
    """The sheet was not read, or is none with clients: what was read before is kept.

    ``reason`` holds nothing secret and nothing of the sheet's content; ``retry_after_s`` is how
    long Google wants to be left alone, if it said so.
    """

    def __init__(self, reason: str, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBounds:
    """How much of a sheet is looked at; the rest is left out."""

    rows_max: int = 100_000
    """Some 100 MB of memory at ten columns; a larger directory belongs in a database."""

    columns_max: int = 100
    """A card has far fewer lines; the rest of a wide sheet is calculation."""

    fields_max: int = 40
    """Lines of one card: what fits into one message with room for the client's name."""

    label_length_max: int = 64
    """A label is a column's name, not its description."""

    cell_length_max: int = 500
    """A cell may hold 50,000 characters; a whole Telegram message has 4,096."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A sheet, found by client. ``is_cut``: it has more rows than are looked at."""

    labels: tuple[tuple[int, str], ...] = ()
    by_id: dict[int, tuple[str, ...]] = field(default_factory=dict)
    by_username: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_cut: bool = False
    bounds: TableBounds = TableBounds()

    def card(self, client: Person) -> ClientCard | None:
        """By id; by user name only where a row names no id, as names pass to other people."""
        row = self.by_id.get(client.id)
        if row is None and client.username:
            row = self.by_username.get(client.username.removeprefix("@").lower())
        if row is None:
            return None
        length = self.bounds.cell_length_max
        filled = [
            (label, value)
            for column, label in self.labels
            if column < len(row) and (value := clean(row[column], length))
        ]
        return ClientCard(fields=tuple(filled[: self.bounds.fields_max])) if filled else None


def parse(body: bytes, bounds: TableBounds) -> Table:
    """Reads a ``ValueRange`` of the Sheets API; its first row that is not empty has the headers.

    Rows may be short, cells of any type; of several rows for one client the first counts.

    Raises:
        SheetUnread: It is not a ``ValueRange``, is empty, or no column tells whose a row is.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise SheetUnread("the answer is not JSON") from None
    values = answer.get("values", []) if isinstance(answer, dict) else None
    if not isinstance(values, list):
        raise SheetUnread("the answer is not a range of cells")
    rows = [_texts(row, bounds) for row in values[: bounds.rows_max + 1]]
    begin = next((at for at, row in enumerate(rows) if any(row)), None)
    if begin is None:
        raise SheetUnread("the first worksheet is empty")
    keys = [header_key(cell) for cell in rows[begin]]
    ids = [at for at, key in enumerate(keys) if key in ID_HEADERS]
    names = [at for at, key in enumerate(keys) if key in USERNAME_HEADERS]
    if not ids and not names:
        raise SheetUnread("no column is called Telegram ID or Username")
    table = Table(
        labels=_labels(rows[begin], {*ids, *names}, bounds),
        is_cut=len(values) > bounds.rows_max + 1,
        bounds=bounds,
    )
    for row in rows[begin + 1 :]:
        _index(table, row, ids, names)
    return table


def _texts(row: object, bounds: TableBounds) -> tuple[str, ...]:
    """A row as texts, cut a little later than shown, so that the cut is seen."""
    cells = row[: bounds.columns_max] if isinstance(row, list) else []
    return tuple(
        cell[: bounds.cell_length_max + 1]
        if isinstance(cell, str)
        else str(cell)
        if isinstance(cell, int | float)
        else ""
        for cell in cells
    )


def _index(table: Table, row: tuple[str, ...], ids: Sequence[int], names: Sequence[int]) -> None:
    found = [known for at in ids if at < len(row) and (known := telegram_id(row[at])) is not None]
    for known in found:
        table.by_id.setdefault(known, row)
    if found:
        return
    for at in names:
        if at < len(row) and (name := username(row[at])) is not None:
            table.by_username.setdefault(name, row)


def _labels(
    headers: tuple[str, ...], left_out: set[int], bounds: TableBounds
) -> tuple[tuple[int, str], ...]:
    """Columns to show, with their labels; a label that comes again gets a number."""
    labels: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for column, header in enumerate(headers):
        label = clean(header, bounds.label_length_max)
        if column in left_out or not label:
            continue
        seen[label] = seen.get(label, 0) + 1
        labels.append((column, label if seen[label] == 1 else f"{label} ({seen[label]})"))
    return tuple(labels)


def header_key(header: str) -> str:
    """A header without case, spaces and signs: ``Telegram ID`` and ``telegram_id`` are one."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", header[:64]).lower()))


def telegram_id(cell: str) -> int | None:
    found = _ID.fullmatch(" ".join(cell.split()))
    if found is None:
        return None
    number = int(re.sub(r"\D", "", found[1]))
    return number or None


def username(cell: str) -> str | None:
    """A user name in small letters, without ``@`` or the address before it."""
    found = _USERNAME.fullmatch(clean(cell, 100))
    return None if found is None else found[1].lower()


def clean(text: str, length: int) -> str:
    """The text on one line, without what cannot be seen, at most ``length`` characters.

    Text that looks like a formula or like markup stays as it is: cards are sent as plain text.
    """
    shown = "".join(
        " " if unicodedata.category(sign) in _HIDDEN and sign != _JOINER else sign for sign in text
    )
    line = " ".join(shown.split())
    return line if len(line) <= length else f"{line[: length - 1].rstrip()}…"
