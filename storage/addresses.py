"""Addresses that name several servers, which no parser of URLs takes: split, and checked.

What is wrong is said as a ``ValueError`` that never quotes the address: it may hold a password.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

PORT_MAX: Final = 65535

_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#@]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One server. An IPv6 address stands there without its brackets."""

    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """An address, cut at its signs; nothing is decoded but the login's two halves."""

    scheme: str
    login: str
    """As it was written, without the ``@``."""
    hosts: str
    path: str
    query: str

    @property
    def username(self) -> str:
        return unquote(self.login.partition(":")[0])

    @property
    def password(self) -> str:
        return unquote(self.login.partition(":")[2])


def split(text: str) -> Parts:
    """The parts of an address.

    Raises:
        ValueError: It has no such shape.
    """
    found = _URL.fullmatch(text)
    if found is None or (found["login"] is None and "@" in text):
        raise ValueError("is not a URL; in a password / ? # are written %2F %3F %23")
    parts = {name: part or "" for name, part in found.groupdict().items()}
    return Parts(**{**parts, "scheme": parts["scheme"].lower()})


def hosts(tokens: Iterable[str], default_port: int) -> tuple[Host, ...]:
    """The servers that ``host``, ``host:port`` or ``[address]:port`` name, each only once.

    Raises:
        ValueError: One of them is none; it is told by its number, not by its name.
    """
    found: list[Host] = []
    for number, token in enumerate(tokens, 1):
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]@]+)(?::(\d{1,5}))?", token.strip())
        if match is None:
            raise ValueError(f"host {number} is not of the form host:port")
        port = int(match[2] or default_port)
        if not 0 < port <= PORT_MAX:
            raise ValueError(f"host {number} has a port that is none")
        host = Host(name=unquote(match[1].strip("[]")), port=port)
        if host in found:
            raise ValueError(f"host {number} is there twice")
        found.append(host)
    if not found:
        raise ValueError("names no host")
    return tuple(found)
