"""Compares what people wrote with what arrived, joined or not: pure."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"<(\d+):(\d+)>")


def token(client: int, number: int) -> str:
    """What a message says, so that it is found again inside of a joined one."""
    return f"<{client}:{number}>"


def tokens(text: str) -> list[tuple[int, int]]:
    return [(int(client), int(number)) for client, number in _TOKEN.findall(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``waits`` are seconds from written to arrived, by client and number.

    ``messages`` arrived with something in them that was written; of these, ``doubled`` held
    something that had arrived before.
    """

    waits: Mapping[tuple[int, int], float]
    lost: int
    doubled: int
    out_of_order: int
    messages: int


def judge(sent: Mapping[tuple[int, int], float], arrived: Iterable[Mapping[str, Any]]) -> Verdict:
    """``sent`` says when each was written; ``arrived`` are messages in the order of their chat."""
    waits: dict[tuple[int, int], float] = {}
    last: dict[int, int] = defaultdict(lambda: -1)
    doubled = out_of_order = messages = 0
    for message in arrived:
        found = [each for each in tokens(message["text"] or "") if each in sent]
        messages += bool(found)
        doubled += any(each in waits for each in found)
        for client, number in found:
            if (client, number) in waits:
                continue
            waits[client, number] = message["at"] - sent[client, number]
            out_of_order += number < last[client]
            last[client] = max(number, last[client])
    return Verdict(
        waits=waits,
        lost=len(sent) - len(waits),
        doubled=doubled,
        out_of_order=out_of_order,
        messages=messages,
    )


def optimum_s(calls: int, most: int, window_s: float) -> float:
    """The least time for so many calls when any window takes so many: the last one's start."""
    return math.ceil(calls / most) * window_s - window_s if calls else 0.0


def joined_calls(texts: Sequence[str], *, head: int, stamp: int, most: int) -> int:
    """How few messages hold these texts, each with its stamp, under a head, in UTF-16 units."""
    calls, used = 0, most + 1
    for text in texts:
        units = stamp + len(text.encode("utf-16-le")) // 2 + 1
        if used + units > most:
            calls, used = calls + 1, head
        used += units
    return calls
