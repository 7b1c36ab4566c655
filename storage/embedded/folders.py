"""Where the servers' binaries, data and sockets are, and who may pass there."""

import importlib.util
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from storage.embedded.kept import EmbeddedServerError

SOCKET_PATH_BYTES_MAX: Final = 90
"""The kernel takes 107 bytes (103 on macOS), of which Valkey and Postgres add up to 14."""

PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._+-]+")
"""Characters that mean nothing special in a DSN, where ``,`` and ``:`` separate hosts and ports."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The user a server runs as; ``None`` where it is simply ours."""

    uid: int | None = None
    gid: int | None = None


def absolute(data_dir: Path) -> Path:
    """The folder by its real path, as the servers will report it."""
    return data_dir.expanduser().resolve()


def wheel_folder(package: str) -> Path:
    """The folder of an installed wheel; it is not imported, its import has side effects."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(
            f"the package {package} is not installed; install topicdesk with its extra "
            f'"embedded", or name external servers (POSTGRES_HOST, REDIS_HOST)'
        )
    return Path(found.submodule_search_locations[0])


def socket_folder(home: Path, account: Account) -> Path:
    """``home`` itself, or a private temporary folder where its path is too long for a socket."""
    if len(os.fsencode(home)) <= SOCKET_PATH_BYTES_MAX and PLAIN_PATH.fullmatch(str(home)):
        return home
    folder = Path(tempfile.mkdtemp(prefix="topicdesk-"))
    if len(os.fsencode(folder)) > SOCKET_PATH_BYTES_MAX:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="topicdesk-", dir="/tmp"))
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def environment() -> Mapping[str, str]:
    """What a server sees: nothing of ours, so no ``PGPORT`` or secret can get in."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def open_way(path: Path, account: Account) -> None:
    """Lets the service user pass through the folders above ``path``: pass only, not list."""
    if account.uid is None:
        return
    for folder in path.parents:
        status = folder.stat()
        if not status.st_mode & stat.S_IXOTH and status.st_uid != account.uid:
            folder.chmod(status.st_mode | stat.S_IXOTH)
            _log.warning("folder_opened_for_passing", folder=str(folder), uid=account.uid)


def open_tree(package: Path, account: Account) -> None:
    """Lets the service user read an installed package where the umask has kept it private."""
    if account.uid is None:
        return
    for root in (package, package.with_name(f"{package.name}.libs")):
        if not root.exists() or root.stat().st_mode & stat.S_IXOTH:
            continue
        for path in (root, *root.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                passing = stat.S_IXOTH if mode & stat.S_IXUSR else 0
                path.chmod(mode | stat.S_IROTH | passing)
