"""Who may look, and who may act: whoever knows the token or a password, else this machine alone.

A session is a cookie that carries a name and a time, signed with a key that hangs on what its owner
knows: every node knows the cookies of every other, and a new token or password ends all of them.
"""

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from web.passwords import PasswordHash, read_hash
from web.throttle import Throttle

COOKIE: Final = "topicdesk_status"

OPERATOR_NAME: Final = "operator"
"""In the log: whoever knows the token."""

LOCAL_NAME: Final = "local"
"""In the log: whoever sits at this machine, where no token is set."""

_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""A proxy on this machine connects from loopback too; it says so by one of these."""

_FOREIGN_SITES: Final = frozenset({"cross-site", "same-site"})
"""``Sec-Fetch-Site`` of a request that a page of somebody else made."""


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    """Look at everything."""
    OPERATOR = "operator"
    """Look, and act."""


class Entry(StrEnum):
    """Why somebody may not look."""

    LOGIN = "login"
    """There is a token or a user, and this request does not know any."""
    CLOSED = "closed"
    """There is none, and the server or this request is not of this machine alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One of ``STATUS_USERS``. ``password`` is the hash, read when the program starts."""

    name: str
    role: Role
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who asks, and what they may do. ``csrf`` must come back with every action."""

    name: str
    role: Role
    csrf: str = field(repr=False)
    by_cookie: bool
    """There is a session to end."""
    needs_csrf: bool = True
    """Not with a token in a header: no browser adds that by itself."""

    @property
    def may_act(self) -> bool:
        return self.role is Role.OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessOptions:
    """Token and users, and how they are guarded. Times in seconds."""

    token: str | None = field(default=None, repr=False)
    users: tuple[User, ...] = ()

    secret: str = field(default="", repr=False)
    """Something only the nodes know: without it a stolen hash would be a session."""

    session_s: int = 12 * 3600
    """A working day; then one signs in again."""

    failures_max: int = 10
    """Wrong tries of one address within the window before it has to wait."""

    failures_all_max: int = 200
    """And of all addresses together: guessing from many places is guessing as well."""

    failures_window_s: float = 60.0

    peers_max: int = 1024
    """Addresses whose wrong tries are remembered; the longest known is forgotten first."""


