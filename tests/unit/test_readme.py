"""The documents say what the program is: settings, commands, output, dependencies."""

import re
import tomllib
from pathlib import Path

import click
import pytest
from dotenv import dotenv_values

from bootstrap.cli import main
from bootstrap.findings import Finding, Verdict
from bootstrap.settings import Settings, doubtful_names, is_secret, load_settings
from lab import demo
from lab.processes import BotProcess

ROOT = Path(__file__).resolve().parents[2]
README, RUSSIAN = "README.md", "README.ru.md"
BOTH = pytest.mark.parametrize("name", [README, RUSSIAN])
IMAGE_BYTES_MAX = 300_000
REQUIRED = {README: "**needed**", RUSSIAN: "**нужно**"}
COMPUTED = {README: "the host's name", RUSSIAN: "имя машины"}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def headings(text: str) -> list[tuple[int, str]]:
    without_code = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [(len(h[1]), h[2]) for h in re.finditer(r"^(#+) (.+)$", without_code, re.MULTILINE)]


def code_blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of each fenced block, without the indentation of a list."""
    found = re.finditer(r"^( *)```(\w+)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [(b[2], re.sub(rf"^{b[1]}", "", b[3], flags=re.MULTILINE)) for b in found]


def figures(text: str) -> list[str]:
    """The numbers of the section on speed, whatever the language puts between their digits."""
    section = text.split("bench relay --clients")[1].split("\n## ", maxsplit=1)[0]
    digits = re.sub(r"(?<=\d)[,.](?=\d)", "", section)
    return sorted(re.findall(r"\d+", digits))


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def setting_rows(text: str) -> list[tuple[str, bool, str]]:
    """Name, whether marked as a secret, and default, of each row in the tables of settings."""
    rows = re.finditer(r"^\| `([A-Z_]+)`( 🔒)? \| ([^|]*)\|", text, re.MULTILINE)
    return [(row[1], row[2] is not None, row[3].strip().strip("`")) for row in rows]


def expected_rows(name: str) -> list[tuple[str, bool, str]]:
    """What the settings' classes say, in the order of ``.env.example``."""
    rows = []
    for setting in dotenv_values(ROOT / ".env.example", interpolate=False):
        info = Settings.model_fields[setting.lower()]
        default = "" if info.default in {None, ()} else str(info.default).removesuffix(".0")
        if info.is_required():
            default = REQUIRED[name]
        elif info.default_factory is not None:
            default = COMPUTED[name]
        rows.append((setting, is_secret(info), default))
    return rows


@BOTH
def test_the_table_holds_every_setting_with_its_default_and_marks_the_secrets(name: str) -> None:
    assert setting_rows(read(name)) == expected_rows(name)
    assert len(expected_rows(name)) == len(Settings.model_fields)


@BOTH
def test_the_env_file_that_is_shown_is_right(name: str) -> None:
    blocks = [block for language, block in code_blocks(read(name)) if language == "ini"]
    texts = dict(line.split("=", 1) for line in "".join(blocks).splitlines())
    settings = load_settings(texts, None)
    assert not doubtful_names(texts, None)
    assert [group.name for group in settings.tech_groups_mapping] == ["alice", "bob"]
    assert settings.webhook_endpoint is not None


class ShownBot(BotProcess):
    pid = 21806


@BOTH
def test_the_demo_prints_what_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    bot = ShownBot({"HTTP_BIND": "127.0.0.1:8080"}, log_file=Path("unused"))
    demo._print_welcome("http://127.0.0.1:8081", bot)
    shown = [block for language, block in code_blocks(read(name)) if language == "text"]
    assert capsys.readouterr().out.strip() in shown[0]
    source = Path(demo.__file__).read_text(encoding="utf-8")
    assert shown[0].splitlines()[0] in source
    assert shown[1].strip() in source


@BOTH
def test_the_doctor_writes_as_is_shown(name: str) -> None:
    shown = [block for language, block in code_blocks(read(name)) if language == "text"][2]
    for line in shown.splitlines():
        verdict, subject, detail = line[:5].strip(), line[6:18].strip(), line[19:]
        assert line == str(Finding(name=subject, detail=detail))
        assert verdict == Verdict.OK


@BOTH
def test_every_command_that_is_named_exists(name: str) -> None:
    text = read(name)
    shown = "\n".join(block for _, block in code_blocks(text))
    targets = {
        *re.findall(r"^make ([a-z]+)", shown, re.MULTILINE),
        *re.findall("`make ([a-z]+)", text),
    }
    assert {"demo", "setup", "run"} <= targets
    for target in targets:
        assert f"\n{target}:" in read("Makefile"), target
    named = set(re.findall(r"(?:\.venv/bin/|`)topicdesk ([a-z]+(?: [a-z]+)?)", text))
    assert {"doctor", "migrate", "bench relay", "tickets show", "dead retry"} <= named
    for words in named:
        command: click.Command = main
        for word in words.split():
            assert isinstance(command, click.Group)
            command = command.commands[word]


@BOTH
def test_every_link_leads_somewhere(name: str) -> None:
    text = read(name)
    anchors = {anchor(heading) for _, heading in headings(text)}
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert any(target.startswith("#") for target in targets)
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif "://" not in target:
            assert (ROOT / target).exists(), target


@BOTH
def test_the_pictures_are_shown_described_and_small(name: str) -> None:
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", read(name))
    end = ".ru.png" if name == RUSSIAN else ".png"
    shown = ("demo", "status-overview", "status-ticket", "status-phone")
    assert [file for _, file in pictures] == [f"docs/images/{of}{end}" for of in shown]
    for description, file in pictures:
        assert len(description) > 30
        data = (ROOT / file).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < IMAGE_BYTES_MAX


def test_both_languages_have_the_same_sections_code_and_tables() -> None:
    english, russian = read(README), read(RUSSIAN)
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(russian)]
    assert code_blocks(english) == code_blocks(russian)
    assert english.count("\n|") == russian.count("\n|")
    steps = re.compile(r"^\d+\. \*\*", re.MULTILINE)
    assert len(steps.findall(english)) == len(steps.findall(russian)) == 7
    assert figures(english) == figures(russian)
    assert RUSSIAN in english
    assert README in russian


def test_the_architecture_gives_a_reason_for_every_dependency() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    wanted = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    for group in project["dependency-groups"].values():
        wanted += [name for name in group if isinstance(name, str)]
    section = read("ARCHITECTURE.md").split("\n## Dependencies\n")[1].split("\n## ")[0]
    reasons = dict(re.findall(r"^\| `([\w.\-]+)` \| (.+) \|$", section, re.MULTILINE))
    names = [re.split(r"[\[<>=; ]", requirement)[0] for requirement in wanted]
    assert list(reasons) == names
    assert all(len(reason) > 20 for reason in reasons.values())
