"""Hashes of operators' passwords: scrypt, as ``scrypt$<log2 n>$<r>$<p>$<salt>$<key>``."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

SCHEME: Final = "scrypt"
SALT_BYTES: Final = 16
KEY_BYTES: Final = 32

COST: Final = (15, 8, 1)
"""log2 n, r and p: some 80 ms and 32 MB for each try, as RFC 7914 has it for logins."""

COST_MAX: Final = (20, 32, 16)
MEMORY_MAX: Final = 256 * 1024 * 1024
"""A hash that asks for more is refused: settings must not be able to stop the program."""

PASSWORD_MIN: Final = 10
PASSWORD_MAX: Final = 1024
"""Characters; scrypt reads all of them, so there must be an end."""


class BadHash(ValueError):
    """It is no hash of ours, or one that would cost too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """A hash read from the settings."""

    log_n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    def matches(self, password: str) -> bool:
        """Takes some 80 ms of a core: call it in a thread. Compares in constant time."""
        return hmac.compare_digest(self._derive(password), self.key)

    def _derive(self, password: str) -> bytes:
        return hashlib.scrypt(
            password[:PASSWORD_MAX].encode("utf-8", "surrogatepass"),
            salt=self.salt,
            n=2**self.log_n,
            r=self.r,
            p=self.p,
            maxmem=MEMORY_MAX,
            dklen=len(self.key),
        )


def hash_password(password: str) -> str:
    """A new hash with a salt of its own.

    Raises:
        ValueError: The password is too short or too long.
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise ValueError(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    log_n, r, p = COST
    blank = PasswordHash(
        log_n=log_n, r=r, p=p, salt=secrets.token_bytes(SALT_BYTES), key=bytes(KEY_BYTES)
    )
    key = blank._derive(password)  # noqa: SLF001 - of the same module
    return f"{SCHEME}${log_n}${r}${p}${_encode(blank.salt)}${_encode(key)}"


def read_hash(text: str) -> PasswordHash:
    """The hash as it stands in the settings.

    Raises:
        BadHash: Its form or its cost is wrong; the message does not quote it.
    """
    try:
        scheme, log_n, r, p, salt, key = text.split("$")
        cost = int(log_n), int(r), int(p)
        found = PasswordHash(
            log_n=cost[0], r=cost[1], p=cost[2], salt=_decode(salt), key=_decode(key)
        )
    except ValueError:
        raise BadHash("is no hash; `topicdesk password` makes one") from None
    cheap = all(0 < value <= most for value, most in zip(cost, COST_MAX, strict=True))
    memory = 128 * found.r * 2**found.log_n if cheap else MEMORY_MAX
    if scheme != SCHEME or memory >= MEMORY_MAX:
        raise BadHash("is a hash of another kind or cost; `topicdesk password` makes one")
    if len(found.salt) < SALT_BYTES // 2 or len(found.key) < KEY_BYTES // 2:
        raise BadHash("is a hash that is too short; `topicdesk password` makes one")
    return found


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
