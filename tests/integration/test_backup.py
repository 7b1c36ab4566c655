"""Backups and restores as they are typed, on real servers: what comes back, and who may write."""

import re
import secrets
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from click.testing import Result
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.effects import Say, Text
from actors.ids import TicketId
from actors.nodes import NodeStatus
from actors.places import CLIENT, MAIN
from actors.ports import Outbox
from storage import backup, backup_tools, migrate
from storage.nodes import PostgresNodes
from storage.outbox import PostgresOutbox
from storage.postgres import PostgresOptions, create_engine
from storage.tickets import PostgresTicketStore
from tests.fakes.desk import MAIN_CHAT, rows, scalar
from tests.fakes.nodes import a_run
from tests.fakes.operations import add_node, commit_turn, execute, hold, open_ticket
from tests.integration.test_operations_cli import alone, typed

__all__ = ["alone"]

pytestmark = pytest.mark.anyio

type Command = Callable[..., Awaitable[Result]]

SILENT_S = 60.0
"""Longer than any lease: the node is not counted among the living."""


@pytest.fixture
def command(postgres_dsn: str) -> Command:
    async def run(*args: str, **options: Any) -> Result:
        return await typed(*args, **{"POSTGRES_DSN": postgres_dsn} | options)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "desk.dump"


@pytest.fixture
async def desk(engine: AsyncEngine) -> TicketId:
    """One ticket of a run that was last heard of long ago, with something under way."""
    owner = await add_node(engine, "node", silent_s=SILENT_S)
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, owner)
    say = Say(place=CLIENT, text=Text(key="received"))
    assert await commit_turn(engine, held, envelope, say, say)
    await execute(
        engine, "UPDATE outbox SET state = 'sending' WHERE id = (SELECT min(id) FROM outbox)"
    )
    await execute(engine, "INSERT INTO roles (name, owner) VALUES ('polling', :owner)", owner=owner)
    return envelope.ticket_id


@pytest.fixture
async def elsewhere(blank_dsn: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(PostgresOptions(dsn=blank_dsn))
    yield made
    await made.dispose()


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def content(file: Path) -> str:
    return file.read_text()


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(script)
    path.chmod(0o755)
    return path


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def spoil(file: Path, damage: str) -> None:
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[:-2000], "text": b"SELECT 1;"}.get(damage, b""))
    if damage == "missing":
        file.unlink()


async def contents(engine: AsyncEngine) -> dict[str, list[str]]:
    """All rows but for what a restore changes by intention."""
    shown = {
        "tickets": "to_jsonb(x) - 'owner' - 'epoch'",
        "outbox": "to_jsonb(x) - 'state' - 'uncertain'",
        "nodes": "to_jsonb(x) - 'status'",
    }
    return {
        table: [
            str(row[0])
            for row in await rows(
                engine, f"SELECT {shown.get(table, 'to_jsonb(x)')} FROM {table} x ORDER BY 1"
            )
        ]
        for table in sorted(backup.OURS - {"roles"})
    }


async def test_what_was_backed_up_comes_back_in_an_empty_database(
    command: Command,
    desk: TicketId,
    engine: AsyncEngine,
    elsewhere: AsyncEngine,
    blank_dsn: str,
    file: Path,
) -> None:
    written = await command("backup", str(file))
    assert written.exit_code == 0, written.output
    assert f"schema {migrate.head()}" in written.output
    assert mode(file) == 0o600
    assert names(file.parent) == [file.name]
    restored = await command("restore", str(file), POSTGRES_DSN=blank_dsn)
    assert restored.exit_code == 0, restored.output
    assert "1 tickets, none with an owner" in restored.output
    assert "since the backup: 2" in restored.output
    assert await contents(elsewhere) == await contents(engine)
    assert await migrate.current(elsewhere) == migrate.head()


