"""The command: what a stranger reads, what it exits with, and what it says when it fails."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from actors.errors import TopicdeskError
from bootstrap import cli
from bootstrap.settings import Settings
from lab.chaos import cli as chaos
from lab.chaos.faults import FAMILIES
from web.passwords import read_hash

TOKEN = "123456789:" + "A" * 35
GOOD = {"BOT_TOKEN": TOKEN, "MAIN_GROUP_ID": "-1001234567890"}
NOWHERE = "postgresql://u:p4ss@127.0.0.1:1/d"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty folder and environment; logging as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name not in {"PATH", "HOME"}:
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def command(*args: str, env: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(cli.main, args, env=dict(env or {}), prog_name="topicdesk")


def pretend(monkeypatch: pytest.MonkeyPatch, name: str, **content: Any) -> None:
    """Puts a module in the place of one that this test is not about."""
    module = ModuleType(name)
    vars(module).update(content)
    monkeypatch.setitem(sys.modules, name, module)


def test_help_names_every_command_and_the_exit_codes() -> None:
    shown = command("--help")
    assert shown.exit_code == 0
    for word in (
        "run",
        "demo",
        "migrate",
        "doctor",
        "bench",
        "chaos",
        "Exit codes: 0 all well",
        ".env",
    ):
        assert word in shown.output
    for name in cli.main.commands:
        assert command(name, "--help").exit_code == 0


def test_help_comes_without_the_libraries_of_a_run() -> None:
    code = (
        "import sys; from bootstrap.cli import main; "
        "print(sorted({'aiogram', 'sqlalchemy', 'structlog', 'quart'} & set(sys.modules)))"
    )
    root = Path(cli.__file__).parents[1]
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "[]\n"


def test_the_version_is_the_projects() -> None:
    shown = command("--version")
    assert (shown.exit_code, shown.output) == (0, "topicdesk 0.1.0\n")


def test_wrong_use_exits_with_2() -> None:
    assert command("nonsense").exit_code == 2
    assert command("migrate", "--sql", "--down", "base").exit_code == 2


def test_wrong_settings_exit_with_2_and_are_all_named() -> None:
    shown = command("run", env={"BOT_TOKEN": "hush-hush", "MAIN_GRUOP_ID": "-1001234567890"})
    assert shown.exit_code == 2
    assert "2 settings are wrong:" in shown.stderr
    assert "BOT_TOKEN does not look like a token" in shown.stderr
    assert "MAIN_GROUP_ID is not set.  e.g. MAIN_GROUP_ID=-100" in shown.stderr
    assert "MAIN_GRUOP_ID is no setting; did you mean MAIN_GROUP_ID?" in shown.stderr
    assert "hush" not in shown.output


def test_run_reads_the_env_file_and_hands_the_settings_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    got: list[Settings] = []

    async def run(settings: Settings, *, end_with_parent: bool) -> None:
        assert not end_with_parent
        got.append(settings)
        structlog.get_logger().error("failed", address=f"https://h/bot{TOKEN}/getMe")

    pretend(monkeypatch, "bootstrap.app", run=run)
    (tmp_path / "my.env").write_text(f"BOT_TOKEN={TOKEN}\nMAIN_GROUP_ID=-1001234567890\n")
    shown = command("run", "--env-file", "my.env", env={"REDIS_HOTS": "x"})
    assert shown.exit_code == 0
    assert [settings.main_group_id for settings in got] == [(-1001234567890,)]
    assert '"event":"failed"' in shown.stderr
    assert '"meant":"REDIS_HOST"' in shown.stderr
    assert TOKEN not in shown.stderr


def test_run_with_nodes_starts_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[tuple[int, Path]] = []

    async def run_nodes(settings: Settings, count: int, env_file: Path) -> None:
        assert settings.main_group_id
        got.append((count, env_file))

    pretend(monkeypatch, "bootstrap.cluster", run_nodes=run_nodes)
    assert command("run", "--nodes", "3", "--env-file", "my.env", env=GOOD).exit_code == 0
    assert got == [(3, Path("my.env"))]
    assert command("run", "--nodes", "0", env=GOOD).exit_code == 2


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (TopicdeskError("Postgres is away"), 1, "topicdesk: Postgres is away\n"),
        (ExceptionGroup("tasks", [TopicdeskError("in a task")]), 1, "topicdesk: in a task\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_ends_a_run_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str
) -> None:
    async def run(settings: Settings, *, end_with_parent: bool) -> None:
        raise error

    pretend(monkeypatch, "bootstrap.app", run=run)
    shown = command("run", env=GOOD)
    assert (shown.exit_code, shown.stderr) == (code, says)


def test_demo_and_bench_hand_their_options_on_and_exit_as_they_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    got: list[dict[str, Any]] = []

    def play(**options: Any) -> int:
        got.append(options)
        return len(got) - 1

    pretend(monkeypatch, "lab.demo", main=play)
    pretend(monkeypatch, "lab.bench", relay=play)
    assert command("demo").exit_code == 0
    assert command("demo", "--script", "--port", "0").exit_code == 1
    assert command("bench", "relay", "--clients", "3", "--json", "out.json").exit_code == 2
    assert got == [
        {"script": False, "port": None},
        {"script": True, "port": 0},
        {
            "clients": 3,
            "messages": 5,
            "json_file": Path("out.json"),
            "rate": 0,
            "latency_ms": 0.0,
            "runs": 1,
            "bare": True,
        },
    ]


def test_chaos_hands_its_options_on_and_exits_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, Any]] = []

    def play(**options: Any) -> int:
        got.append(options)
        return len(got) - 1

    monkeypatch.setattr(chaos, "main", play)
    assert command("chaos").exit_code == 0
    given = ["--minutes", "10", "--nodes", "4", "--clients", "50", "--faults", "network,kill"]
    more = ["--seed", "7", "--updates", "webhook", "--report", "page.html", "--json"]
    assert command("chaos", *given, *more).exit_code == 1
    assert got == [
        {
            "families": FAMILIES,
            "minutes": 2.0,
            "nodes": 3,
            "clients": 20,
            "seed": None,
            "updates": None,
            "report": None,
            "as_json": False,
        },
        {
            "families": ("kill", "network"),
            "minutes": 10.0,
            "nodes": 4,
            "clients": 50,
            "seed": 7,
            "updates": "webhook",
            "report": Path("page.html"),
            "as_json": True,
        },
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--faults", "kill,flood"],
        ["--faults", ""],
        ["--minutes", "0"],
        ["--nodes", "0"],
        ["--clients", "none"],
        ["--seed", "-1"],
        ["--updates", "pigeon"],
    ],
)
def test_chaos_refuses_what_it_does_not_know(wrong: list[str]) -> None:
    shown = command("chaos", *wrong)
    assert shown.exit_code == 2
    assert wrong[0] in shown.stderr


def test_chaos_without_faults_breaks_nothing() -> None:
    assert chaos.families_in("none") == ()


def test_a_demo_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def play(**options: Any) -> int:
        raise TopicdeskError("the folder is in use")

    pretend(monkeypatch, "lab.demo", main=play)
    shown = command("demo")
    assert (shown.exit_code, shown.stderr) == (1, "topicdesk: the folder is in use\n")


def test_a_lab_that_is_not_installed_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'rich'", name="rich")

    monkeypatch.setattr("importlib.import_module", absent)
    shown = command("demo")
    assert shown.exit_code == 1
    assert "needs the package rich" in shown.stderr
    assert "pip install 'topicdesk[lab,embedded]'" in shown.stderr


def test_migrations_are_printed_without_any_database() -> None:
    shown = command("migrate", "--sql")
    assert shown.exit_code == 0
    assert "CREATE TABLE tickets" in shown.output


def test_migrations_go_up_and_down_on_the_embedded_database(tmp_path: Path) -> None:
    env = {"DATA_DIR": str(tmp_path / "data")}
    assert "went from nothing to" in command("migrate", env=env).stdout
    assert "already" in command("migrate", env=env).stdout
    unknown = command("migrate", "--down", "nonsense", env=env)
    assert unknown.exit_code == 1
    assert "Can't locate revision identified by 'nonsense'" in unknown.stderr
    assert "to nothing." in command("migrate", "--down", "base", env=env).stdout


def test_a_database_out_of_reach_is_told_in_one_line() -> None:
    shown = command("migrate", env={"POSTGRES_DSN": NOWHERE})
    assert shown.exit_code == 1
    assert shown.stderr.startswith("topicdesk: Postgres")
    assert shown.stderr.count("\n") == 1
    assert "p4ss" not in shown.output


def test_the_doctor_exits_with_1_when_something_fails() -> None:
    shown = command("doctor", env={"POSTGRES_DSN": NOWHERE, "REDIS_URL": "redis://127.0.0.1:1"})
    assert shown.exit_code == 1
    assert [line.split()[:2] for line in shown.stdout.splitlines()] == [
        ["FAIL", "settings"],
        ["FAIL", "settings"],
        ["FAIL", "postgres"],
        ["FAIL", "schema"],
        ["FAIL", "redis"],
    ]


def test_a_password_is_hashed_and_never_shown() -> None:
    words = "correct horse battery"
    done = CliRunner().invoke(cli.main, ["password"], input=f"{words}\n")
    assert done.exit_code == 0
    assert words not in done.output
    assert read_hash(done.stdout.strip()).matches(words)
    short = CliRunner().invoke(cli.main, ["password"], input="short\n")
    assert (short.exit_code, short.stdout) == (1, "")
    assert "10 to 1024" in short.stderr


def test_the_status_benchmark_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def status(**options: object) -> int:
        asked.append(options)
        return 1

    pretend(monkeypatch, "lab.bench_status", status=status)
    done = command("bench", "status", "--tickets", "10", "--viewers", "2", "--seconds", "3")
    assert done.exit_code == 1
    assert asked == [{"tickets": 10, "viewers": 2, "seconds": 3.0, "json_file": None}]
