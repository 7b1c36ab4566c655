"""Rows that earlier releases wrote are read by this one: the corpus only ever grows."""

import json
from pathlib import Path
from typing import Any

import pytest

from actors.effects import EFFECT_TYPES
from actors.messages import MESSAGE_TYPES, Unreadable
from actors.state import SNAPSHOT_VERSION
from storage.codec import decode_effect, decode_message, decode_state, encode, encode_state
from tests import golden

FOLDER = Path(golden.__file__).parent


def corpus(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return found


def is_kept(stored: Any, again: Any) -> bool:
    """Whether all that was stored is there again; fields that came later may be beside it."""
    if isinstance(stored, dict) and isinstance(again, dict):
        return all(name in again and is_kept(stored[name], again[name]) for name in stored)
    if isinstance(stored, list) and isinstance(again, list):
        pairs = zip(stored, again, strict=False)
        return len(stored) == len(again) and all(is_kept(was, now) for was, now in pairs)
    return bool(stored == again)


@pytest.mark.parametrize("name", corpus("messages"))
def test_every_message_ever_stored_is_read(name: str) -> None:
    stored = corpus("messages")[name]
    message = decode_message(stored)
    assert type(message).__name__ == stored["type"]
    assert not isinstance(message, Unreadable) or stored["type"] == "Unreadable"
    assert is_kept(stored, encode(message)), "a field has lost its value"


@pytest.mark.parametrize("name", corpus("effects"))
def test_every_effect_ever_stored_is_read(name: str) -> None:
    stored = corpus("effects")[name]
    assert is_kept(stored, encode(decode_effect(stored))), "a field has lost its value"


@pytest.mark.parametrize("name", corpus("snapshots"))
def test_every_snapshot_ever_stored_is_read(name: str) -> None:
    stored = corpus("snapshots")[name]
    again = encode_state(decode_state(stored))
    assert again["v"] == SNAPSHOT_VERSION
    if stored["v"] == SNAPSHOT_VERSION:
        assert is_kept(stored, again), "a field has lost its value"


def test_the_corpus_holds_every_type_and_every_version() -> None:
    """A new type is added with ``python -m tests.golden.write``."""
    assert {kind.__name__ for kind in MESSAGE_TYPES} <= corpus("messages").keys()
    assert {kind.__name__ for kind in EFFECT_TYPES} <= corpus("effects").keys()
    versions = {stored["v"] for stored in corpus("snapshots").values()}
    assert versions == set(range(1, SNAPSHOT_VERSION + 1))
