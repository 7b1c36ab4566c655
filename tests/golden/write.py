"""Adds to the corpus what it lacks: ``python -m tests.golden.write``, after a type was added.

A field that was added to a type that is there already needs no new entry, only a default: the
entry without the field is what shows that older rows are still read.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from actors.effects import EFFECT_TYPES
from actors.ids import TechnicianId
from actors.messages import MESSAGE_TYPES
from actors.places import Place, mirror
from actors.state import SNAPSHOT_VERSION, TicketState
from storage.codec import encode, encode_state

FOLDER = Path(__file__).parent

PLAIN: Mapping[Any, Any] = {
    str: "Привет, «мир» 🙂",
    int: 7,
    float: 1.5,
    bool: True,
    Place: mirror(TechnicianId(3)),
    datetime: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
}


def sample(kind: Any) -> Any:
    """A value of the type with every field filled."""
    if isinstance(kind, typing.TypeAliasType):
        return sample(kind.__value__)
    if isinstance(kind, typing.NewType):
        return sample(kind.__supertype__)
    if kind in PLAIN:
        return PLAIN[kind]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = [field.name for field in dataclasses.fields(kind) if field.init]
        return typing.cast("Callable[..., Any]", kind)(**{n: sample(hints[n]) for n in fields})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    return _compound(typing.get_origin(kind), typing.get_args(kind))


def _compound(origin: Any, args: tuple[Any, ...]) -> Any:
    if origin in {typing.Union, types.UnionType}:
        return sample(next(arg for arg in args if arg is not type(None)))
    if origin is typing.Literal:
        return args[0]
    if origin is tuple:
        return tuple(sample(arg) for arg in args if arg is not Ellipsis)
    if origin is not None and issubclass(origin, Mapping):
        return {sample(args[0]): "value"}
    raise TypeError(f"no sample of {origin}[{args}]")


def main() -> None:
    _add("messages", {kind.__name__: partial(_encoded, kind) for kind in MESSAGE_TYPES})
    _add("effects", {kind.__name__: partial(_encoded, kind) for kind in EFFECT_TYPES})
    _add("snapshots", {f"v{SNAPSHOT_VERSION}": lambda: encode_state(sample(TicketState))})


def _encoded(kind: type[Any]) -> dict[str, Any]:
    return encode(sample(kind))


def _add(name: str, makers: Mapping[str, Callable[[], dict[str, Any]]]) -> None:
    path = FOLDER / f"{name}.json"
    corpus = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for entry in makers.keys() - corpus.keys():
        corpus[entry] = makers[entry]()
    text = json.dumps(corpus, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
