"""The operators' pages find their texts: those of the templates and those of the modules."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from web.texts import LANGUAGES, Words, patterns

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "web/templates").glob("*.html"))
MODULES = sorted((ROOT / "web/static/js").glob("*.js"))
BY_VALUE = (
    *("state-", "status-", "sent-", "role-", "cause-", "advice-", "tree-state-", "kind-"),
    *("detail-", "part-", "message-", "effect-", "ticket-"),
)
"""Texts of values that the server sends; the browser shows the value itself where one is new."""

SIMPLE = re.compile(r"""\bt\(\s*["'`]([a-z][\w-]*)["'`]""")
BUILT = re.compile(r"""["'`]([a-z][\w-]*-)(?:\$\{|["'] ~)|~ ["'](-[a-z]+)["']""")
QUOTED = re.compile(r"""["'`]([a-z][\w-]*)["'`]""")


@cache
def _sources() -> str:
    return "\n".join(path.read_text("utf-8") for path in (*TEMPLATES, *MODULES))


def test_the_sources_are_found() -> None:
    assert len(TEMPLATES) > 8
    assert len(MODULES) > 12
    assert len(SIMPLE.findall(_sources())) > 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_that_is_asked_for_by_name_is_there(language: str) -> None:
    known = patterns(language)
    wanted = {key for key in SIMPLE.findall(_sources()) if not key.endswith("-")}
    assert wanted - known.keys() == set()


def test_each_number_with_a_hint_has_one() -> None:
    known = patterns("en")
    hinted = set(re.findall(r"""\bhint\("([a-z-]+)"\)""", _sources()))
    listed = "\n".join(re.findall(r"(?:tiles|for name in )\(+(.*?)\)", _sources()))
    in_tiles = {key for key in QUOTED.findall(listed) if f"{key}-hint" in known}
    assert len(hinted | in_tiles) > 40
    assert {key for key in hinted if f"{key}-hint" not in known} == set()


def test_no_text_is_left_over() -> None:
    prefixes = tuple(prefix for prefix, _ in BUILT.findall(_sources()) if prefix)
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "web").glob("*.py"))
    named = set(QUOTED.findall(_sources())) | set(QUOTED.findall(code))
    messages = {f"{name}{end}" for name in ("closed", "missing") for end in ("-title", "-text")}
    unused = {
        key
        for key in patterns("en")
        if key not in named | messages
        and key.removesuffix("-hint") not in named
        and not key.startswith((*prefixes, *BY_VALUE))
    }
    assert unused == set()


def test_a_text_for_the_browser_keeps_the_places_of_its_arguments() -> None:
    assert patterns("en")["updated"] == "updated {duration} ago"
    assert patterns("ru")["ask-move"] == "Перенести заявку {ticket}?"


def test_every_cause_that_the_server_knows_has_words_and_advice() -> None:
    source = (ROOT / "web/shapes/base.py").read_text("utf-8")
    listed = source[source.index("One of:") : source.index("detail: str")]
    codes = {code.replace("_", "-") for code in re.findall(r"``([a-z_]+)``", listed)}
    assert len(codes) > 12
    for code in codes:
        assert {f"cause-{code}", f"advice-{code}"} <= patterns("ru").keys(), code


def test_every_message_and_effect_of_a_ticket_has_a_name() -> None:
    known = patterns("ru")
    for module, prefix in (("messages", "message-"), ("effects", "effect-")):
        tree = ast.parse((ROOT / f"actors/{module}.py").read_text("utf-8"))
        union = next(
            node.value
            for node in tree.body
            if isinstance(node, ast.TypeAlias) and node.name.id == prefix.title().rstrip("-")
        )
        names = {node.id for node in ast.walk(union) if isinstance(node, ast.Name)}
        assert len(names) > 10
        assert {name for name in names if f"{prefix}{name}" not in known} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_that_is_missing_or_lacks_an_argument_is_an_error(language: str) -> None:
    words = Words(language)
    assert "alice" in words("what-is", name="alice")
    with pytest.raises(LookupError, match="no-such-text"):
        words("no-such-text")
    with pytest.raises(LookupError, match="what-is"):
        words("what-is")
