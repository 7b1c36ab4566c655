"""Which texts the sources ask for, and with what: read from their syntax trees."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl
from fluent.syntax.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One place that asks for a text. ``pattern`` matches its key, or keys if it is put together.

    ``args`` are the names given, ``None`` when they cannot be read from the source.
    """

    where: str
    pattern: str
    args: frozenset[str] | None


def phrases(*folders: str) -> list[Phrase]:
    """All texts that the Python files below these folders ask for."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return [phrase for path in paths for phrase in _Module(path).phrases()]


class _Module:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._tree = ast.parse(path.read_text("utf-8"))
        self._helpers = {} if path.name == "texts.py" else _helpers(self._tree)

    def phrases(self) -> Iterator[Phrase]:
        for function in _functions(self._tree):
            known = _assigned(function)
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield from self._of_call(node, known)

    def _of_call(self, call: ast.Call, known: Mapping[str, ast.expr]) -> Iterator[Phrase]:
        name = _name(call.func)
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if name == "Text":
            keys, args = _keys(given["key"]), _names(given.get("args"), known)
        elif name in {"say", "words", "self"} and call.args:
            keys, args = _keys(call.args[0]), _keyword_names(call)
        elif name in self._helpers:
            helper = self._helpers[name]
            keys = _keys(given.get("key") or call.args[helper.position])
            args = _keyword_names(call) if helper.args is None else helper.args
        else:
            return
        for key in keys:
            yield Phrase(where=f"{self._path.name}:{call.lineno}", pattern=key, args=args)


@dataclass(frozen=True, slots=True)
class _Helper:
    """A function that makes a text of the key that it is given."""

    position: int
    args: frozenset[str] | None
    """``None``: it hands on its own keywords."""


def _helpers(tree: ast.AST) -> dict[str, _Helper]:
    found: dict[str, _Helper] = {}
    for function in _functions(tree):
        names = [each.arg for each in function.args.args if each.arg != "self"]
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            key = given.get("key")
            if _name(call.func) == "Text" and isinstance(key, ast.Name) and key.id in names:
                passed_on = function.args.kwarg is not None
                args = None if passed_on else _names(given.get("args"), _assigned(function))
                found[function.name] = _Helper(names.index(key.id), args)
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _assigned(function: ast.AST) -> dict[str, ast.expr]:
    """Local names and what they were set to, when that was an expression."""
    found: dict[str, ast.expr] = {}
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, value)
    return found


def _keys(node: ast.expr) -> list[str]:
    """Patterns of the keys that an expression can be; none for a name that is handed on."""
    match node:
        case ast.Constant(value=str(key)):
            return [re.escape(key)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*_keys(body), *_keys(orelse)]
        case ast.JoinedStr(values=parts):
            pieces = [_keys(part) if isinstance(part, ast.Constant) else [".+"] for part in parts]
            return ["".join(piece[0] for piece in pieces)]
        case _:
            return []


def _names(node: ast.expr | None, known: Mapping[str, ast.expr]) -> frozenset[str] | None:
    """The keys of a dictionary of arguments, followed through local names."""
    match node:
        case None:
            return frozenset()
        case ast.Name(id=name) if name in known:
            return _names(known[name], known)
        case ast.Attribute(value=ast.Name(id=name), attr="args") if name in known:
            return _names(_keyword(known[name], "args"), known)
        case ast.Dict(keys=keys, values=values):
            found: set[str] = set()
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    found.add(str(key.value))
                    continue
                spread = _names(value, known)
                if key is not None or spread is None:
                    return None
                found |= spread
            return frozenset(found)
        case _:
            return None


def _keyword(node: ast.expr, name: str) -> ast.expr | None:
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return next((keyword.value for keyword in keywords if keyword.arg == name), None)


def _keyword_names(call: ast.Call) -> frozenset[str] | None:
    names = [keyword.arg for keyword in call.keywords]
    return None if None in names else frozenset(name for name in names if name)


# --- catalogues -----------------------------------------------------------------------------


class _Variables(Visitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: ftl.VariableReference) -> None:  # noqa: N802 - fluent's
        self.names.add(node.id.name.removeprefix("has-"))


@cache
def catalogue(folder: str, language: str) -> Mapping[str, frozenset[str]]:
    """Each text of a language with the arguments that it asks for.

    A text ``x`` comes with ``has-x``, so asking for either asks for ``x``.
    """
    found: dict[str, frozenset[str]] = {}
    for path in sorted((ROOT / folder).glob(f"*.{language}.ftl")):
        for entry in FluentParser().parse(path.read_text("utf-8")).body:
            assert not isinstance(entry, ftl.Junk), f"{path.name}: {entry.content}"
            if isinstance(entry, ftl.Message):
                variables = _Variables()
                variables.visit(entry)
                assert entry.id.name not in found, f"{path.name}: {entry.id.name} twice"
                found[entry.id.name] = frozenset(variables.names)
    return found