async def test_after_a_restore_nobody_owns_anything_and_what_was_to_be_sent_is_uncertain(
    command: Command, desk: TicketId, elsewhere: AsyncEngine, blank_dsn: str, file: Path
) -> None:
    await command("backup", str(file))
    await command("restore", str(file), POSTGRES_DSN=blank_dsn)
    [ticket] = await rows(elsewhere, "SELECT owner, epoch FROM tickets")
    assert ticket.owner is None
    assert ticket.epoch > 1_700_000_000
    assert await rows(elsewhere, "SELECT status FROM nodes") == [("dead",)]
    assert await rows(elsewhere, "SELECT * FROM roles") == []
    assert await rows(elsewhere, "SELECT state, uncertain FROM outbox") == [("waiting", True)] * 2
    next_id = "INSERT INTO users (tg_id, full_name) VALUES (9, 'x') RETURNING created_at"
    await execute(elsewhere, next_id)
    ticket_id = (await open_ticket(elsewhere, client=9)).ticket_id
    assert ticket_id == desk + 1, "the counters go on where they were"


async def test_an_owner_of_before_the_restore_can_neither_commit_nor_send_nor_live(
    command: Command, engine: AsyncEngine, file: Path
) -> None:
    """It was cut off, knows of nothing, and comes back with a turn and with rows in its hands."""
    node = a_run()
    await PostgresNodes(engine).register(node)
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, node.owner)
    say = Say(place=MAIN, text=Text(key="received"))
    later = await open_ticket(engine, client=2)
    later_held = await hold(engine, later.ticket_id, node.owner)
    assert await commit_turn(engine, later_held, later, say)
    outbox: Outbox = PostgresOutbox(engine, lambda: node)
    [row, *_] = await outbox.heads(None, 10, 10)
    await execute(engine, "UPDATE nodes SET beat_at = now() - interval '1 minute'")
    assert (await command("backup", str(file))).exit_code == 0
    restored = await command("restore", "--replace", str(file))
    assert restored.exit_code == 0, restored.output
    assert not await commit_turn(engine, held, envelope, say)
    assert not await outbox.starting([row])
    assert await outbox.heads(None, 10, 10) == []
    assert not await PostgresNodes(engine).beat(node, NodeStatus.UP)
    assert await scalar(engine, "SELECT count(*) FROM inbox WHERE handled_at IS NULL") == 1
    fresh = a_run("other")
    await PostgresNodes(engine).register(fresh)
    loaded = await PostgresTicketStore(engine, lambda: fresh, MAIN_CHAT).claim(envelope.ticket_id)
    assert loaded is not None
    assert loaded.epoch > held.epoch + 1_700_000_000


async def test_an_owner_of_after_the_backup_is_fenced_as_well(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path
) -> None:
    """Its epoch is above all in the archive; and the archive may be restored twice."""
    await command("backup", str(file))
    epochs = [0]
    for _ in range(2):
        owner = await add_node(engine, "late", secrets.token_hex(4), silent_s=SILENT_S)
        held = await hold(engine, desk, owner)
        assert held.epoch > epochs[-1]
        epochs.append(held.epoch)
        await anyio.sleep(2.1)  # epochs grow by the server's seconds, and this one by a claim
        assert (await command("restore", "--replace", str(file))).exit_code == 0
        assert await scalar(engine, "SELECT epoch FROM tickets") > held.epoch


async def test_a_database_that_nodes_work_with_is_left_alone(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path
) -> None:
    await command("backup", str(file))
    await add_node(engine, "busy", silent_s=2)
    before = await contents(engine)
    refused = await command("restore", "--replace", str(file))
    assert refused.exit_code == 1
    assert re.search(r"with this database, last heard of: busy \(\d+ s ago\)", refused.output)
    assert await contents(engine) == before


async def test_tickets_are_only_replaced_when_that_is_said(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path
) -> None:
    await command("backup", str(file))
    refused = await command("restore", str(file))
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    await open_ticket(engine, client=5)
    assert (await command("restore", "--replace", str(file))).exit_code == 0
    assert await scalar(engine, "SELECT count(*) FROM tickets") == 1


