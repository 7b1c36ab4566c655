"""The embedded Postgres and Valkey, with real kills of real processes."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from storage.embedded import EmbeddedServerError, KeptOptions, embedded_postgres, embedded_valkey
from tests.fakes.servers import Program, first_number, is_dead, server_pids

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: pytest's own is too long for a socket in places."""
    path = Path(tempfile.mkdtemp(prefix="td-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def quick() -> KeptOptions:
    return KeptOptions(busy_wait_s=0.2, exits_max=2)


async def eventually(what: str, holds: Callable[[], bool], within_s: float = 30.0) -> None:
    with anyio.move_on_after(within_s):
        while not holds():  # noqa: ASYNC110 - other processes tell nobody
            await anyio.sleep(0.02)
        return
    pytest.fail(f"not within {within_s} s: {what}")


type Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    programs: list[Program] = []

    def begin(folder: Path, prefix: tuple[str, ...] = ()) -> Program:
        programs.append(Program(folder, prefix))
        return programs[-1]

    yield begin
    for program in programs:
        program.close()


async def remember(dsn: str, note: str) -> list[str]:
    """Adds a note to a table and returns all of them."""
    engine = create_async_engine(dsn)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE IF NOT EXISTS notes (note text)"))
            await connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})
            return list((await connection.execute(text("SELECT note FROM notes"))).scalars())
    finally:
        await engine.dispose()