class Access:
    """Decides on requests. ``clock`` is wall time in seconds, since cookies outlive the process."""

    def __init__(self, options: AccessOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._throttle = Throttle(
            each_max=options.failures_max,
            all_max=options.failures_all_max,
            window_s=options.failures_window_s,
            peers_max=options.peers_max,
            clock=clock,
        )
        self._digest = _digest(options.token or "")
        self._users = {user.name: user for user in options.users}
        self._hashes = {user.name: read_hash(user.password) for user in options.users}
        self._nobody = next(iter(self._hashes.values()), None)
        self._own_key = secrets.token_bytes(32)

    @property
    def is_open(self) -> bool:
        """Nothing was set that anybody could know."""
        return self._options.token is None and not self._users

    @property
    def has_users(self) -> bool:
        return bool(self._users)

    def check(
        self, peer: str | None, headers: Mapping[str, str], cookie: str | None, *, loopback: bool
    ) -> Guest | Entry:
        """``headers`` by lower-case name; ``peer`` is the address of the connection itself.

        ``loopback``: the server listens where only this machine can reach it.
        """
        if self.is_open:
            if loopback and _is_local(peer, headers) and _has_local_name(headers):
                csrf = _sign(self._own_key, "csrf")
                return Guest(name=LOCAL_NAME, role=Role.OPERATOR, csrf=csrf, by_cookie=False)
            return Entry.CLOSED
        if self.is_bearer(peer, headers):
            return Guest(
                name=OPERATOR_NAME, role=Role.OPERATOR, csrf="", by_cookie=False, needs_csrf=False
            )
        guest = None if cookie is None else self._session(cookie)
        return Entry.LOGIN if guest is None else guest

    def may_probe(self, peer: str | None, headers: Mapping[str, str]) -> bool:
        """Whether ``/readyz`` and ``/metrics`` answer: to this machine, or with the token."""
        return _is_local(peer, headers) or self.is_bearer(peer, headers)

    def is_bearer(self, peer: str | None, headers: Mapping[str, str]) -> bool:
        """Whether the request carries the token in its header."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(given.strip(), peer)

    def is_genuine(self, guest: Guest, headers: Mapping[str, str], given: str | None) -> bool:
        """Whether an action was meant by who asks: it carries what only our own pages know."""
        if headers.get("sec-fetch-site", "").lower() in _FOREIGN_SITES:
            return False
        if not guest.needs_csrf:
            return True
        return hmac.compare_digest((given or "").encode("utf-8", "replace"), guest.csrf.encode())

    def is_token(self, given: str, peer: str | None) -> bool:
        """Compares in constant time; wrong ones are counted, and too many close the door."""
        if self._options.token is None or self._throttle.must_wait(peer):
            return False
        right = hmac.compare_digest(_digest(given), self._digest)
        if not right:
            self._throttle.failed(peer)
        return right

    def begin_login(self, peer: str | None) -> bool:
        """Whether this address may try now. The try counts as failed until :meth:`welcome`."""
        if self._throttle.must_wait(peer):
            return False
        self._throttle.failed(peer)
        return True

    def welcome(self, peer: str | None) -> None:
        """The try that was begun was right."""
        self._throttle.forgive(peer)

    def matches(self, name: str, password: str) -> bool:
        """Takes some 80 ms, as long for a name that there is not: call it in a thread."""
        known: PasswordHash | None = self._hashes.get(name)
        found = known or self._nobody
        return found is not None and found.matches(password) and known is not None

    def matches_token(self, given: str) -> bool:
        """Uncounted: between :meth:`begin_login` and :meth:`welcome`."""
        return self._options.token is not None and hmac.compare_digest(_digest(given), self._digest)

    def session(self, name: str = OPERATOR_NAME) -> tuple[str, int]:
        """A cookie for somebody who signed in, and for how many seconds it is good."""
        expires = int(self._clock()) + self._options.session_s
        who = base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")
        text = f"{who}.{expires}.{secrets.token_urlsafe(9)}"
        key = self._key(name)
        assert key is not None, "nobody signs in without a token or a password"
        return f"{text}.{_sign(key, text)}", self._options.session_s

    def _session(self, cookie: str) -> Guest | None:
        text, _, signature = cookie.rpartition(".")
        who, _, rest = text.partition(".")
        expires, _, _ = rest.partition(".")
        name = _name(who)
        key = None if name is None else self._key(name)
        if name is None or key is None:
            return None
        if not hmac.compare_digest(_sign(key, text).encode(), signature.encode("utf-8", "replace")):
            return None
        if not expires.isdecimal() or int(expires) <= self._clock():
            return None
        user = self._users.get(name)
        role = Role.OPERATOR if user is None else user.role
        return Guest(name=name, role=role, csrf=_sign(key, f"csrf {text}"), by_cookie=True)

    def _key(self, name: str) -> bytes | None:
        """What signs a name's cookies; ``None``: there is no such name."""
        user = self._users.get(name)
        if user is not None:
            known = f"user {user.password}"
        elif name == OPERATOR_NAME and self._options.token is not None:
            known = f"token {self._options.token}"
        else:
            return None
        about = f"topicdesk status cookie {known}".encode()
        return hmac.digest(self._options.secret.encode(), about, "sha256")


def _name(who: str) -> str | None:
    try:
        return base64.urlsafe_b64decode(who.encode("ascii") + b"=" * (-len(who) % 4)).decode()
    except ValueError:
        return None


def _sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _is_local(peer: str | None, headers: Mapping[str, str]) -> bool:
    """Whether somebody on this machine asks, and not through a proxy."""
    try:
        loopback = peer is not None and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False
    return loopback and not any(key in headers for key in _FORWARDED)


def _has_local_name(headers: Mapping[str, str]) -> bool:
    """Whether the machine was asked by its own name.

    A page in the operator's browser may point a name of its own at 127.0.0.1; such a request
    carries that name as its host.
    """
    host = headers.get("host", "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name in _LOCAL_HOSTS
