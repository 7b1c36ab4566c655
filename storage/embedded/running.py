"""The embedded servers of a program that runs: how another one on this machine reaches them."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

from storage.embedded.folders import absolute
from storage.embedded.postgres import DATABASE, SUPERUSER

PORT_LINE: Final = 3
SOCKETS_LINE: Final = 4
"""Lines of ``postmaster.pid``, from 0: https://www.postgresql.org/docs/current/storage-file-layout.html"""


def has_postgres(data_dir: Path) -> bool:
    """Whether a database was ever made there."""
    return (absolute(data_dir) / "postgres" / "PG_VERSION").exists()


def running_postgres(data_dir: Path) -> str | None:
    """The DSN of the server that runs on ``data_dir/postgres``; ``None`` while it starts or ends.

    Only for a folder that is in use: a killed server leaves the same file behind.
    """
    try:
        lines = (absolute(data_dir) / "postgres" / "postmaster.pid").read_text().splitlines()
        port, sockets = int(lines[PORT_LINE]), lines[SOCKETS_LINE]
    except (OSError, ValueError, IndexError):
        return None
    return (
        f"postgresql+asyncpg://{SUPERUSER}@/{DATABASE}?host={quote(sockets, safe='/')}&port={port}"
    )


def running_valkey(data_dir: Path) -> str | None:
    """The URL of a server on ``data_dir/valkey`` whose socket is there.

    Where that path is too long for a socket it is elsewhere, and nobody says where.
    """
    socket = absolute(data_dir) / "valkey" / "valkey.sock"
    return f"unix://{quote(str(socket), safe='/')}?db=0" if socket.is_socket() else None