@asynccontextmanager
async def redis(url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(url, decode_responses=True)
    try:
        yield client
    finally:
        await client.aclose()


async def test_data_is_kept_between_runs_and_the_servers_end_with_the_block(folder: Path) -> None:
    for run in ("first", "second"):
        async with embedded_postgres(folder) as dsn, embedded_valkey(folder) as url:
            notes = await remember(dsn, run)
            async with redis(url) as client:
                await client.rpush("notes", run)
                kept = await client.lrange("notes", 0, -1)
            pids = server_pids(folder)
        assert all(is_dead(pid) for pid in pids)
    assert notes == kept == ["first", "second"]


async def test_names_in_russian_are_searched_without_regard_to_case(folder: Path) -> None:
    async with embedded_postgres(folder) as dsn:
        engine = create_async_engine(dsn)
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT 'Фёдор ЖУКОВ' ILIKE '%фёдор жук%'"))
        await engine.dispose()
    assert found is True


@pytest.mark.processes
async def test_the_servers_end_by_themselves_when_the_program_is_killed(
    folder: Path, start: Start
) -> None:
    program = start(folder)
    await program.ready()
    pids = server_pids(folder)
    program.kill()
    await eventually("both servers have ended", lambda: all(is_dead(pid) for pid in pids))


@pytest.mark.processes
async def test_a_start_right_after_a_kill_waits_for_the_old_servers_and_finds_the_data(
    folder: Path, start: Start
) -> None:
    for count in range(2):
        program = start(folder)
        dsn, _ = await program.ready()
        assert len(await remember(dsn, "note")) == 2 * count + 1
        program.kill()
        with structlog.testing.capture_logs() as logs:
            async with embedded_postgres(folder) as dsn, embedded_valkey(folder) as url:
                assert len(await remember(dsn, "note")) == 2 * count + 2
                async with redis(url) as client:
                    assert await client.ping()
        assert "stale_server_ended" not in [line["event"] for line in logs], "it did not wait"


@pytest.mark.processes
async def test_nobody_touches_servers_that_a_keeper_is_still_ending(
    folder: Path, start: Start
) -> None:
    program = start(folder)
    await program.ready()
    servers, keepers = server_pids(folder), program.keepers()
    for pid in keepers:
        os.kill(pid, signal.SIGSTOP)
    program.kill()
    try:
        for server in (embedded_postgres, embedded_valkey):
            with pytest.raises(EmbeddedServerError, match=r"of an earlier run .* does not end"):
                async with server(folder, KeptOptions(ending_wait_s=0.2)):
                    pytest.fail("two servers share the folder")
        assert not any(is_dead(pid) for pid in servers)
    finally:
        for pid in keepers:
            os.kill(pid, signal.SIGCONT)
    await eventually("both servers have ended", lambda: all(is_dead(pid) for pid in servers))


@pytest.mark.processes
async def test_servers_whose_keepers_were_killed_too_are_ended_by_the_next_start(
    folder: Path, start: Start
) -> None:
    program = start(folder)
    dsn, _ = await program.ready()
    await remember(dsn, "before")
    stale = server_pids(folder)
    for pid in (*program.keepers(), program.pid):
        os.kill(pid, signal.SIGKILL)
    await eventually("the program is dead", lambda: is_dead(program.pid))
    assert not any(is_dead(pid) for pid in stale)

    async with embedded_postgres(folder) as again, embedded_valkey(folder):
        assert await remember(again, "after") == ["before", "after"]
        assert all(is_dead(pid) for pid in stale)
        fresh = server_pids(folder)
    assert all(is_dead(pid) for pid in fresh)


@pytest.mark.processes
async def test_a_program_whose_keepers_were_killed_still_ends_its_servers(
    folder: Path, start: Start
) -> None:
    program = start(folder)
    dsn, _ = await program.ready()
    pids = server_pids(folder)
    for pid in program.keepers():
        os.kill(pid, signal.SIGKILL)
    assert await remember(dsn, "still served") == ["still served"]
    assert await program.finish() == 0
    assert all(is_dead(pid) for pid in pids)


@pytest.mark.processes
async def test_a_server_that_dies_is_started_again(folder: Path) -> None:
    async with embedded_postgres(folder) as dsn, embedded_valkey(folder) as url:
        await remember(dsn, "before")
        pids = server_pids(folder)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

        async def works() -> bool:
            try:
                async with redis(url) as client:
                    await client.ping()
                return len(await remember(dsn, "after")) > 1
            except (OSError, asyncpg.PostgresError, SQLAlchemyError, RedisError):
                return False

        await _until(works)
        assert not set(pids) & set(server_pids(folder))


async def _until(works: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(30):
        while not await works():  # noqa: ASYNC110 - servers tell nobody
            await anyio.sleep(0.1)


@pytest.mark.processes
async def test_a_second_program_is_told_who_holds_the_folder(
    folder: Path, start: Start, quick: KeptOptions
) -> None:
    program = start(folder)
    await program.ready()
    for server in (embedded_postgres, embedded_valkey):
        with pytest.raises(EmbeddedServerError, match=rf"in use .*process {program.pid}\b.*DATA_"):
            async with server(folder, quick):
                pytest.fail("two programs share the folder")
    assert await program.finish() == 0


async def test_a_long_folder_name_gets_its_sockets_elsewhere_and_leaves_nothing(
    folder: Path,
) -> None:
    deep = folder / ("long" * 20) / ("имя, с пробелом:" * 2)
    async with embedded_postgres(deep) as dsn, embedded_valkey(deep) as url:
        assert await remember(dsn, "note") == ["note"]
        async with redis(url) as client:
            assert await client.ping()
        sockets = [Path(dsn.split("host=")[1].split("&")[0]), Path(url[7:].split("?")[0]).parent]
        assert all(path.exists() and not path.is_relative_to(deep) for path in sockets)
    assert not any(path.exists() for path in sockets)


def sleeper(owner: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"], user=owner)


async def test_a_pid_file_that_names_somebody_elses_process_is_no_obstacle(folder: Path) -> None:
    async with embedded_postgres(folder):
        pid_file = folder / "postgres" / "postmaster.pid"
        content = pid_file.read_text()
        owner = pid_file.stat().st_uid
    stranger = sleeper(owner)
    try:
        pid_file.write_text(content.replace(content.split()[0], str(stranger.pid), 1))
        os.chown(pid_file, owner, -1)
        async with embedded_postgres(folder) as dsn:
            assert await remember(dsn, "note") == ["note"]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_cluster_whose_making_was_interrupted_is_made_anew(folder: Path) -> None:
    half = folder / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with embedded_postgres(folder) as dsn:
        assert await remember(dsn, "note") == ["note"]
    assert not half.exists()


async def test_a_database_of_another_major_version_is_explained(
    folder: Path, quick: KeptOptions
) -> None:
    async with embedded_postgres(folder):
        pass
    (folder / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedServerError, match="initialized by PostgreSQL version 12"):
        async with embedded_postgres(folder, quick):
            pytest.fail("it started")


async def test_unreadable_valkey_data_is_set_aside(folder: Path, quick: KeptOptions) -> None:
    async with embedded_valkey(folder) as url, redis(url) as client:
        await client.set("key", "value")
    (log,) = (folder / "valkey" / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"garbage\r\n" * 10)
    async with embedded_valkey(folder, quick) as url, redis(url) as client:
        assert await client.get("key") is None
    assert list((folder / "valkey").glob("appendonlydir.unreadable-*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    os.chmod(folder, 0o500)  # noqa: PTH101 - quick
    with pytest.raises(EmbeddedServerError, match=r"cannot write .*DATA_DIR"):
        async with embedded_postgres(folder / "data"):
            pytest.fail("it started")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes its user")
async def test_as_root_postgres_passes_through_private_folders_that_stay_unlisted(
    folder: Path,
) -> None:
    private = folder / "home"
    private.mkdir(mode=0o700)
    async with embedded_postgres(private / "data") as dsn:
        assert await remember(dsn, "note") == ["note"]
        assert psutil.Process(server := _postmaster(private)).uids().real != 0, server
    assert private.stat().st_mode & 0o777 == 0o701


def _postmaster(private: Path) -> int:
    return first_number(private / "data" / "postgres" / "postmaster.pid")


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is missing")
async def test_an_ordinary_user_needs_nothing_of_root(folder: Path, start: Start) -> None:
    """The capability only lets the test's interpreter be read, wherever it is installed."""
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    caps = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    program = start(folder, ("setpriv", *ids, *caps))
    await program.ready()
    pids = server_pids(folder)
    assert {psutil.Process(pid).uids().real for pid in pids} == {user.pw_uid}
    began = time.monotonic()
    assert await program.finish() == 0
    assert time.monotonic() - began < 10
    assert all(is_dead(pid) for pid in pids)
