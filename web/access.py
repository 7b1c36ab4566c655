"""Who may look: whoever knows the token, or, without one, only this machine."""

import hashlib
import hmac
import ipaddress
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

COOKIE: Final = "topicdesk_status"

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""A proxy on this machine connects from loopback too; it says so by one of these."""


class Entry(Enum):
    """What to do with a request for what only operators may see."""

    ALLOWED = auto()
    NEEDS_TOKEN = auto()
    """There is a token, and this request does not know it."""
    CLOSED = auto()
    """There is no token, and the server or this request is not of this machine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """The token and how it is guarded. Times in seconds."""

    token: str | None = field(default=None, repr=False)

    session_s: int = 12 * 3600
    """A working day; then one signs in again."""

    failures_max: int = 10
    """Wrong tokens of one address within the window before it has to wait."""

    failures_window_s: float = 60.0

    peers_max: int = 1024
    """Addresses whose wrong tokens are remembered; the longest known is forgotten first."""


class Access:
    """Decides on requests. ``clock`` is wall time in seconds, since cookies outlive the process."""

    def __init__(self, options: AccessOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        token = options.token or ""
        self._digest = _digest(token)
        # From the token alone: every node knows a cookie of every other, and a new token ends all.
        self._key = hmac.digest(token.encode(), b"topicdesk status cookie", "sha256")

    @property
    def has_token(self) -> bool:
        return self._options.token is not None

    def check(
        self, peer: str | None, headers: Mapping[str, str], cookie: str | None, *, loopback: bool
    ) -> Entry:
        """``headers`` by lower-case name; ``peer`` is the address of the connection itself.

        ``loopback``: the server listens where only this machine can reach it.
        """
        if self._options.token is None:
            is_local = loopback and _is_local(peer, headers)
            return Entry.ALLOWED if is_local else Entry.CLOSED
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip(), peer):
            return Entry.ALLOWED
        if cookie is not None and self._is_session(cookie):
            return Entry.ALLOWED
        return Entry.NEEDS_TOKEN

    def must_wait(self, peer: str | None) -> bool:
        """Whether this address gave too many wrong tokens lately for another try."""
        failures = self._failures.get(peer or "", deque())
        since = self._clock() - self._options.failures_window_s
        while failures and failures[0] < since:
            failures.popleft()
        return len(failures) >= self._options.failures_max

    def is_token(self, given: str, peer: str | None) -> bool:
        """Compares in constant time; wrong ones are counted, and too many close the door."""
        if self._options.token is None or self.must_wait(peer):
            return False
        right = hmac.compare_digest(_digest(given), self._digest)
        if not right:
            self._failures.setdefault(peer or "", deque()).append(self._clock())
            if len(self._failures) > self._options.peers_max:
                self._failures.popitem(last=False)
        return right

    def session(self) -> tuple[str, int]:
        """A cookie for somebody who gave the token, and for how many seconds it is good."""
        expires = str(int(self._clock()) + self._options.session_s)
        return f"{expires}.{self._sign(expires)}", self._options.session_s

    def _is_session(self, cookie: str) -> bool:
        expires, _, signature = cookie.partition(".")
        genuine = hmac.compare_digest(self._sign(expires).encode(), signature.encode())
        return genuine and expires.isdecimal() and int(expires) > self._clock()

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _is_local(peer: str | None, headers: Mapping[str, str]) -> bool:
    """Whether somebody on this machine asks, and not through a proxy or a rebound name.

    A page in the operator's browser may point a name of its own at 127.0.0.1; such a request
    carries that name as its host.
    """
    try:
        loopback = peer is not None and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
    host = headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return loopback and name in _LOCAL_HOSTS and not any(key in headers for key in _FORWARDED)
