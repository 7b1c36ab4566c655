"""Where Redis is: one server, those that its sentinels name, or a cluster."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

from storage import addresses
from storage.addresses import Host, Parts

SINGLE: Final = ("redis", "rediss", "unix")
SENTINEL: Final = ("redis+sentinel", "rediss+sentinel")
CLUSTER: Final = ("redis+cluster", "rediss+cluster")

SENTINEL_PORT: Final = 26379
REDIS_PORT: Final = 6379

OPTION: Final = "sentinel_password"
"""The one option after ``?`` of a Sentinel address: most sentinels want no password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentinelAddress:
    """Sentinels that know where the master of ``service`` is; the login is the master's."""

    sentinels: tuple[Host, ...]
    service: str
    database: int = 0
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """Some servers of a cluster; they tell of the others."""

    servers: tuple[Host, ...]
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse(text: str) -> SentinelAddress | ClusterAddress | str:
    """The address; one of a single server stays the text that redis-py itself reads.

    Raises:
        ValueError: It is none. It is not quoted: it may be secret.
    """
    scheme = text.partition("://")[0].lower() if "://" in text else ""
    if scheme in SENTINEL:
        return _sentinel(addresses.split(text))
    if scheme in CLUSTER:
        return _cluster(addresses.split(text))
    if scheme in SINGLE:
        return text
    raise ValueError(
        "must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, "
        "redis+cluster:// or rediss+cluster://"
    )


def _sentinel(parts: Parts) -> SentinelAddress:
    sentinels = addresses.hosts(_tokens(parts), SENTINEL_PORT)
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("names no service; after the sentinels stands /mymaster or /mymaster/0")
    if database and not (database.isascii() and database.isdigit()):
        raise ValueError("has a database that is no number; its end is /mymaster/0")
    options = parse_qsl(parts.query, keep_blank_values=True)
    if [name for name, _ in options if name != OPTION] or len(options) > 1:
        raise ValueError(f"knows no option after ? but one {OPTION}")
    return SentinelAddress(
        sentinels=sentinels,
        service=unquote(service),
        database=int(database or 0),
        tls=parts.scheme.startswith("rediss"),
        username=parts.username or None,
        password=parts.password or None,
        sentinel_password=dict(options).get(OPTION) or None,
    )


def _cluster(parts: Parts) -> ClusterAddress:
    if parts.path.strip("/") not in {"", "0"}:
        raise ValueError("names a database: a cluster has only number 0")
    if parts.query:
        raise ValueError("knows no options after ? for a cluster")
    return ClusterAddress(
        servers=addresses.hosts(_tokens(parts), REDIS_PORT),
        tls=parts.scheme.startswith("rediss"),
        username=parts.username or None,
        password=parts.password or None,
    )


def _tokens(parts: Parts) -> list[str]:
    return parts.hosts.split(",") if parts.hosts else []
