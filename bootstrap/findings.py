"""What an examination finds: one line per thing looked at."""

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import anyio

CHECK_TIMEOUT_S: Final = 20.0
"""No check waits longer: a firewall that swallows packets must not hang the doctor."""


class Verdict(StrEnum):
    OK = "OK"
    NOTE = "NOTE"
    """Worth a look, but nothing fails by it."""
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``detail`` says how it is, ``advice`` what to do; without advice all is well."""

    name: str
    detail: str
    advice: str = ""
    is_note: bool = False

    @property
    def verdict(self) -> Verdict:
        if self.is_note:
            return Verdict.NOTE
        return Verdict.FAIL if self.advice else Verdict.OK

    def __str__(self) -> str:
        line = f"{self.verdict:<5} {self.name:<12} {self.detail}"
        return f"{line}: {self.advice}" if self.advice else line


async def in_time(
    name: str, check: Awaitable[Finding], timeout_s: float = CHECK_TIMEOUT_S
) -> Finding:
    """The check's finding, or one that says that it took too long."""
    with anyio.move_on_after(timeout_s):
        return await check
    return Finding(
        name=name,
        detail=f"no answer within {timeout_s:.0f} s",
        advice="look at the network between here and there, and at firewalls",
    )
