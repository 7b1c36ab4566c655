"""Aiogram imported in one second instead of three, and in 65 MB instead of 165.

Aiogram declares some 440 types that name each other, asks pydantic to put off building them, and
then has every one built at the end of its import; a desk uses fifty. Here that last step only
keeps the names that the types refer to, and pydantic builds a type when it is first used, as it
does with any other that it has put off.
"""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pydantic import BaseModel

TYPES: Final = "aiogram.types"


def import_aiogram() -> None:
    """Imports it; does nothing if somebody has imported it before, in aiogram's own way."""
    if TYPES in sys.modules:
        return
    with _kept() as names:
        types = importlib.import_module(TYPES)
    if not names:
        return  # another way of aiogram's to build its types
    build = BaseModel.model_rebuild.__func__  # type: ignore[attr-defined]

    def build_with_names(  # called by pydantic at the first use, and by whoever wants it earlier
        cls: type[BaseModel],
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 0,
        _types_namespace: Mapping[str, Any] | None = None,
    ) -> bool | None:
        known = {**names, **(_types_namespace or {})}
        done: bool | None = build(
            cls, force=force, raise_errors=raise_errors, _types_namespace=known
        )
        return done

    methods = importlib.import_module("aiogram.methods.base")
    for base in (types.TelegramObject, methods.TelegramMethod, methods.Response):
        base.model_rebuild = classmethod(build_with_names)


def build_used() -> None:
    """Builds those that our modules name, in 0.3 s, so that no message has to wait for it."""
    for name, module in tuple(sys.modules.items()):
        if name.startswith("bot."):
            for kind in tuple(vars(module).values()):
                if getattr(kind, "__module__", "").startswith("aiogram.") and _is_model(kind):
                    kind.model_rebuild()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


@contextmanager
def _kept() -> Iterator[dict[str, Any]]:
    """Whatever is to be rebuilt meanwhile is not; the names it would have been built with."""
    names: dict[str, Any] = {}

    def keep(_: type[BaseModel], /, **options: Any) -> None:
        names.update(options.get("_types_namespace") or {})

    before = BaseModel.__dict__["model_rebuild"]
    BaseModel.model_rebuild = classmethod(keep)  # type: ignore[assignment, method-assign]
    try:
        yield names
    finally:
        BaseModel.model_rebuild = before  # type: ignore[method-assign]
