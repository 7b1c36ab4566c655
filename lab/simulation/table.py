"""Tables in memory: keyed rows, unique columns, groups, and a journal that can be undone."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple


class DuplicateKey(Exception):
    """A row with that key, or that value of a unique column, is there already."""


class Change(NamedTuple):
    """One row before and after; ``None`` where there was or is none."""

    table: str
    key: Hashable
    before: Any
    after: Any


type Journal = list[Change]
type Column = Callable[[Any], Hashable]


class Table[Key: Hashable, Row]:
    """Rows are immutable; a change replaces them. All changes go to the journal.

    ``unique`` and ``groups`` compute a value of a row; rows whose value is ``None`` are left out.
    Rows of a group come in the order in which they joined it.
    """

    def __init__(
        self,
        name: str,
        journal: Journal,
        key: Callable[[Row], Key],
        *,
        unique: Mapping[str, Column] | None = None,
        groups: Mapping[str, Column] | None = None,
    ) -> None:
        self.name = name
        self._journal = journal
        self._key = key
        self._rows: dict[Key, Row] = {}
        self._unique: dict[str, tuple[Column, dict[Hashable, Key]]] = {
            column: (value, {}) for column, value in (unique or {}).items()
        }
        self._groups: dict[str, tuple[Column, dict[Hashable, dict[Key, None]]]] = {
            column: (value, {}) for column, value in (groups or {}).items()
        }

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def get(self, key: Key) -> Row | None:
        return self._rows.get(key)

    def __getitem__(self, key: Key) -> Row:
        return self._rows[key]

    def find(self, column: str, value: Hashable) -> Row | None:
        """The row with that value of a unique column."""
        key = self._unique[column][1].get(value)
        return None if key is None else self._rows[key]

    def group(self, column: str, value: Hashable) -> list[Row]:
        """The rows with that value."""
        return [self._rows[key] for key in self._groups[column][1].get(value, ())]

    def groups(self, column: str) -> list[Hashable]:
        """The values that have rows."""
        return list(self._groups[column][1])

    def add(self, row: Row) -> Row:
        """Adds a new row.

        Raises:
            DuplicateKey: Its key or a unique value is taken.
        """
        key = self._key(row)
        if key in self._rows:
            raise DuplicateKey(f"{self.name}: {key!r}")
        self._replace(key, row)
        return row

    def put(self, row: Row) -> Row:
        """Adds the row, or puts it in the place of the one with its key.

        Raises:
            DuplicateKey: Another row has a unique value of it.
        """
        self._replace(self._key(row), row)
        return row

    def delete(self, key: Key) -> None:
        if key in self._rows:
            self._replace(key, None)

    def undo(self, change: Change) -> None:
        """Takes one change back; the journal is the caller's to shorten."""
        self._index(change.key, change.after, change.before)

    def _replace(self, key: Key, row: Row | None) -> None:
        before = self._rows.get(key)
        if row is not None:
            for column, (value, index) in self._unique.items():
                new = value(row)
                taken = index.get(new)
                if new is not None and taken is not None and taken != key:
                    raise DuplicateKey(f"{self.name}.{column}: {new!r}")
        self._index(key, before, row)
        self._journal.append(Change(table=self.name, key=key, before=before, after=row))

    def _index(self, key: Any, before: Any, after: Any) -> None:
        for value, index in self._unique.values():
            old = None if before is None else value(before)
            new = None if after is None else value(after)
            if old != new and index.get(old) == key:
                del index[old]
            if new is not None:
                index[new] = key
        for value, members in self._groups.values():
            old = None if before is None else value(before)
            new = None if after is None else value(after)
            if old == new:
                continue
            if old is not None:
                del members[old][key]
                if not members[old]:
                    del members[old]
            if new is not None:
                members.setdefault(new, {})[key] = None
        if after is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = after