async def test_a_schema_without_people_counts_as_empty(
    command: Command,
    engine: AsyncEngine,
    desk: TicketId,
    file: Path,
    blank_dsn: str,
    elsewhere: AsyncEngine,
) -> None:
    """A node that was started once, with nobody writing to it, has lost nothing."""
    await migrate.upgrade(elsewhere)
    await add_node(elsewhere, "fresh", silent_s=SILENT_S)
    await command("backup", str(file))
    restored = await command("restore", str(file), POSTGRES_DSN=blank_dsn)
    assert restored.exit_code == 0, restored.output
    assert await contents(elsewhere) == await contents(engine)


async def test_tables_of_another_program_are_left_alone(
    command: Command, desk: TicketId, file: Path, blank_dsn: str, elsewhere: AsyncEngine
) -> None:
    await execute(elsewhere, "CREATE TABLE orders (id int)")
    await command("backup", str(file))
    refused = await command("restore", "--replace", str(file), POSTGRES_DSN=blank_dsn)
    assert refused.exit_code == 1
    assert "not topicdesk's: orders" in refused.output


async def test_a_restore_that_fails_in_the_middle_leaves_everything_as_it_was(
    command: Command,
    engine: AsyncEngine,
    desk: TicketId,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await command("backup", str(file))
    await open_ticket(engine, client=5)
    before, real = await contents(engine), backup_tools.read_into

    async def failing(tools: Any, dsn: str, archive: Path, section: str) -> None:
        if section == "post-data":
            raise backup_tools.BackupError("the disk is full")
        await real(tools, dsn, archive, section)

    monkeypatch.setattr(backup_tools, "read_into", failing)
    failed = await command("restore", "--replace", str(file))
    assert (failed.exit_code, failed.output) == (1, "topicdesk: the disk is full\n")
    assert await contents(engine) == before
    assert (
        await scalar(
            engine, "SELECT count(*) FROM pg_namespace WHERE nspname = :n", n=migrate.ASIDE
        )
        == 0
    )
    await open_ticket(engine, client=6)


async def test_after_a_restore_that_was_killed_no_node_starts_and_the_next_one_mends_it(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path
) -> None:
    await command("backup", str(file))
    async with backup.alone(engine) as connection:
        await backup.set_aside(connection, (), replace=True, lease_s=15)
    with pytest.raises(migrate.RestoreUnfinished, match="topicdesk restore"):
        await migrate.upgrade(engine)
    restored = await command("restore", "--replace", str(file))
    assert restored.exit_code == 0, restored.output
    assert await scalar(engine, "SELECT count(*) FROM tickets") == 1


async def test_two_restores_do_not_meet(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path
) -> None:
    await command("backup", str(file))
    async with backup.alone(engine):
        refused = await command("restore", "--replace", str(file))
    assert "another program migrates or restores" in refused.output


async def test_an_archive_of_an_older_schema_is_brought_to_the_newest(
    command: Command, engine: AsyncEngine, file: Path, blank_dsn: str, elsewhere: AsyncEngine
) -> None:
    await migrate.upgrade(elsewhere, "0002")
    await execute(elsewhere, "INSERT INTO users (tg_id, full_name) VALUES (7, 'Иван')")
    await execute(elsewhere, "INSERT INTO nodes (name, incarnation) VALUES ('old', '1')")
    await execute(elsewhere, "UPDATE nodes SET beat_at = now() - interval '1 minute'")
    await command("backup", str(file), POSTGRES_DSN=blank_dsn)
    restored = await command("restore", str(file))
    assert restored.exit_code == 0, restored.output
    assert await rows(engine, "SELECT full_name FROM users") == [("Иван",)]
    assert await rows(engine, "SELECT status FROM nodes") == [("dead",)]
    assert await migrate.current(engine) == migrate.head()


async def test_an_archive_of_a_schema_to_come_is_refused(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path
) -> None:
    await execute(engine, "UPDATE alembic_version SET version_num = '9999'")
    await command("backup", str(file))
    refused = await command("restore", "--replace", str(file))
    assert refused.exit_code == 1
    assert "schema 9999, which this version does not know" in refused.output


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "missing"])
async def test_a_file_that_is_no_whole_backup_changes_nothing(
    command: Command, engine: AsyncEngine, desk: TicketId, file: Path, damage: str
) -> None:
    await command("backup", str(file))
    spoil(file, damage)
    before = await contents(engine)
    refused = await command("restore", "--replace", str(file))
    assert refused.exit_code == 1
    assert refused.output.count("\n") == 1
    assert await contents(engine) == before


