"""A program of its own with both embedded servers, to be killed; and how its servers fare."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anyio
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import anyio, structlog, sys
from pathlib import Path
from storage.embedded import embedded_postgres, embedded_valkey

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main() -> None:
    folder = Path(sys.argv[1])
    async with embedded_postgres(folder) as dsn, embedded_valkey(folder) as url:
        print(dsn, url, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)

anyio.run(main)
"""


def first_number(file: Path) -> int:
    return int(file.read_text().split()[0])


def server_pids(folder: Path) -> list[int]:
    return [
        first_number(folder / "postgres" / "postmaster.pid"),
        first_number(folder / "valkey" / "valkey.pid"),
    ]


def is_dead(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Program:
    """A program with both servers, as a process of its own."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-c", PROGRAM, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    async def ready(self) -> tuple[str, str]:
        assert self._process.stdout is not None
        line = await anyio.to_thread.run_sync(self._process.stdout.readline)
        dsn, url = line.split()
        return dsn, url

    def keepers(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.pid).children()]

    def kill(self) -> None:
        self._process.kill()

    async def finish(self) -> int:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        return await anyio.to_thread.run_sync(self._process.wait)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
