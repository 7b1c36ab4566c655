"""From a DSN as people and hosting companies write it to one for SQLAlchemy with asyncpg."""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from storage import addresses
from storage.addresses import Host, Parts

SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")

OPTIONS: Final = frozenset(
    {"host", "port", "ssl", "prepared_statement_cache_size", "target_session_attrs"}
)
"""Options after ``?`` that the driver asyncpg understands."""

WANTED: Final = "target_session_attrs"

WRITABLE: Final = ("read-write", "primary", "any")
"""Which of several servers will do; a standby alone never does, for nothing can be written."""

DEFAULT_PORT: Final = 5432


def postgres_address(text: str) -> str:
    """The DSN for the driver; with several hosts it is the writable one that is wanted.

    Raises:
        ValueError: It is none. It is not quoted: it holds a password.
    """
    if text.partition("://")[0].lower() not in SCHEMES or "://" not in text:
        raise ValueError("must begin with postgresql:// or postgres:// or postgresql+asyncpg://")
    parts = addresses.split(text)
    pairs = [
        ("ssl" if name == "sslmode" else name, value) for name, value in parse_qsl(parts.query)
    ]
    if unknown := sorted({name for name, _ in pairs} - OPTIONS):
        raise ValueError(f"has options that the driver does not know: {', '.join(unknown)}")
    if not parts.path.strip("/"):
        raise ValueError("names no database")
    named = [value for name, value in pairs if name == "host"]
    if not parts.hosts and not named:
        raise ValueError("names no host")
    if parts.hosts and named:
        raise ValueError("names hosts twice: before the database, and as an option after ?")
    options = dict(pairs)
    if options.get(WANTED, WRITABLE[0]) not in WRITABLE:
        raise ValueError(f"has a {WANTED} that is not {', '.join(WRITABLE[:-1])} or any")
    if "," in parts.hosts or len(named) > 1 or "," in "".join(named):
        return _several(parts, options, named)
    if parts.hosts:
        addresses.hosts([parts.hosts], DEFAULT_PORT)
    return _made(parts, parts.hosts, options)


def _several(parts: Parts, options: dict[str, str], named: list[str]) -> str:
    tokens = (parts.hosts or ",".join(named)).split(",")
    ports = options.get("port", str(DEFAULT_PORT)).split(",")
    if not all(port.isascii() and port.isdigit() for port in ports):
        raise ValueError("has a port that is no number")
    if len(ports) == 1:
        ports *= len(tokens)
    if len(ports) != len(tokens):
        raise ValueError("must have one port for all hosts, or one for each")
    hosts: list[Host] = []
    for number, (token, port) in enumerate(zip(tokens, ports, strict=True), 1):
        try:
            hosts += addresses.hosts([token], int(port))
        except ValueError as error:
            raise ValueError(str(error).replace("host 1", f"host {number}", 1)) from None
    if len(set(hosts)) != len(hosts):
        raise ValueError("names a host twice")
    several = {
        "host": ",".join(host.name for host in hosts),
        "port": ",".join(str(host.port) for host in hosts),
    }
    return _made(parts, "", several | {WANTED: WRITABLE[0]} | options | several)


def _made(parts: Parts, hosts: str, options: dict[str, str]) -> str:
    login = f"{parts.login}@" if parts.login else ""
    query = f"?{urlencode(options, safe='/,:')}" if options else ""
    return f"postgresql+asyncpg://{login}{hosts}{parts.path}{query}"
