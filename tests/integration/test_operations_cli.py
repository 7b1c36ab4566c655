"""The operators' commands as they are typed, on real servers."""

import json
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
from anyio import to_thread
from click.testing import CliRunner, Result
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from actors.ids import ChatId, MessageId
from actors.messages import ClientWrote, Content, ContentKind
from bootstrap import cli
from storage import migrate
from storage.embedded import embedded_postgres
from storage.postgres import PostgresOptions, create_engine
from tests.fakes.desk import person, scalar
from tests.fakes.operations import add_node, bury, commit_turn, execute, hold, open_ticket

pytestmark = pytest.mark.anyio

NOWHERE = "postgresql://u:p4ss@127.0.0.1:1/d"

type Command = Callable[..., Awaitable[Result]]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty folder and environment; logging as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name not in {"PATH", "HOME"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("LOGNAME", "olga")
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def typed(*args: str, **env: str) -> Result:
    """Runs the command on a loop of its own, as a process would."""

    def run() -> Result:
        return CliRunner().invoke(cli.main, args, env=dict(env), prog_name="topicdesk")

    return await to_thread.run_sync(run)


@pytest.fixture
def command(postgres_dsn: str, valkey_url: str) -> Command:
    """The command with this test's servers as its settings."""

    async def run(*args: str, **options: Any) -> Result:
        settings = {"POSTGRES_DSN": postgres_dsn, "REDIS_URL": valkey_url}
        return await typed(*args, **settings | options)

    return run


@pytest.fixture
async def channel(valkey_url: str) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """Listens as runs do: subscribe by calling it, then await what it returns."""
    redis = Redis.from_url(valkey_url)
    pubsub = redis.pubsub(ignore_subscribe_messages=False)

    async def subscribe(owner: str) -> Callable[[], Awaitable[object]]:
        await pubsub.subscribe(f"own:{owner}")
        assert (await pubsub.get_message(timeout=5))["type"] == "subscribe"

        async def heard() -> object:
            message = await pubsub.get_message(timeout=5)
            return None if message is None else json.loads(message["data"])

        return heard

    yield subscribe
    await pubsub.aclose()  # type: ignore[no-untyped-call]
    await redis.aclose()


# --- tickets --------------------------------------------------------------------------------


async def test_a_ticket_is_shown_without_what_people_wrote(
    engine: AsyncEngine, command: Command
) -> None:
    _, envelope = await bury(engine)
    await hold(engine, envelope.ticket_id, await add_node(engine, "a"))
    said = """INSERT INTO events (ticket_id, seq, actor, action, payload) VALUES (:ticket, 1,
        'STAFF', 'said', '{"author": "Maria", "content": {"kind": "text", "text": "hush"}}')"""
    await execute(engine, said, ticket=envelope.ticket_id)
    assert (await command("tickets", "quarantine", "1", "--why", "ask a@b.example")).exit_code == 0
    shown = await command("tickets", "show", "1")
    assert (shown.exit_code, shown.stderr) == (0, "")
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[:3] == [
        ["Ticket", "1"],
        ["status", "NEW", "(support)"],
        ["quarantine", "ask", "***"],
    ]
    assert lines[3][:3] == ["owner", "a/1", "(up,"]
    assert ["messages", "1", "of", "1", "handled"] in lines
    assert ["client", "1", "***", "(@***)"] in lines
    assert "author=***, text, ***" in shown.stdout
    assert "by=olga, why=ask ***" in shown.stdout
    assert not {"Client", "client1", "Maria", "hush"} & set(shown.stdout.replace(",", " ").split())
    raw = await command("tickets", "show", "1", "--raw")
    for words in ("Client 1 (@client1)", "author=Maria, text, hush", "ask a@b.example"):
        assert words in raw.stdout


async def test_a_ticket_in_json_has_times_in_utc_and_nobodys_words(
    engine: AsyncEngine, command: Command
) -> None:
    await bury(engine)
    shown = await command("tickets", "show", "1", "--json")
    ticket = json.loads(shown.stdout)
    assert (ticket["id"], ticket["status"], ticket["dead_letters"]) == (1, "NEW", 1)
    assert ticket["created_at"].endswith("Z")
    assert ticket["client_name"] == ticket["client_username"] == "***"
    assert (ticket["unsent"], ticket["timers"], ticket["events"]) == ([], [], [])
    raw = json.loads((await command("tickets", "show", "1", "--json", "--raw")).stdout)
    assert raw["client_name"] == "Client 1"


async def test_a_moved_ticket_is_pointed_out_to_its_new_owner(
    engine: AsyncEngine, command: Command, channel: Callable[[str], Awaitable[Any]]
) -> None:
    envelope = await open_ticket(engine)
    held = await hold(engine, envelope.ticket_id, await add_node(engine, "a", "moves"))
    heard = await channel(await add_node(engine, "b", "moves"))
    moved = await command("tickets", "move", "1", "--to", "b")
    assert moved.stdout == "Ticket 1 was moved from a/moves to b/moves. b/moves was told.\n"
    assert await heard() == [1]
    assert not await commit_turn(engine, held, envelope)
    again = json.loads((await command("tickets", "move", "1", "--to", "b", "--json")).stdout)
    assert (again["action"], again["heard"]) == (None, None)


async def test_a_poke_is_heard_or_fails(
    engine: AsyncEngine, command: Command, channel: Callable[[str], Awaitable[Any]]
) -> None:
    envelope = await open_ticket(engine)
    nobody = await command("tickets", "poke", "1")
    assert (nobody.exit_code, nobody.stdout) == (1, "")
    assert "no node is up" in nobody.stderr
    await hold(engine, envelope.ticket_id, await add_node(engine, "a", "pokes"))
    deaf = await command("tickets", "poke", "1")
    assert (deaf.exit_code, deaf.stdout) == (1, "")
    assert "a/pokes was not told (it does not listen)" in deaf.stderr
    heard = await channel("a/pokes")
    poked = await command("tickets", "poke", "1")
    assert (poked.exit_code, poked.stdout) == (0, "Ticket 1: a/pokes was told to look.\n")
    assert await heard() == [1]


async def test_without_redis_everything_works_but_a_poke(
    engine: AsyncEngine, command: Command
) -> None:
    envelope = await open_ticket(engine)
    await hold(engine, envelope.ticket_id, await add_node(engine, "a"))
    away = {"REDIS_URL": "redis://127.0.0.1:1"}
    poked = await command("tickets", "poke", "1", **away)
    assert poked.exit_code == 1
    assert "Redis does not answer" in poked.stderr
    await command("tickets", "quarantine", "1", "--why", "loops", **away)
    released = await command("tickets", "release", "1", "--json", **away)
    assert released.exit_code == 0
    done = json.loads(released.stdout)
    assert (done["action"], done["tell"], done["heard"]) == ("operator_released", "a/1", None)


async def test_quarantine_and_release_are_told_in_words(
    engine: AsyncEngine, command: Command
) -> None:
    await open_ticket(engine)
    stopped = await command("tickets", "quarantine", "1", "--why", " loops \x1b[31m ")
    assert stopped.stdout == "Ticket 1 is in quarantine until it is released: loops  [31m\n"
    again = await command("tickets", "quarantine", "1", "--why", "x")
    assert again.stderr == "topicdesk: ticket 1 is in quarantine already\n"
    released = await command("tickets", "release", "1")
    assert released.stdout.startswith("Ticket 1 was released (it had been stopped: loops")
    assert await scalar(engine, "SELECT quarantined FROM tickets") is None


# --- dead letters ---------------------------------------------------------------------------


async def test_dead_letters_are_listed_with_the_end_of_their_errors(
    engine: AsyncEngine, command: Command
) -> None:
    assert (await command("dead", "list")).stdout == "There are no dead letters.\n"
    await bury(engine, 1, "Traceback\n  File x\nValueError: call +79161234567\n")
    await bury(engine, 2)
    listed = (await command("dead", "list", "--ticket", "1")).stdout.splitlines()
    assert len(listed) == 2
    assert listed[0].split() == ["ID", "TICKET", "SEQ", "KIND", "ATTEMPTS", "CREATED", "ERROR"]
    assert listed[1].split()[:5] == ["1", "1", "1", "ClientWrote", "5"]
    assert listed[1].endswith("UTC  ValueError: call ***")
    found = json.loads((await command("dead", "list", "--json", "--limit", "1")).stdout)
    assert [letter["id"] for letter in found["dead_letters"]] == [2]


async def test_a_dead_letter_is_shown_with_its_message_hidden(
    engine: AsyncEngine, command: Command
) -> None:
    content = Content(
        chat_id=ChatId(1),
        message_id=MessageId(7),
        kind=ContentKind.TEXT,
        text="my secret \x1b[2J",
    )
    await bury(engine, 1, "one\ntwo", ClientWrote(author=person(1), content=content))
    shown = await command("dead", "show", "1")
    assert '"text": "***"' in shown.stdout
    assert '"kind": "text"' in shown.stdout
    assert "my secret" not in shown.stdout
    assert "client1" not in shown.stdout
    assert shown.stdout.endswith("Error\n  one\n  two\n")
    raw = await command("dead", "show", "1", "--raw")
    assert "my secret" in raw.stdout
    assert "\x1b" not in raw.stdout
    letter = json.loads((await command("dead", "show", "1", "--json")).stdout)
    assert (letter["message"]["author"]["name"], letter["message"]["author"]["id"]) == ("***", 1)


async def test_a_retry_is_told_to_the_owner_and_done_once(
    engine: AsyncEngine, command: Command, channel: Callable[[str], Awaitable[Any]]
) -> None:
    _, envelope = await bury(engine)
    await hold(engine, envelope.ticket_id, await add_node(engine, "a", "retries"))
    heard = await channel("a/retries")
    retried = await command("dead", "retry", "1")
    assert retried.stdout == (
        "Dead letter 1 was put into the inbox of ticket 1 again. a/retries was told.\n"
    )
    assert await heard() == [1]
    again = await command("dead", "retry", "1")
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "topicdesk: dead letter 1 was put into the inbox again already\n"
    assert await scalar(engine, "SELECT payload ->> 'by' FROM events") == "olga"


async def test_all_are_retried_oldest_first_and_their_owner_is_told_once(
    engine: AsyncEngine, command: Command, channel: Callable[[str], Awaitable[Any]]
) -> None:
    assert (await command("dead", "retry", "--all")).stdout == "There are no dead letters.\n"
    owner = await add_node(engine, "a", "retries-all")
    for client in (1, 2):
        _, envelope = await bury(engine, client)
        await hold(engine, envelope.ticket_id, owner)
    heard = await channel(owner)
    retried = await command("dead", "retry", "--all")
    assert retried.stdout == "2 dead letters were put into the inbox again.\n"
    assert await heard() == [1, 2]
    keys = await scalar(engine, "SELECT array_agg(key ORDER BY id) FROM inbox WHERE seq = 2")
    assert keys == ["retry:1", "retry:2"]


async def test_one_that_cannot_be_retried_holds_up_no_other(
    engine: AsyncEngine, command: Command
) -> None:
    for client in (1, 2):
        await bury(engine, client)
    await execute(engine, """UPDATE inbox SET message = '{"type": "Novel"}' WHERE ticket_id = 1""")
    retried = await command("dead", "retry", "--all", "--json")
    assert (retried.exit_code, retried.stdout) == (1, "")
    assert "1 retried, 1 not" in retried.stderr
    assert "cannot read the message of dead letter 1" in retried.stderr
    assert await scalar(engine, "SELECT array_agg(id) FROM dead_letters") == [1]


async def test_a_dropped_letter_leaves_who_and_why(engine: AsyncEngine, command: Command) -> None:
    await bury(engine)
    dropped = await command("dead", "drop", "1", "--why", "spam")
    assert dropped.stdout == "Dead letter 1 of ticket 1 was dropped: spam\n"
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
    assert "why=spam" in (await command("tickets", "show", "1")).stdout


# --- what goes wrong ------------------------------------------------------------------------


async def test_what_does_not_exist_exits_with_1(command: Command) -> None:
    for args, says in [
        (("tickets", "show", "77"), "there is no ticket 77"),
        (("tickets", "poke", "77"), "there is no ticket 77"),
        (("tickets", "move", "77", "--to", "a"), "there is no ticket 77"),
        (("tickets", "release", "77"), "there is no ticket 77"),
        (("dead", "show", "77"), "there is no dead letter 77"),
        (("dead", "drop", "77", "--why", "x"), "there is no dead letter 77"),
    ]:
        shown = await command(*args)
        assert (shown.exit_code, shown.stdout, shown.stderr) == (1, "", f"topicdesk: {says}\n")


async def test_a_node_that_is_not_up_exits_with_1(engine: AsyncEngine, command: Command) -> None:
    await open_ticket(engine)
    await add_node(engine, "a")
    shown = await command("tickets", "move", "1", "--to", "b")
    assert shown.exit_code == 1
    assert shown.stderr == ("topicdesk: node b is not up (there is no such node); up are: a\n")


@pytest.mark.parametrize(
    "args",
    [
        ("tickets", "show"),
        ("tickets", "show", "x"),
        ("tickets", "show", "0"),
        ("tickets", "show", str(2**63)),
        ("tickets", "move", "1", "--to"),
        ("tickets", "quarantine", "1"),
        ("tickets", "quarantine", "1", "--why", "  "),
        ("tickets", "quarantine", "1", "--why", "x" * 501),
        ("dead", "list", "--limit", "0"),
        ("dead", "nonsense"),
        ("dead", "retry"),
        ("dead", "retry", "1", "--all"),
        ("dead", "drop", "1"),
    ],
)
async def test_wrong_use_exits_with_2(args: tuple[str, ...]) -> None:
    assert (await typed(*args, POSTGRES_DSN=NOWHERE)).exit_code == 2


async def test_wrong_settings_exit_with_2() -> None:
    shown = await typed("dead", "list", POSTGRES_DSN="nonsense")
    assert shown.exit_code == 2
    assert "POSTGRES_DSN" in shown.stderr


async def test_a_database_out_of_reach_is_told_in_one_line() -> None:
    shown = await typed("dead", "list", POSTGRES_DSN=NOWHERE)
    assert shown.exit_code == 1
    assert shown.stderr.startswith("topicdesk: Postgres")
    assert shown.stderr.endswith("see `topicdesk doctor`\n")
    assert shown.stderr.count("\n") == 1
    assert "p4ss" not in shown.output


async def test_an_old_schema_is_told_with_what_to_do(blank_dsn: str) -> None:
    shown = await typed("tickets", "show", "1", POSTGRES_DSN=blank_dsn)
    assert shown.exit_code == 1
    assert "run `topicdesk migrate`" in shown.stderr


# --- the embedded database ------------------------------------------------------------------


async def test_no_database_is_made_for_a_look(tmp_path: Path) -> None:
    shown = await typed("dead", "list", DATA_DIR=str(tmp_path / "data"))
    assert shown.exit_code == 1
    assert "there is no database in" in shown.stderr
    assert not (tmp_path / "data").exists()


async def test_the_embedded_database_is_reached_whether_topicdesk_runs_or_not() -> None:
    folder = Path(tempfile.mkdtemp(prefix="td-ops-"))
    try:
        async with embedded_postgres(folder) as dsn:
            engine = create_engine(PostgresOptions(dsn=dsn, pool_size=1))
            await migrate.upgrade(engine)
            await bury(engine)
            beside = await typed("dead", "retry", "1", DATA_DIR=str(folder))
            assert (beside.exit_code, beside.stderr) == (0, "")
            assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
            await engine.dispose()
        alone = await typed("tickets", "show", "1", DATA_DIR=str(folder))
        assert "1 of 2 handled, 1 waiting" in alone.stdout
    finally:
        await anyio.to_thread.run_sync(shutil.rmtree, folder, True)  # noqa: FBT003
