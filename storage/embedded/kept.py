"""A server process that belongs to one run of this program: its lock, its keeper, its leftovers."""

import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio
import anyio.abc

from actors.errors import TopicdeskError
from storage.embedded import keeper


class EmbeddedServerError(TopicdeskError):
    """An embedded server cannot be used; the message says why and what to do."""


class FolderInUse(EmbeddedServerError):
    """Another running program holds the folder; ``holder`` names its process."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"{folder} is in use by another running topicdesk ({holder}); "
            f"stop that one, or give this one a DATA_DIR of its own"
        )
        self.holder = holder


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOptions:
    """How long to wait for what."""

    busy_wait_s: float = 3.0
    """For another program that holds the folder: it may just be ending."""
    ending_wait_s: float = 45.0
    """For the keeper of a program that has ended: longer than all of its ``stops`` together."""
    ready_wait_s: float = 120.0
    """For the first answer; Postgres may have to recover from a crash first."""
    exits_max: int = 5
    """Ends of the server before its first answer; with the keeper's delays about three seconds."""
    poll_s: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
    """One server: what to run, as whom, and how it is ended.

    ``home`` is its data folder and working directory; ``pid_file`` holds its pid in the first line.
    ``stops`` are signals with seconds to wait, gentlest first.
    """

    name: str
    command: tuple[str, ...]
    home: Path
    pid_file: Path
    log: Path
    stops: tuple[tuple[int, float], ...]
    uid: int | None = None
    gid: int | None = None
    litter: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """The keeper's SPEC."""
        fields = asdict(self)
        wanted = ("command", "env", "uid", "gid", "stops", "litter")
        spec = {name: fields[name] for name in wanted}
        return json.dumps(spec | {"cwd": str(self.home), "log": str(self.log)})


@asynccontextmanager
async def claimed(folder: Path, name: str, options: KeptOptions) -> AsyncIterator[int]:
    """Holds ``folder`` for this program's server ``name``; yields the lock to hand to its keeper.

    Two locks: the first is this program's alone and is gone the moment it dies, so it tells a
    running program from a dead one; the second is shared with the keeper and is gone when the
    server has ended.

    Raises:
        FolderInUse: Another running program holds it.
        EmbeddedServerError: It cannot be written, or an earlier server does not end.
    """
    try:
        _make(folder)
        with _lock_file(folder / f"{name}.lock") as program:
            if not await _locked(program, options.busy_wait_s, options.poll_s):
                holder = os.pread(program, 20, 0).decode(errors="replace").strip()
                raise FolderInUse(folder, f"process {holder or 'unknown'}")
            os.ftruncate(program, 0)
            os.pwrite(program, f"{os.getpid()}\n".encode(), 0)
            with _lock_file(folder / f"{name}.keeper.lock") as shared:
                if not await _locked(shared, options.ending_wait_s, options.poll_s):
                    raise EmbeddedServerError(
                        f"the {name} server of an earlier run in {folder} does not end; "
                        f"see {folder / name}.log"
                    )
                yield shared
    except PermissionError as error:
        raise EmbeddedServerError(
            f"cannot write {error.filename}: {error.strerror}; "
            f"choose a DATA_DIR that this user may write"
        ) from error


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def _locked(descriptor: int, wait_s: float, poll_s: float) -> bool:
    with anyio.move_on_after(wait_s):
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await anyio.sleep(poll_s)
            else:
                return True
    return False


def survivor(spec: ServerSpec) -> int | None:
    """The pid of the server that an earlier run left behind, if it lives."""
    try:
        pid = int(spec.pid_file.read_text().split(maxsplit=1)[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return pid if _works_in(pid, spec.home) else None


def _works_in(pid: int, home: Path) -> bool:
    """Whether the process lives and is the server of ``home``, by its working directory.

    A pid alone proves nothing: after a restart of the machine it may be anybody's.
    """
    import psutil  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with extra "embedded"

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == home
    except psutil.Error:
        return False


async def end_survivor(spec: ServerSpec, options: KeptOptions) -> bool:
    """Ends the server of an earlier run; returns whether there was one. The caller has the lock.

    Raises:
        EmbeddedServerError: Not even SIGKILL ends it.
    """
    pid = survivor(spec)
    if pid is None:
        return False
    for number, wait_s in spec.stops:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        with anyio.move_on_after(wait_s):
            while _works_in(pid, spec.home):  # noqa: ASYNC110 - not our child: nobody tells us
                await anyio.sleep(options.poll_s)
            return True
    raise EmbeddedServerError(f"process {pid}, the {spec.name} of an earlier run, does not end")


@asynccontextmanager
async def kept(
    spec: ServerSpec, lock: int, answers: Callable[[], Awaitable[bool]], options: KeptOptions
) -> AsyncIterator[None]:
    """Runs the server under a keeper for as long as the block lasts; begins when it ``answers``.

    On leaving, also by cancellation, the server has ended, unless it takes longer than
    ``ending_wait_s``: then the keeper goes on ending it.

    Raises:
        EmbeddedServerError: It did not begin to answer; with the end of its log.
    """
    process = await anyio.open_process(
        [sys.executable, "-I", "-S", keeper.__file__, spec.as_json()],
        stderr=None,
        cwd="/",
        start_new_session=True,  # Ctrl-C in the terminal is topicdesk's to handle
        pass_fds=(lock,),
    )
    try:
        await _until_ready(spec, process, answers, options)
        yield
    finally:
        with anyio.move_on_after(options.ending_wait_s, shield=True) as scope:
            assert process.stdin is not None
            await process.stdin.aclose()
            await process.wait()
            await end_survivor(spec, options)  # should somebody have killed the keeper
        if not scope.cancelled_caught:
            await process.aclose()


async def _until_ready(
    spec: ServerSpec,
    process: anyio.abc.Process,
    answers: Callable[[], Awaitable[bool]],
    options: KeptOptions,
) -> None:
    ready = False
    with anyio.move_on_after(options.ready_wait_s):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch_exits, process, options.exits_max, tasks.cancel_scope)
            while not (ready := await answers()):  # noqa: ASYNC110 - a server tells nobody
                await anyio.sleep(options.poll_s)
            tasks.cancel_scope.cancel()
    if not ready:
        raise EmbeddedServerError(
            f"the embedded {spec.name} does not start; the end of {spec.log}:\n{log_tail(spec.log)}"
        )


async def _watch_exits(
    process: anyio.abc.Process, exits_max: int, scope: anyio.CancelScope
) -> None:
    """Cancels the wait for a server that only keeps ending, or whose keeper has ended."""
    assert process.stdout is not None
    exits = 0
    async for report in process.stdout:
        exits += report.count(b"exited")
        if exits >= exits_max:
            break
    scope.cancel()


def log_tail(log: Path, lines: int = 8) -> str:
    """The last lines of a server's log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(unreadable: {error.strerror})"
