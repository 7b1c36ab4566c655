"""Spoils real updates in the ways in which a stranger, a bug or a newer Telegram would."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

NUMBERS = (
    *(0, 1, -1, 2, 7, 42, 2**31 - 1, 2**31, 2**52, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30),
    *(0.5, -1.5, 1e300, 10**15 + 0.25),
)
TEXTS = (
    "",
    " ",
    "\u0000",
    "a\u0000b",
    "\ud800",  # half of a pair, as broken clients send it
    "\u202eevil\u202c",
    "👩‍👩‍👧‍👦" * 40,
    "x" * 5000,
    "я" * 4096,
    "/start",
    "/delete",
    "/close@topicdesk_demo_bot",
    "// aside",
    "'; DROP TABLE tickets; --",
    "{{7*7}} %s %d ${x}",
    "<b>&amp;</b>",
    "\r\n\t\x1b[31m",
    "123",
    "null",
)
KINDS = ("private", "group", "supergroup", "channel", "", "nonsense", None, 5)
ODD: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], {"": None}, *NUMBERS, *TEXTS)

PEOPLE_MAX = 40
"""New people and chats are drawn from so many, so that tickets see a second message, too."""

type Json = dict[str, Any]
type Spot = tuple[Any, Any]
"""A container and the key or index of one value in it."""


class Mutator:
    """Draws spoiled updates from real ones; the same ones for the same seed."""

    def __init__(self, seed: int, updates: Sequence[Json]) -> None:
        assert updates
        self._random = random.Random(seed)
        self._updates = [copy.deepcopy(update) for update in updates]
        self._number = 1_000_000_000

    def body(self) -> bytes:
        """One request's body; nineteen of twenty are JSON."""
        update = self._update()
        for _ in range(self._random.choice((0, 1, 1, 1, 2, 3, 8))):
            self._random.choice(self._WAYS)(self, update)
        text = json.dumps(update, ensure_ascii=self._random.random() < 0.5)
        body = text.encode(errors="surrogatepass")
        return body if self._random.random() < 0.95 else self._broken(body)

    def _update(self) -> Json:
        """A real one under a number of its own, seldom under one that was there."""
        update = copy.deepcopy(self._random.choice(self._updates))
        if self._random.random() < 0.9:
            self._number += self._random.choice((1, 1, 1, 5))
            update["update_id"] = self._number
        return update

    def _broken(self, body: bytes) -> bytes:
        at = self._random.randrange(len(body))
        match self._random.randrange(4):
            case 0:
                return body[:at]
            case 1:
                return body[:at] + bytes([self._random.randrange(256)]) + body[at + 1 :]
            case 2:
                return body[:at] + self._random.randbytes(3) + body[at:]
            case _:
                return body + body

    def _spots(self, update: Json, wanted: type | tuple[type, ...] = object) -> list[Spot]:
        found: list[Spot] = []
        left: list[Any] = [update]
        while left:
            value = left.pop()
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in pairs:
                if isinstance(inner, wanted):
                    found.append((value, key))
                if isinstance(inner, dict | list):
                    left.append(inner)
        return found

    def _spot(self, update: Json, wanted: type | tuple[type, ...] = object) -> Spot | None:
        spots = self._spots(update, wanted)
        return self._random.choice(spots) if spots else None

    def _replace(self, update: Json) -> None:
        if spot := self._spot(update):
            spot[0][spot[1]] = copy.deepcopy(self._random.choice(ODD))

    def _remove(self, update: Json) -> None:
        if spot := self._spot(update):
            del spot[0][spot[1]]

    def _number_instead(self, update: Json) -> None:
        if spot := self._spot(update, int):
            spot[0][spot[1]] = self._random.choice(NUMBERS)

    def _text_instead(self, update: Json) -> None:
        if spot := self._spot(update, str):
            spot[0][spot[1]] = self._random.choice(TEXTS)

    def _kind_instead(self, update: Json) -> None:
        spots = [spot for spot in self._spots(update) if spot[1] == "type"]
        if spots:
            container, key = self._random.choice(spots)
            container[key] = self._random.choice(KINDS)

    def _somebody_else(self, update: Json) -> None:
        number = 6_000_000_000 + self._random.randrange(PEOPLE_MAX)
        for container, key in self._spots(update, dict):
            if key in {"from", "chat", "user"} and "id" in container[key]:
                container[key]["id"] = number

    def _elsewhere(self, update: Json) -> None:
        for container, key in self._spots(update, int):
            if key in {"message_thread_id", "message_id"}:
                container[key] = self._random.randrange(1, 60)

    def _from_another(self, update: Json) -> None:
        """A part of another update at a place where it does not belong."""
        other = self._spot(self._random.choice(self._updates), (dict, list, str, int))
        if (spot := self._spot(update)) and other:
            spot[0][spot[1]] = copy.deepcopy(other[0][other[1]])

    def _doubled(self, update: Json) -> None:
        if spot := self._spot(update, list):
            spot[0][spot[1]] = spot[0][spot[1]] * self._random.choice((2, 50))

    def _unknown(self, update: Json) -> None:
        if spot := self._spot(update, dict):
            spot[0][spot[1]][self._random.choice(("new_field", "", "id", "text"))] = {"x": [1, "y"]}

    def _deep(self, update: Json) -> None:
        if spot := self._spot(update):
            value: Any = "bottom"
            for _ in range(self._random.choice((5, 60, 250))):
                value = {"reply_to_message": value}
            spot[0][spot[1]] = value

    def _button(self, update: Json) -> None:
        for container, key in self._spots(update, str):
            if key == "data":
                parts = container[key].split(":")
                at = self._random.randrange(len(parts))
                parts[at] = self._random.choice(("", "0", "-1", "999999999999999999999", "x", "1"))
                container[key] = ":".join(parts)

    _WAYS: tuple[Callable[["Mutator", Json], None], ...] = (
        *(_replace, _remove, _number_instead, _text_instead, _kind_instead, _somebody_else),
        *(_elsewhere, _from_another, _doubled, _unknown, _deep, _button),
    )