async def test_the_archive_of_another_program_is_refused(
    elsewhere: AsyncEngine, blank_dsn: str, file: Path
) -> None:
    await execute(elsewhere, "CREATE TABLE orders (id int)")
    tools = backup_tools.find_tools(18, embedded=True)
    await backup_tools.dump(tools, blank_dsn, file)
    with pytest.raises(backup_tools.BackupError, match="other program"):
        await backup_tools.examine(tools, file)


async def test_a_backup_never_replaces_another(
    command: Command, desk: TicketId, file: Path
) -> None:
    assert (await command("backup", str(file))).exit_code == 0
    refused = await command("backup", str(file))
    assert refused.exit_code == 1
    assert "is there already" in refused.output
    assert names(file.parent) == [file.name]


async def test_a_backup_that_fails_leaves_no_file(
    command: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = "postgresql://u:p4ss@127.0.0.1:1/d"
    refused = await command("backup", str(file), POSTGRES_DSN=nowhere)
    assert refused.exit_code == 1
    assert "Postgres: ConnectionRefusedError" in refused.output
    assert "p4ss" not in refused.output
    assert names(file.parent) == []


async def test_the_embedded_database_is_backed_up_and_restored_without_any_address(
    servers_folder: Path, file: Path
) -> None:
    """Also while a program runs that holds it: the first one here has it only for its backup."""
    first, second = servers_folder / "backup-1", servers_folder / "backup-2"
    none = await typed("backup", str(file), DATA_DIR=str(first))
    assert "there is no database" in none.output
    migrated = await typed("migrate", DATA_DIR=str(first))
    assert migrated.exit_code == 0, migrated.output
    written = await typed("backup", str(file), DATA_DIR=str(first))
    assert written.exit_code == 0, written.output
    restored = await typed("restore", str(file), DATA_DIR=str(second))
    assert restored.exit_code == 0, restored.output
    assert "0 tickets" in restored.output


async def test_a_password_is_in_no_argument(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f'#!/bin/sh\necho "$@" > {tmp_path}/args\nenv > {tmp_path}/env\n'
    tools = backup_tools.Tools(
        dump=program(tmp_path, "pg_dump", script), restore=tmp_path, major=18
    )
    monkeypatch.setenv("PGPASSWORD", "of somebody else")
    dsn = "postgresql+asyncpg://u:p%404@/desk?host=a,b&port=1,2&ssl=require"
    await backup_tools.dump(tools, f"{dsn}&target_session_attrs=read-write", tmp_path / "x")
    assert "p@4" not in content(tmp_path / "args")
    lines = content(tmp_path / "env").splitlines()
    assert {
        "PGPASSWORD=p@4",
        "PGUSER=u",
        "PGHOST=a,b",
        "PGPORT=1,2",
        "PGDATABASE=desk",
        "PGSSLMODE=require",
        "PGTARGETSESSIONATTRS=read-write",
    } <= set(lines)


def test_programs_that_are_missing_or_too_old_are_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(backup_tools, "_folders", lambda **_: [])
    with pytest.raises(backup_tools.BackupError, match="postgresql-client-18"):
        backup_tools.find_tools(18, embedded=False)
    for name in ("pg_dump", "pg_restore"):
        program(tmp_path, name, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.4 (Debian)'\n")
    monkeypatch.setattr(backup_tools, "_folders", lambda **_: [tmp_path])
    assert backup_tools.find_tools(15, embedded=False).major == 15
    with pytest.raises(backup_tools.BackupError, match="pg_dump is 15, the server is 18: install"):
        backup_tools.find_tools(18, embedded=False)
