"""Reads the settings: environment over ``.env``, secrets also from files, every mistake at once."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final, get_args

from dotenv.parser import parse_stream
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from actors.errors import TopicdeskError
from bootstrap.parsing import TechnicianGroup
from bootstrap.settings_model import Settings, StorageSettings
from bootstrap.vault import OWN, VaultProblem, settings_of_vault

__all__ = [
    "Problem",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "TechnicianGroup",
    "doubtful_names",
    "is_secret",
    "load_settings",
    "load_storage_settings",
]

LIKENESS: Final = 0.84
"""How much like one of our names another must be to be taken for a slip of the pen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake: the setting's name, what is wrong with it, and a right example (may be empty).

    Never holds the value of a setting.
    """

    name: str
    problem: str
    example: str = ""

    def __str__(self) -> str:
        example = f"  e.g. {self.name}={self.example}" if self.example else ""
        return f"{self.name} {self.problem}.{example}"


class SettingsError(TopicdeskError):
    """The settings are wrong; ``problems`` holds all mistakes."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load_settings(environ: Mapping[str, str], env_file: Path | None) -> Settings:
    """Everything, for running the helpdesk.

    Raises:
        SettingsError: With all mistakes; no value of a setting is in it.
    """
    return _load(Settings, environ, env_file)


def load_storage_settings(environ: Mapping[str, str], env_file: Path | None) -> StorageSettings:
    """Only what concerns storage and logs; the rest may be missing or wrong.

    Raises:
        SettingsError: As for :func:`load_settings`.
    """
    return _load(StorageSettings, environ, env_file)


def doubtful_names(
    environ: Mapping[str, str], env_file: Path | None
) -> tuple[tuple[str, str], ...]:
    """Names that are set and mean nothing, each with the name that was probably meant."""
    known = set(_names(Settings))
    written, _ = _env_file(env_file)
    strangers = sorted({*environ, *written} - known)
    likes = (
        (name, difflib.get_close_matches(name.upper(), known, 1, LIKENESS)) for name in strangers
    )
    return tuple((name, like[0]) for name, like in likes if like)


def _load[S: StorageSettings](
    kind: type[S], environ: Mapping[str, str], env_file: Path | None
) -> S:
    written, problems = _env_file(env_file)
    texts = {**written, **_own(environ, written)}
    values: dict[str, str] = {}
    for field, info in kind.model_fields.items():
        try:
            value = _value(field.upper(), info, texts)
        except ValueError as error:
            problems.append(_problem(kind, field, str(error)))
            value = None
        if value is not None:
            values[field] = value
    away = _fill_from_vault(kind, values, problems)
    named = {problem.name for problem in problems}
    try:
        settings = kind(**values)  # type: ignore[arg-type]  # texts, as validators want them
    except ValidationError as error:
        details = (d for d in error.errors() if not (away and d["type"] == "missing"))
        found = (_validation_problem(kind, detail) for detail in details)
        problems.extend(problem for problem in found if problem.name not in named)
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _fill_from_vault(
    kind: type[StorageSettings], values: dict[str, str], problems: list[Problem]
) -> bool:
    """Sets what is not set otherwise; says whether Vault is needed and did not give it."""
    access = {name: values[name.lower()] for name in OWN if name.lower() in values}
    if any(problem.name.removesuffix("_FILE") in OWN for problem in problems):
        return True
    try:
        found = settings_of_vault(access)
    except VaultProblem as error:
        problems.append(Problem(name=error.name, problem=str(error)))
        return True
    for field in kind.model_fields:
        text = found.get(field.upper(), "").strip()
        if text and field.upper() not in OWN and not _is_given_otherwise(field, values):
            values[field] = text
    return False


def _is_given_otherwise(field: str, values: Mapping[str, str]) -> bool:
    """Also a server that is named here in one way, and there in the other."""
    others = {"postgres_dsn": "postgres_host", "redis_url": "redis_host"}
    others |= {other: field for field, other in others.items()}
    return field in values or others.get(field) in values


def _own(environ: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """The environment without what other programs put there under our names.

    ``LANGUAGE`` is gettext's on most desktops (``en_US:en``), and Kubernetes sets ``REDIS_PORT``
    to ``tcp://…`` for a service called redis.
    """
    own = {name: value for name, value in environ.items() if not value.startswith("tcp://")}
    language = own.pop("LANGUAGE", "").strip().lower()
    if language in {"ru", "en"} or (language.isalpha() and "LANGUAGE" not in written):
        own["LANGUAGE"] = language
    return own


def _value(name: str, info: FieldInfo, texts: Mapping[str, str]) -> str | None:
    """The text of a setting, ``None`` when it is absent or empty."""
    text = texts.get(name, "").strip()
    path = texts.get(f"{name}_FILE", "").strip() if is_secret(info) else ""
    if not path:
        return text or None
    if text:
        raise ValueError(f"is set twice: here and by {name}_FILE")
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise ValueError(f"cannot be read from the file that {name}_FILE names ({why})") from None
    if not text:
        raise ValueError(f"is empty in the file that {name}_FILE names")
    return text


def is_secret(info: FieldInfo) -> bool:
    return info.annotation is SecretStr or SecretStr in get_args(info.annotation)


def _names(kind: type[StorageSettings]) -> Iterator[str]:
    for field, info in kind.model_fields.items():
        yield field.upper()
        if is_secret(info):
            yield f"{field.upper()}_FILE"


def _env_file(env_file: Path | None) -> tuple[dict[str, str], list[Problem]]:
    if env_file is None or not env_file.exists():
        return {}, []
    try:
        text = env_file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        return {}, [Problem(name=str(env_file), problem=f"cannot be read ({why})")]
    written: dict[str, str] = {}
    problems: list[Problem] = []
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            line = f"{env_file}, line {binding.original.line}:"
            problems.append(Problem(name=line, problem="is not of the form NAME=value"))
        elif binding.key and binding.value is not None:
            written[binding.key] = binding.value
    return written, problems


def _problem(kind: type[StorageSettings], field: str, problem: str) -> Problem:
    info = kind.model_fields[field]
    example = str(info.examples[0]) if info.examples else ""
    if not example and not info.is_required() and info.default is not None:
        example = str(info.default)
    return Problem(name=field.upper(), problem=problem, example=example)


def _validation_problem(kind: type[StorageSettings], detail: Any) -> Problem:
    field = str(detail["loc"][0])
    match detail["type"]:
        case "missing":
            problem = "is not set"
        case "value_error":
            problem = str(detail["ctx"]["error"])
        case "literal_error":
            problem = f"must be {detail['ctx']['expected']}"
        case _:
            problem = detail["msg"].replace("Input should", "should", 1)
    return _problem(kind, field, problem)
